"""Credit notes and disputes."""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

import pytest

from services.billing.operations.invoices import void_invoice
from shared.db import new_id, rows
from shared.errors import Conflict, NotFound, Refused
from shared.events.billing import CreditNoteIssued, DisputeOpened, DisputeResolved, InvoicePaid, PaymentAllocated
from tests.billing.books import Book, line, local, report
from tests.billing.money import MONTH, ZERO, confirm, credit, dispute, invoice_of, owed, resolve, reverse
from tests.support.rules import rule
from tests.support.service import Served


@pytest.fixture
async def month(billing: Served, book: Book) -> Served:
    """March 3: C-1 and C-2 have their invoices of the month, C-1 owes February too."""
    february = {"factura": "A-1", "mes": "2026-02", "emitida": "2026-02-01", "vence": "2026-02-10", "total": "45.89", "debe": "30.00"}
    await book.customers(billing, line(id="C-1", **february), line(id="C-2"))
    await billing.at(local("2026-03-03"))
    return billing


async def at_once(billing: Served, held: str, *work: Coroutine[Any, Any, Any]) -> list[Any]:
    """Let these run until each waits for the rows of a statement, then go on. Answers what came of each, errors too."""
    async with asyncio.timeout(20), billing.runtime.database.transaction() as session:
        await rows(session, held)
        running = [asyncio.create_task(each) for each in work]
        while not await billing.waits(len(running)):
            await asyncio.sleep(0.02)
    return await asyncio.gather(*running, return_exceptions=True)


@rule("FISCAL-1")
async def test_two_notes_at_once_have_two_numbers_and_no_gap(month: Served) -> None:
    notes = [credit(month, await invoice_of(month, who), "1.00") for who in ("C-1", "C-2")]
    found = await at_once(month, "SELECT 1 FROM fiscal_series FOR UPDATE", *notes)
    assert sorted(each.number for each in found) == ["000-001-03-00000001", "000-001-03-00000002"]


@rule("FACT-4")
async def test_two_who_decide_one_dispute_at_once_decide_it_once(month: Served) -> None:
    kept = await dispute(month, await invoice_of(month, "C-1"), "10.00")
    found = await at_once(month, "SELECT 1 FROM customer FOR UPDATE", resolve(month, kept.id, True), resolve(month, kept.id, False))
    assert sorted(type(each).__name__ for each in found) == ["Conflict", "Dispute"]
    assert len(await month.published(DisputeResolved)) == 1


async def test_what_happens_to_a_paid_invoice_does_not_change_when_it_was_paid(month: Served) -> None:
    await confirm(month, await report(month, "C-2", "45.89", "R-1"))
    paid = "SELECT paid_at FROM invoice WHERE state = 'PAID'"
    [before] = await month.sql(paid)
    await month.at(local("2026-03-05"))
    await dispute(month, await invoice_of(month, "C-2"), "10.00")
    assert list(await month.sql(paid)) == [before]


@rule("FACT-3", "FISCAL-1")
async def test_a_credit_note_takes_back_part_of_an_invoice_with_a_number_of_its_own(month: Served) -> None:
    note = await credit(month, await invoice_of(month, "C-2"), "11.50")
    assert (note.number, note.base, note.tax, note.total) == (
        "000-001-03-00000001",
        Decimal("10.0000"),
        Decimal("1.5000"),
        Decimal("11.5000"),
    )
    assert await owed(month, "C-2") == [("2026-03", Decimal("34.3900"), ZERO, "OPEN")]
    told = (await month.published(CreditNoteIssued))[0].event
    assert (told.amount, told.open_after, told.freed) == (Decimal("11.5000"), Decimal("34.3900"), [])
    rest = await credit(month, await invoice_of(month, "C-2"), None)
    assert (rest.number[-1], rest.total) == ("2", Decimal("34.3900"))
    assert await owed(month, "C-2") == [("2026-03", ZERO, ZERO, "PAID")]
    assert len(await month.published(InvoicePaid)) == 1
    with pytest.raises(Refused, match=r"a lo sumo \$0\.00"):
        await credit(month, await invoice_of(month, "C-2"), "0.01")


@rule("FACT-3")
async def test_what_was_paid_becomes_credit_and_pays_the_next_invoice(month: Served) -> None:
    payment = await report(month, "C-2", "45.89", "R-1")
    await confirm(month, payment)
    await credit(month, await invoice_of(month, "C-2"), "20.00")
    told = (await month.published(CreditNoteIssued))[0].event
    assert [(each.payment_id, each.amount) for each in told.freed] == [(payment, Decimal("20.0000"))]
    assert (await month.sql("SELECT unallocated FROM payment"))[0].unallocated == Decimal("20.0000")
    await month.at(local("2026-04-02"))
    assert await owed(month, "C-2") == [("2026-03", ZERO, ZERO, "PAID"), ("2026-04", Decimal("25.8900"), ZERO, "OPEN")]


async def test_freed_money_goes_to_what_else_is_open_and_a_reversal_afterwards_adds_up(month: Served) -> None:
    march = await invoice_of(month, "C-1")
    payment = await report(month, "C-1", "45.89", "R-1", invoice_id=march)
    await confirm(month, payment)
    await credit(month, march, None)
    assert await owed(month, "C-1") == [("2026-02", ZERO, ZERO, "PAID"), ("2026-03", ZERO, ZERO, "PAID")]
    moved = (await month.published(PaymentAllocated))[-1].event
    assert (moved.payment_id, moved.allocations[0].amount) == (payment, Decimal("30.0000"))
    await reverse(month, payment)
    assert await owed(month, "C-1") == [("2026-02", Decimal("30.0000"), ZERO, "OPEN"), ("2026-03", ZERO, ZERO, "PAID")]


async def test_an_invoice_brought_along_is_credited_at_most_by_what_is_owed_of_it(month: Served) -> None:
    with pytest.raises(Refused, match=r"a lo sumo \$30\.00"):
        await credit(month, await invoice_of(month, "C-1", "2026-02"), "30.01")
    note = await credit(month, await invoice_of(month, "C-1", "2026-02"), "30.00")
    assert (note.base, note.tax) == (Decimal("30.0000"), ZERO)


async def test_a_credited_or_voided_invoice_is_not_touched_twice(month: Served) -> None:
    invoice = await invoice_of(month, "C-2")
    await credit(month, invoice, "1.00")
    async with month.runtime.database.transaction() as session:
        with pytest.raises(Refused, match="tiene notas de crédito"):
            await void_invoice(session, invoice_id=invoice, reason="No", now=await month.now())
    other = await invoice_of(month, "C-1")
    async with month.runtime.database.transaction() as session:
        await void_invoice(session, invoice_id=other, reason="No", now=await month.now())
    with pytest.raises(Refused, match="está anulada"):
        await credit(month, other, "1.00")
    with pytest.raises(NotFound):
        await credit(month, new_id(), "1.00")


@rule("FACT-4")
async def test_a_disputed_amount_is_paid_last_and_an_accepted_one_is_credited(month: Served) -> None:
    february = await invoice_of(month, "C-1", "2026-02")
    kept = await dispute(month, february, "10.00")
    assert (await month.published(DisputeOpened))[0].event.amount == Decimal("10.0000")
    await report(month, "C-1", "65.89", "R-1")  # all but what is disputed
    assert await owed(month, "C-1") == [
        ("2026-02", Decimal("30.0000"), Decimal("20.0000"), "OPEN"),
        ("2026-03", MONTH, MONTH, "OPEN"),
    ]
    with pytest.raises(Refused, match=r"a lo sumo \$20\.00"):  # what is disputed waits for the decision
        await credit(month, february, "20.01")
    resolved = await resolve(month, kept.id, True)
    assert (resolved.state, resolved.credit_note_id is not None) == ("ACCEPTED", True)
    assert (await owed(month, "C-1"))[0] == ("2026-02", Decimal("20.0000"), Decimal("20.0000"), "OPEN")
    told = await month.published(CreditNoteIssued, DisputeResolved)
    assert [each.type for each in told] == [CreditNoteIssued.TYPE, DisputeResolved.TYPE]
    assert (told[0].event.open_after, told[1].event.outcome, told[1].sequence) == (0, "accepted", 2)
    with pytest.raises(Conflict, match="ya está resuelta"):
        await resolve(month, kept.id, False)


@rule("FACT-4")
async def test_a_rejected_dispute_is_owed_and_disputes_never_exceed_the_invoice(month: Served) -> None:
    invoice = await invoice_of(month, "C-2")
    first = await dispute(month, invoice, "40.00")
    with pytest.raises(Refused, match=r"a lo sumo \$5\.89"):
        await dispute(month, invoice, "5.90")
    await dispute(month, invoice, "5.89")
    await resolve(month, first.id, False)
    assert (await month.published(DisputeResolved))[0].event.outcome == "rejected"
    assert (await month.sql("SELECT disputed FROM invoice WHERE id = $1", invoice))[0].disputed == Decimal("5.8900")
    assert await owed(month, "C-2") == [("2026-03", MONTH, ZERO, "OPEN")]


async def test_a_paid_invoice_may_be_disputed_and_what_is_accepted_becomes_credit(month: Served) -> None:
    payment = await report(month, "C-2", "45.89", "R-1")
    await confirm(month, payment)
    kept = await dispute(month, await invoice_of(month, "C-2"), "15.00")
    await resolve(month, kept.id, True)
    assert (await month.sql("SELECT unallocated FROM payment"))[0].unallocated == Decimal("15.0000")
