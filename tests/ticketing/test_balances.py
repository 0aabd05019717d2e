"""What ticketing knows a customer owes: payments reported and bounced, credit notes, and what they mean for an order to cut."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from services.ticketing.models import Customer
from services.ticketing.queries.facts import look_up
from shared.db import new_id
from shared.events.billing import CreditNoteIssued, FreedPart, PaymentReversed
from shared.events.collections import RecoveryRequested
from tests.support.service import Served
from tests.ticketing.support import START, Debtor, story, ticketing, tickets


def note(mine: Debtor, amount: str, *freed: FreedPart) -> CreditNoteIssued:
    return CreditNoteIssued(
        credit_note_id=new_id(),
        customer_id=mine.id,
        invoice_id=mine.invoice_id,
        number="000-001-03-00000001",
        amount=Decimal(amount),
        currency="USD",
        reason="Servicio caído",
        issued_at=START,
        open_after=Decimal(0),
        freed=list(freed),
    )


async def owes(served: Served, customer: UUID) -> str:
    async with served.runtime.database.transaction() as session:
        found = await session.get(Customer, customer)
        assert found is not None
        balance = (await look_up(session, found))["balance"]
    assert balance["currency"] == "USD"
    return str(balance["amount"])


async def test_what_is_owed_follows_payments_reversals_and_credit_notes(database: Any) -> None:
    async with ticketing(await database("ticketing")) as served:
        mine = Debtor()
        await served.deliver(*mine.known())
        assert await owes(served, mine.id) == "575.00"
        paid = mine.reported()
        await served.deliver(paid)
        assert await owes(served, mine.id) == "0.00"
        # A note takes 75 off the invoice, and of the payment that lay there 75 are free.
        await served.deliver(note(mine, "75", FreedPart(payment_id=paid.payment_id, amount=Decimal(75))))
        assert await owes(served, mine.id) == "0.00"
        fields = {"payment_id", "customer_id", "amount", "currency", "reference", "allocations", "open_after"}
        await served.deliver(PaymentReversed(**paid.model_dump(include=fields), reversed_at=START, reason="Sin fondos"))
        assert await owes(served, mine.id) == "500.00"


async def test_a_credit_note_that_leaves_nothing_owed_takes_the_ground_from_an_order_to_cut(database: Any) -> None:
    async with ticketing(await database("ticketing")) as served:
        mine = Debtor(delivery="third_party")
        await served.deliver(*mine.known(), mine.requested())
        await served.deliver(note(mine, "500"))
        assert await story(served) == []
        await served.deliver(note(mine, "75"))
        assert await story(served) == ["SuspensionCancelled (withdrawn)"]


@pytest.mark.parametrize("by", ["what was left over", "a credit note"])
async def test_who_owes_nothing_any_more_is_not_collected_whatever_covered_the_debt(database: Any, by: str) -> None:
    async with ticketing(await database("ticketing")) as served:
        mine = Debtor()
        await served.deliver(*mine.known(), mine.requested())
        await served.work()
        case = RecoveryRequested(
            recovery_id=new_id(),
            procedure="retiro_servicio_vip",
            rule="VIP-16",
            requested_at=START,
            **mine.requested().model_dump(
                include=set(RecoveryRequested.model_fields) - {"recovery_id", "procedure", "rule", "requested_at"}
            ),
        )
        part = mine.reported(Decimal(500))
        await served.deliver(case, part)
        assert (await tickets(served))[1:] == [("RECOGER MES CLIENTE VIP", None)]
        await served.deliver(mine.allocated(part, Decimal(75)) if by == "what was left over" else note(mine, "75"))
        assert (await tickets(served))[1:] == [("RECOGER MES CLIENTE VIP", "paid")]
