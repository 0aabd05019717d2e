"""Payments that counted and count no longer, and money given back."""

from decimal import Decimal

import pytest

from shared.db import new_id
from shared.errors import Conflict, NotFound, Refused
from shared.events.billing import (
    CreditRefunded,
    InvoiceIssued,
    InvoicePaid,
    PaymentAllocated,
    PaymentConfirmed,
    PaymentReported,
    PaymentReversed,
)
from tests.billing.books import Book, customer_id, line, local, report
from tests.billing.money import MONTH, ZERO, confirm, move, owed, refund, reverse
from tests.support.rules import rule
from tests.support.service import Served


@pytest.fixture
async def month(billing: Served, book: Book) -> Served:
    """March 3, three customers with their invoices of the month; C-3 brought a credit of 10."""
    await book.customers(billing, line(id="C-1"), line(id="C-2"), line(id="C-3", saldo="-10.00"))
    await billing.at(local("2026-03-03"))
    return billing


@rule("PAGO-2")
async def test_a_bounced_payment_is_owed_again_although_it_was_confirmed(month: Served) -> None:
    payment = await report(month, "C-1", "45.89", "R-1")
    await confirm(month, payment)
    assert await owed(month, "C-1") == [("2026-03", ZERO, ZERO, "PAID")]
    await reverse(month, payment)
    assert await owed(month, "C-1") == [("2026-03", MONTH, ZERO, "OPEN")]
    told = (await month.published(PaymentReversed))[0]
    assert (told.sequence, told.event.open_after, told.event.moved_to) == (3, MONTH, None)
    assert [each.amount for each in told.event.allocations] == [MONTH]
    row = (await month.sql("SELECT state, settled_by, reversed_by, reject_reason FROM payment WHERE id = $1", payment))[0]
    assert tuple(row) == ("REVERSED", "ines.reyes", "ines.reyes", "Cheque devuelto")
    again = await report(month, "C-1", "45.89", "R-1")  # the same reference may be reported again
    await confirm(month, again)
    assert [each.sequence for each in await month.published(InvoicePaid)] == [2, 3]


async def test_what_others_had_left_over_steps_in(month: Served) -> None:
    first, second = await report(month, "C-1", "45.89", "R-1"), await report(month, "C-1", "60.00", "R-2")
    for each in (first, second):
        await confirm(month, each)
    await reverse(month, first)
    assert await owed(month, "C-1") == [("2026-03", ZERO, ZERO, "PAID")]
    assert [each.event.open_after for each in await month.published(PaymentReversed)] == [0]
    moved = (await month.published(PaymentAllocated))[-1].event
    assert (moved.payment_id, moved.confirmed, moved.allocations[0].amount) == (second, True, MONTH)
    assert [each.sequence for each in await month.published(InvoicePaid)] == [2, 3]  # paid, opened by the reversal, and paid again


async def test_what_cannot_be_reversed(month: Served) -> None:
    payment = await report(month, "C-1", "45.89", "R-1")
    with pytest.raises(Conflict, match="solo está reportado"):
        await reverse(month, payment)
    await confirm(month, payment)
    await reverse(month, payment)
    with pytest.raises(Conflict, match="ya está revertido"):
        await reverse(month, payment)
    with pytest.raises(Conflict, match="ya está revertido"):
        await move(month, payment, "C-2")
    with pytest.raises(NotFound):
        await reverse(month, new_id())
    opening = (await month.sql("SELECT id FROM payment WHERE channel = 'saldo inicial'"))[0].id
    with pytest.raises(Refused, match="saldo que el cliente traía"):
        await reverse(month, opening)


@rule("PAGO-2")
@pytest.mark.parametrize("confirmed", [True, False])
async def test_a_payment_of_the_wrong_customer_goes_to_the_right_one(month: Served, confirmed: bool) -> None:
    payment = await report(month, "C-1", "50.00", "R-1")
    reported_at = await month.now()
    if confirmed:
        await confirm(month, payment)
    await month.at(local("2026-03-20"))
    moved = await move(month, payment, "C-2")
    settled = ("2026-03", ZERO, ZERO, "PAID") if confirmed else ("2026-03", MONTH, MONTH, "OPEN")
    assert (await owed(month, "C-1"), await owed(month, "C-2")) == ([("2026-03", MONTH, ZERO, "OPEN")], [settled])
    back = (await month.published(PaymentReversed))[0].event
    right = await customer_id(month, "C-2")
    assert (back.customer_id, back.moved_to, back.open_after) == (await customer_id(month, "C-1"), right, MONTH)
    told = [each for each in await month.published(PaymentReported, PaymentConfirmed) if each.event.payment_id == moved]
    assert [(each.type, each.event.customer_id) for each in told] == [
        (kind.TYPE, right) for kind in ((PaymentReported, PaymentConfirmed) if confirmed else (PaymentReported,))
    ]
    assert told[0].event.reported_at == reported_at  # it was paid in time, whoever's name stood on it
    row = (await month.sql("SELECT moved_from, reference, unallocated FROM payment WHERE id = $1", moved))[0]
    assert tuple(row) == (payment, "R-1", Decimal("4.1100"))


async def test_what_cannot_be_moved(month: Served) -> None:
    payment = await report(month, "C-1", "60.00", "R-1")
    with pytest.raises(Refused, match="ya es de este cliente"):
        await move(month, payment, "C-1")
    await confirm(month, payment)
    await refund(month, "C-1", "5.00")
    with pytest.raises(Refused, match=r"ya se devolvieron 5\.00 USD"):
        await move(month, payment, "C-2")


@rule("PAGO-3")
async def test_what_is_left_over_may_be_given_back_once(month: Served) -> None:
    await report(month, "C-1", "60.00", "R-1")
    with pytest.raises(Refused, match=r"a favor \$0\.00"):  # only reported
        await refund(month, "C-1", "1.00")
    await confirm(month, (await month.sql("SELECT id FROM payment WHERE reference = 'R-1'"))[0].id)
    with pytest.raises(Refused, match=r"a favor \$14\.11"):
        await refund(month, "C-1", "14.12")
    await refund(month, "C-1", "14.11")
    with pytest.raises(Refused, match=r"a favor \$0\.00"):
        await refund(month, "C-1", "0.01")
    told = (await month.published(CreditRefunded))[0].event
    assert (told.amount, told.reference, told.refunded_by) == (Decimal("14.1100"), "TRF-1", "ines.reyes")
    await month.at(local("2026-04-02"))
    assert (await owed(month, "C-1"))[-1] == ("2026-04", MONTH, ZERO, "OPEN")


async def test_a_refund_of_a_payment_that_bounces_afterwards_is_owed(month: Served) -> None:
    payment = await report(month, "C-1", "60.00", "R-1")
    await confirm(month, payment)
    await refund(month, "C-1", "10.00")
    await reverse(month, payment)
    assert sorted(row[1] for row in await owed(month, "C-1")) == [Decimal("10.0000"), MONTH]
    issued = (await month.published(InvoiceIssued))[-1].event
    assert (issued.number, issued.origin, issued.total, issued.fiscal_code) == ("DEVUELTO-R-1", "manual", Decimal("10.0000"), None)
    assert (await month.published(PaymentReversed))[0].event.open_after == MONTH + 10
