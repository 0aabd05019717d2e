"""The third chapter: residential reminders and cuts without a person, an outage that makes them wait, and the VIPs' cut after day 27."""

from collections import Counter
from typing import Any

from services.demo.bank import Deposits, import_until
from services.demo.cast import open_parties
from services.demo.opening import count_messages
from services.demo.story import Party, Story
from services.demo.talks import report_payment

CUT_PARTS = ("incumple", "corte", "corte por terceros", "paga antes de que Ingeniería corte", "paga cuando Ingeniería ya cortó")


async def tell(story: Story, deposits: Deposits) -> None:
    """From the residential cuts to the VIPs' mails."""
    story.title("17 al 25 de marzo · los residenciales, sin que nadie haga nada")
    await story.until(19, 18)
    await import_until(story, deposits, 19)
    await _residential(story)
    await story.until(25, 17)
    await import_until(story, deposits, 25)
    parties = [each for part in CUT_PARTS for each in story.playing(part)]
    if not parties:
        return
    story.title("26 al 28 de marzo · el aviso de 24 horas y la suspensión de los VIP")
    await _notices(story, parties)
    await story.until(27, 18)
    await import_until(story, deposits, 27)
    await _too_early(story, parties)
    await story.until(28, 8)
    await _cut(story, parties)
    await _third_parties(story)


async def _residential(story: Story) -> None:
    """The system cuts on the policy's day; an outage declared before makes the customers behind that node wait."""
    policy = next((code for code, each in story.operator.policies.items() if each.decided_by == "system"), None)
    if policy is None:
        return
    debtors = await open_parties(story, policy)
    for each in debtors[:1]:
        story.take("residencial", each)
    nodes = Counter(each.node for each in debtors if each.node)
    reminders = await count_messages(story, "recordatorio_residencial")
    story.say(f"{reminders} recordatorios enviados; {len(debtors)} residenciales llegan sin pagar al día del corte")
    limited = await count_status(story, policy, "restricted")
    if limited:
        story.say(f"Desde el 17, {limited} de ellos navegan solo en la página de pago: conectados, pero restringidos")
    outage = await _declare_outage(story, nodes.most_common(1)[0][0]) if nodes else None
    await story.until(20, 12)
    cut = await count_status(story, policy, "suspended")
    story.figures["residenciales suspendidos"] = cut
    if outage is None:
        story.say(f"El día 20 el sistema suspende a {cut} residenciales")
        return
    waiting = nodes[outage["access_node"]]
    story.say(f"El día 20 el sistema suspende a {cut} residenciales; los {waiting} del nodo {outage['access_node']} esperan (NOC-1)")
    person = story.people.with_permission("noc.outages", desk="noc")
    await story.people.post(person, f"/noc/outages/{outage['id']}/close", {"solution": "Empalme de fibra reparado; el nodo responde"})
    await story.until(21, 12)
    after = await count_status(story, policy, "suspended")
    story.figures["residenciales suspendidos"] = after
    story.say(f"El NOC cierra el corte del nodo: las suspensiones siguen, ya van {after}")


async def _declare_outage(story: Story, node: str) -> dict[str, Any]:
    person = story.people.with_permission("noc.outages", desk="noc")
    body = {"access_node": node, "description": "Fibra troncal cortada"}
    outage: dict[str, Any] = await story.people.post(person, "/noc/outages", body)
    story.say(f"El NOC declara caído el nodo {node}: {outage['customers']} clientes detrás")
    return outage


async def count_status(story: Story, policy: str, status: str) -> int:
    """How many customers under a policy are in a status."""
    manager = story.people.with_permission("collections.portfolios", desk="gerente_cobros")
    return sum([1 async for _ in story.people.every(manager, "/collections/customers", policy=policy, status=status)])


async def _notices(story: Story, parties: list[Party]) -> None:
    """VIP-10: the assigned agent tells five desks at least 24 hours before."""
    await story.until(26, 16)
    for party in parties:
        await story.people.post(_agent(party), f"/collections/customers/{party.id}/suspension-notices", {})
    await story.until(26, 17)
    sent = await count_messages(story, "aviso_suspension_vip")
    story.figures["avisos de suspensión"] = sent
    story.say(f"{sent} avisos de suspensión aceptados por los correos de los cinco escritorios")


async def _too_early(story: Story, parties: list[Party]) -> None:
    """The notice's hours are over on day 27 at 18:00, and the day is not."""
    path = f"/collections/customers/{parties[0].id}/suspensions"
    story.refused(await story.people.refusal(_agent(parties[0]), path, {}))
    other = next((each for each in parties if each.agent != parties[0].agent), None)
    if other is not None:
        story.refused(await story.people.refusal(_agent(parties[0]), f"/collections/customers/{other.id}/suspensions", {}))


async def _cut(story: Story, parties: list[Party]) -> None:
    for party in parties:
        await story.people.post(_agent(party), f"/collections/customers/{party.id}/suspensions", {})
        story.figures["suspensiones VIP solicitadas"] += 1
    await story.settle()
    own = [each for each in parties if each.delivery == "own"]
    if own:
        names = ", ".join(each.name for each in own)
        story.say(f"Entrega propia: {len(own)} suspendidos; el ticket SUSPENSION CLIENTE VIP se cierra solo: {names}")


async def _third_parties(story: Story) -> None:
    """VIP-14: Engineering suspends at the provider and confirms with a comment, then the agent completes."""
    for party in story.playing("paga antes de que Ingeniería corte"):
        await report_payment(story, party, party.owed)
        await story.settle()
        story.say(f"{party.name} reporta su pago antes de que INGENIERIA corte: la suspensión se cancela sola")
    for part in ("corte por terceros", "paga cuando Ingeniería ya cortó"):
        for party in story.playing(part):
            await work_ticket(story, party, {"confirmar": "Suspendido con el proveedor."})
            if part != "corte por terceros":
                await report_payment(story, party, party.owed)
                await story.settle()
                story.say(f"{party.name} paga cuando INGENIERIA ya había cortado: la suspensión termina y la reconexión se ordena sola")
            await work_ticket(story, party, {})
            if part == "corte por terceros":
                story.say(f"{party.name}: INGENIERIA confirma con un comentario, {story.who(party.agent)} completa: SUSPENDIDO CLIENTE VIP")


async def work_ticket(story: Story, party: Party, comments: dict[str, str]) -> int:
    """Finish the open tasks of the customer's open tickets, each by whom it belongs to. With `comments` only those steps. How many."""
    reader = story.people.with_permission("ticketing.network", desk="ingenieria")
    done = 0
    for _ in range(6):
        task = await _next_task(story, reader, party, comments)
        if task is None:
            break
        ticket, step = task
        person = step["person"] or story.people.at_desk(step["desk"])
        text = comments.get(step["code"], "Hecho.")
        body = {"outcome": "done", "comment": text, "captured": {}}
        headers = {"If-Match": f'"{ticket["version"]}"'}
        await story.people.post(str(person), f"/ticketing/tickets/{ticket['id']}/steps/{step['code']}/finish", body, **headers)
        await story.settle()
        done += 1
    return done


async def _next_task(story: Story, reader: str, party: Party, comments: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    async for listed in story.people.every(reader, "/ticketing/tickets", customer_id=party.id, state="open"):
        ticket = await story.people.get(reader, f"/ticketing/tickets/{listed['id']}")
        for step in ticket["steps"]:
            if step["state"] == "OPEN" and not step["automatic"] and (not comments or step["code"] in comments):
                return ticket, step
    return None


def _agent(party: Party) -> str:
    assert party.agent is not None
    return party.agent
