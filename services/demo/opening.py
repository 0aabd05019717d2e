"""The first chapter: the book comes in, Sales says who is VIP, the month is billed, and its invoices go out."""

from collections import Counter
from pathlib import Path
from typing import Any

from services.demo.cast import open_parties
from services.demo.people import DemoFailed
from services.demo.story import Story

FAULTS_SHOWN = 3


async def tell(story: Story, book: Path, mapping: Path) -> None:
    """From the book to the invoices that are out and received."""
    story.title("28 de febrero · el libro de clientes entra en facturación")
    await _import_book(story, book, mapping)
    await _sales_list(story)
    await _portfolios(story)
    story.title("1 y 2 de marzo · las facturas del mes")
    await story.until(1, 9)
    await _billing(story)
    await _send_invoices(story)


async def _import_book(story: Story, book: Path, mapping: Path) -> None:
    person = story.people.with_permission("billing.imports")
    started = await story.people.upload(person, "/billing/imports", book.name, book.read_bytes(), mapping.read_text())
    await story.settle()
    done = await story.people.get(person, f"/billing/imports/{started['id']}")
    if done["failure"]:
        raise DemoFailed(f"{book.name}: {done['failure']}")
    story.say(
        f"{book.name}: {done['rows_read']:,} filas leídas, {done['rows_new']:,} clientes nuevos, {done['rows_bad']:,} filas con error,"
        f" {done['notices']:,} avisos ({done['rows_per_second']:,} filas/s)"
    )
    faults = await story.people.get(person, f"/billing/imports/{done['id']}/faults", limit=FAULTS_SHOWN)
    for fault in faults["items"]:
        story.say(f"  línea {fault['line']}, {fault['column']} «{fault['value']}»: {fault['reason']}")
    story.figures["clientes"] = done["rows_new"]


async def _sales_list(story: Story) -> None:
    """VIP-2: at the month's close Sales sends who must be VIP; who qualifies is known, so the list is what is missing."""
    person = story.people.with_permission("collections.vip_lists", desk="ventas")
    rows = [
        {
            "external_id": each["external_id"],
            "external_source": each["external_source"],
            "note": "Cierre de febrero: " + "; ".join(each["reasons"]),
        }
        async for each in story.people.every(person, "/collections/qualification/missing")
    ]
    if rows:
        made = await story.people.post(person, "/collections/vip-lists", {"period": story.period, "rows": rows})
        await story.settle()
        story.say(f"Ventas ({story.who(person)}) envía su lista: {made['applied']} clientes pasan a VIP, {made['faulty']} filas con error")


async def _portfolios(story: Story) -> None:
    """VIP-4: whoever has no agent gets one; then each policy in figures."""
    manager = story.people.with_permission("collections.portfolios", desk="gerente_cobros")
    policy = story.operator.qualification.policy
    orphans = [
        each["customer_id"] async for each in story.people.every(manager, "/collections/customers", policy=policy, unassigned="true")
    ]
    agents = [each.person for each in story.operator.people if "cobros" in each.desks]
    for number, agent in enumerate(agents):
        mine = orphans[number :: len(agents)]
        if mine:
            body = {"customer_ids": mine, "agent": agent, "reason": "Reparto de la cartera de marzo"}
            await story.people.post(manager, "/collections/portfolios/assignments", body)
    await story.settle()
    counts: Counter[str] = Counter()
    portfolios: dict[str, int] = {}
    for each in await story.people.get(manager, "/collections/portfolios"):
        counts[each["policy_name"]] += each["customers"]
        if each["policy"] == policy and each["agent"]:
            portfolios[each["agent_name"]] = each["customers"]
    story.say("Políticas: " + ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())))
    if portfolios:
        story.say("Cartera VIP: " + ", ".join(f"{name} {count}" for name, count in portfolios.items()))


async def _billing(story: Story) -> None:
    person = story.people.with_permission("billing.invoices")
    runs: list[dict[str, Any]] = (await story.people.get(person, "/billing/billing-runs"))["items"]
    listed = next((each for each in runs if each["period"] == story.period), None)
    if listed is None or listed["state"] != "COMPLETED":
        raise DemoFailed(f"La facturación de {story.period} no terminó: {listed}")
    run = await story.people.get(person, f"/billing/billing-runs/{listed['id']}")
    story.figures["facturas emitidas"] = run["invoices"]
    story.say(f"Facturación de {story.period}: {run['invoices']:,} facturas por {story.money(run['total']['amount'])}, las VIP primero")


async def _send_invoices(story: Story) -> None:
    """VIP-5 and VIP-6: on day 1 each agent sends its VIPs their invoice, on day 2 it asks whether they have it."""
    parties = [each for each in await open_parties(story, story.operator.qualification.policy) if each.agent]
    for party in parties:
        assert party.agent is not None
        await story.people.post(party.agent, f"/collections/customers/{party.id}/invoice-dispatches", {"invoice_id": party.invoice_id})
    await story.until(2, 10)
    for party in parties:
        assert party.agent is not None
        said = {"kind": "receipt_confirmed", "channel": "teléfono", "said": f"Confirma que recibió la factura {party.number}."}
        await story.people.post(party.agent, f"/collections/customers/{party.id}/contacts", said | {"invoice_id": party.invoice_id})
    await story.until(3, 9)
    sent = await count_messages(story, "factura_del_mes")
    story.figures["correos con factura"] = sent
    story.say(
        f"{len(parties)} facturas VIP enviadas el día 1 por sus gestores y recepción confirmada el día 2; {sent:,} correos con su PDF"
    )


async def count_messages(story: Story, notice: str) -> int:
    """How many messages of a notice there are."""
    person = story.people.with_permission("notifier.read", desk="cobros")
    return sum([1 async for _ in story.people.every(person, "/notifier/messages", notice=notice)])
