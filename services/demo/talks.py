"""The second chapter: the month goes on. Most pay through the bank; with the others the agents talk."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from services.demo.bank import Deposits, import_until
from services.demo.cast import open_parties
from services.demo.story import Party, Story


async def tell(story: Story, deposits: Deposits) -> None:
    """Payments of the first half, promises that are kept and broken, a plan, a review."""
    story.title("3 al 16 de marzo · quién paga, quién promete")
    for day in (3, 6, 10):
        await story.until(day, 17)
        await import_until(story, deposits, day)
    await story.until(11, 9)
    await _cast(story, deposits)
    await _promises(story)
    await _plan_and_payments(story)
    await story.until(14, 16)
    await import_until(story, deposits, 14)
    await _keep(story)
    await story.until(16, 17, 1)
    await _break(story)


async def _cast(story: Story, deposits: Deposits) -> None:
    """Who of the VIPs that will not pay by themselves plays which part."""
    silent = [
        each
        for each in await open_parties(story, story.operator.qualification.policy)
        if each.external_id not in deposits.payers and each.agent is not None
    ]
    own = iter([each for each in silent if each.delivery == "own"])
    third = iter([each for each in silent if each.delivery == "third_party"])
    for part in ("cumple", "incumple", "plan", "corte", "corte"):
        story.take(part, next(own, None))
    for part in ("corte por terceros", "paga antes de que Ingeniería corte", "paga cuando Ingeniería ya cortó"):
        story.take(part, next(third, None))
    for each in own:
        story.take("corte", each)
    if silent:
        story.say(f"Siguen sin pagar {len(silent)} clientes VIP; cada gestor llama a los suyos")


async def _promises(story: Story) -> None:
    for part, day in (("cumple", 15), ("incumple", 16)):
        for party in story.playing(part):
            await _promise(story, party, story.at(day, 17))
            story.say(f"{party.name} promete a {story.who(party.agent)} pagar {story.money(party.owed)} hasta el {day} a las 17:00")


async def _promise(story: Story, party: Party, due_at: Any) -> None:
    assert party.agent is not None
    body = {"amount": story.amount(party.owed), "due_at": due_at.isoformat()}
    await story.people.post(party.agent, f"/collections/customers/{party.id}/promises", body)
    story.figures["compromisos"] += 1


async def _plan_and_payments(story: Story) -> None:
    for party in story.playing("plan"):
        assert party.agent is not None
        half = (party.owed / 2).quantize(Decimal("0.01"))
        parts = [(20, half), (40, party.owed - half)]
        instalments = [{"due_at": story.at(day, 17).isoformat(), "amount": story.amount(amount)} for day, amount in parts]
        await story.people.post(party.agent, f"/collections/customers/{party.id}/payment-plans", {"instalments": instalments})
        story.figures["planes de pago"] += 1
        story.say(f"{party.name} acuerda un plan de pago en dos cuotas de {story.money(half)}: PLAN DE PAGO COBROS mientras lo cumpla")


async def _keep(story: Story) -> None:
    for party in story.playing("cumple"):
        payment = await report_payment(story, party, party.owed)
        await confirm_payment(story, payment)
        await story.settle()
        story.figures["compromisos cumplidos"] += 1
        story.say(f"{party.name} reporta su transferencia un día antes y facturación la confirma: compromiso cumplido")


async def _break(story: Story) -> None:
    for party in story.playing("incumple"):
        assert party.agent is not None
        story.say(f"{party.name} no pagó: compromiso incumplido. El segundo vence a lo sumo 24 horas después (VIP-11)")
        path = f"/collections/customers/{party.id}/promises"
        late = {"amount": story.amount(party.owed), "due_at": story.at(19, 17).isoformat()}
        story.refused(await story.people.refusal(party.agent, path, late))
        await _promise(story, party, story.at(16, 17) + timedelta(hours=24))
        await story.until(17, 17, 1)
        again = {"amount": story.amount(party.owed), "due_at": story.at(18, 17).isoformat()}
        story.refused(await story.people.refusal(party.agent, path, again))
        story.figures["compromisos incumplidos"] += 2


async def report_payment(story: Story, party: Party, amount: Decimal) -> str:
    """The customer says that it paid, its agent writes it down: it counts at once. The payment's id."""
    assert party.agent is not None
    now = await story.people.settle()
    story.figures["pagos reportados"] += 1
    body = {
        "customer_id": party.id,
        "amount": story.amount(amount),
        "channel": "transferencia",
        "reference": f"TRF-{party.external_id}-{story.figures['pagos reportados']}",
        "paid_on": now.astimezone(story.operator.zone).date().isoformat(),
    }
    made = await story.people.post(party.agent, "/billing/payments", body)
    return str(made["id"])


async def confirm_payment(story: Story, payment_id: str) -> None:
    """Billing finds the money in the bank."""
    await story.people.post(story.people.with_permission("billing.payments", desk="facturacion"), f"/billing/payments/{payment_id}/confirm")
