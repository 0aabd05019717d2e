"""The fourth chapter: whoever pays or agrees something is switched on again, and goes to the status that was negotiated."""

from decimal import Decimal

from services.demo.bank import Deposits, import_until
from services.demo.cuts import work_ticket
from services.demo.opening import count_messages
from services.demo.story import Party, Story
from services.demo.talks import confirm_payment, report_payment


async def tell(story: Story, deposits: Deposits) -> None:
    """Reconnections to the three statuses, own delivery and by third parties."""
    story.title("29 al 31 de marzo · reconexiones")
    await story.until(29, 10)
    own = [*story.playing("incumple"), *story.playing("corte")]
    for basis, party in zip(("payment", "payment_plan", "review"), own, strict=False):
        await _return(story, party, basis)
    for party in story.playing("corte por terceros"):
        await _return(story, party, "payment")
        await work_ticket(story, party, {})
        await _show(story, party)
    await story.until(31, 17)
    await import_until(story, deposits, 31)
    await story.until(31, 18)
    back = await count_messages(story, "reconexion_residencial_cliente")
    if back:
        story.figures["residenciales reconectados"] = back
        story.say(f"{back} residenciales pagaron después del corte y el sistema los reconectó solo")


async def _return(story: Story, party: Party, basis: str) -> None:
    """VIP-20: the customer reports a payment, agrees a plan, or has its invoice reviewed; then its agent asks for the reconnection."""
    assert party.agent is not None
    if basis == "payment":
        payment = await report_payment(story, party, party.owed)
    elif basis == "payment_plan":
        half = (party.owed / 2).quantize(Decimal("0.01"))
        parts = [(45, half), (60, party.owed - half)]
        body = {"instalments": [{"due_at": story.at(day, 17).isoformat(), "amount": story.amount(amount)} for day, amount in parts]}
        await story.people.post(party.agent, f"/collections/customers/{party.id}/payment-plans", body)
        story.figures["planes de pago"] += 1
    else:
        reason = "El cliente reclama un cargo de la factura; facturación lo revisa."
        await story.people.post(party.agent, f"/collections/customers/{party.id}/reviews", {"reason": reason})
    await story.settle()
    await story.people.post(party.agent, f"/collections/customers/{party.id}/reconnections", {"basis": basis})
    await story.settle()
    if party.delivery == "own":
        await _show(story, party)
    if basis == "payment" and party.delivery == "own":
        await confirm_payment(story, payment)
        await story.settle()
        await _show(story, party)


async def _show(story: Story, party: Party) -> None:
    assert party.agent is not None
    account = await story.people.get(party.agent, f"/collections/customers/{party.id}")
    story.say(f"{party.name}: {account['status']['label']}")
