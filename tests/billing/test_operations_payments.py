"""Payments: reported, confirmed, rejected, refused."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from services.billing.operations import payments
from services.billing.operations.new_payments import NewPayment
from shared.db import new_id
from shared.errors import Conflict, Invalid, NotFound, Refused
from shared.events.billing import InvoicePaid, PaymentAllocated, PaymentConfirmed, PaymentRejected, PaymentReported
from tests.billing.books import Book, line, local, report, vip
from tests.support.rules import rule
from tests.support.service import Served

MONTH = Decimal("45.8900")  # Hogar 50 with tax
ZERO = Decimal(0)


@pytest.fixture
async def month(billing: Served, book: Book) -> Served:
    """March 3: C-1 and C-2 have their invoices of the month, C-1 owes February too."""
    february = {"factura": "A-1", "mes": "2026-02", "emitida": "2026-02-01", "vence": "2026-02-10", "total": "45.89"}
    await book.customers(billing, line(id="C-1", **february), line(id="C-2"), vip(id="V-1"))
    await billing.at(local("2026-03-03"))
    return billing


async def confirm(billing: Served, payment_id: UUID) -> None:
    async with billing.runtime.database.transaction() as session:
        await payments.confirm_payment(session, payment_id=payment_id, by="ines.reyes", now=await billing.now())


async def reject(billing: Served, payment_id: UUID) -> None:
    async with billing.runtime.database.transaction() as session:
        await payments.reject_payment(session, payment_id=payment_id, reason="Cheque devuelto", by="ines.reyes", now=await billing.now())


async def owed(billing: Served, external_id: str) -> list[tuple[str, Decimal, Decimal, str]]:
    """Month, balance, reported and state of the customer's invoices."""
    found = await billing.sql(
        "SELECT i.period, i.balance, i.reported, i.state FROM invoice i JOIN customer c ON c.id = i.customer_id "
        "WHERE c.external_id = $1 ORDER BY i.due_date",
        external_id,
    )
    return [(row.period, row.balance, row.reported, row.state) for row in found]


async def invoice_of(billing: Served, external_id: str) -> UUID:
    """The customer's invoice of March."""
    sql = "SELECT i.id FROM invoice i JOIN customer c ON c.id = i.customer_id WHERE c.external_id = $1 AND i.period = '2026-03'"
    found: UUID = (await billing.sql(sql, external_id))[0].id
    return found


@rule("VIP-12", "VIP-20")
async def test_a_reported_payment_counts_at_once(month: Served) -> None:
    await report(month, "C-2", "45.89", "R-1")
    event = (await month.published(PaymentReported))[0].event
    assert (event.open_after, [each.amount for each in event.allocations], event.reported_by) == (0, [MONTH], "ana.martinez")
    assert await owed(month, "C-2") == [("2026-03", MONTH, MONTH, "OPEN")]


async def test_the_oldest_invoice_is_paid_first_unless_one_is_named(month: Served) -> None:
    await report(month, "C-1", "50.00", "R-1")
    assert [row[2] for row in await owed(month, "C-1")] == [MONTH, Decimal("4.1100")]
    named = await invoice_of(month, "C-1")
    await report(month, "C-1", "10.00", "R-2", invoice_id=named)
    assert [row[2] for row in await owed(month, "C-1")] == [MONTH, Decimal("14.1100")]
    assert [each.event.open_after for each in await month.published(PaymentReported)] == [Decimal("41.7800"), Decimal("31.7800")]


async def test_a_confirmed_payment_pays(month: Served) -> None:
    payment = await report(month, "C-1", "60.00", "R-1")
    await confirm(month, payment)
    assert await owed(month, "C-1") == [("2026-02", ZERO, ZERO, "PAID"), ("2026-03", Decimal("31.7800"), ZERO, "OPEN")]
    told = await month.published(PaymentReported, PaymentConfirmed, InvoicePaid)
    assert [each.type for each in told] == [PaymentReported.TYPE, PaymentConfirmed.TYPE, InvoicePaid.TYPE]
    assert [(each.subject.split("/")[0], each.sequence) for each in told[:2]] == [("payment", 1), ("payment", 2)]
    with pytest.raises(Conflict, match="ya está confirmado"):
        await confirm(month, payment)
    with pytest.raises(Conflict, match="ya está confirmado"):
        await reject(month, payment)


async def test_a_rejected_payment_is_owed_again_and_may_be_reported_again(month: Served) -> None:
    await reject(month, await report(month, "C-2", "45.89", "R-1"))
    event = (await month.published(PaymentRejected))[0].event
    assert (event.open_after, [each.amount for each in event.allocations]) == (MONTH, [MONTH])
    assert await owed(month, "C-2") == [("2026-03", MONTH, ZERO, "OPEN")]
    await report(month, "C-2", "45.89", "R-1")
    assert await owed(month, "C-2") == [("2026-03", MONTH, MONTH, "OPEN")]


async def test_too_much_is_kept_for_the_next_invoice_and_confirmed_before_it_is_there(month: Served) -> None:
    payment = await report(month, "C-2", "100.00", "R-1")
    await confirm(month, payment)
    assert (await month.sql("SELECT unallocated FROM payment"))[0].unallocated == Decimal("54.1100")
    await month.at(local("2026-04-02"))
    assert [row[1:] for row in await owed(month, "C-2")] == [(ZERO, ZERO, "PAID"), (ZERO, ZERO, "PAID")]
    moved = (await month.published(PaymentAllocated))[0].event
    assert (moved.confirmed, moved.open_after) == (True, 0)


async def test_a_rejection_lets_another_payments_rest_step_in(month: Served) -> None:
    first = await report(month, "C-2", "45.89", "R-1")
    await report(month, "C-2", "20.00", "R-2")
    await reject(month, first)
    assert await owed(month, "C-2") == [("2026-03", MONTH, Decimal("20.0000"), "OPEN")]
    assert (await month.published(PaymentAllocated))[0].event.open_after == Decimal("25.8900")
    assert (await month.published(PaymentRejected))[0].event.open_after == Decimal("25.8900")


@rule("PAGO-1")
@pytest.mark.parametrize(
    ("external_id", "reference", "channel"), [("C-2", "R-1", "banco"), ("C-1", "r-1", "BANCO")], ids=["the same customer", "another one"]
)
async def test_the_same_reference_twice_is_refused(month: Served, external_id: str, reference: str, channel: str) -> None:
    await report(month, "C-2", "10.00", "R-1")
    with pytest.raises(Refused, match="ya está registrada") as caught:
        await report(month, external_id, "20.00", reference, channel=channel)
    assert (caught.value.rule, bool(caught.value.remedy)) == ("PAGO-1", True)
    await report(month, "C-2", "20.00", "R-1", channel="caja")  # another channel has its own references


@rule("PAGO-1")
@pytest.mark.parametrize(
    ("amount", "options", "field"),
    [
        ("0", {}, "amount.amount"),
        ("-5.00", {}, "amount.amount"),
        ("5.001", {}, "amount.amount"),
        ("5.00", {"currency": "HNL"}, "amount.currency"),
        ("5.00", {"paid_on": local("2026-03-04").date()}, "paid_on"),
    ],
)
async def test_wrong_values_name_their_field_and_change_nothing(month: Served, amount: str, options: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        await report(month, "C-2", amount, "R-1", **options)
    assert [each.field for each in caught.value.errors] == [field]
    assert await month.sql("SELECT id FROM payment") == []


async def test_a_payment_for_another_customers_invoice_is_refused(month: Served) -> None:
    others = await invoice_of(month, "C-2")
    with pytest.raises(Refused, match="de otro cliente"):
        await report(month, "C-1", "45.89", "R-1", invoice_id=others)
    await confirm(month, await report(month, "C-2", "45.89", "R-2"))
    with pytest.raises(Refused, match="está pagada"):
        await report(month, "C-2", "45.89", "R-3", invoice_id=others)
    with pytest.raises(NotFound):
        await report(month, "C-2", "45.89", "R-3", invoice_id=new_id())


async def test_what_does_not_exist(month: Served) -> None:
    for work in (confirm, reject):
        with pytest.raises(NotFound):
            await work(month, new_id())
    today = local("2026-03-03").date()
    stranger = NewPayment(new_id(), "banco", "R-9", Decimal(1), "USD", today, "ana.martinez")
    async with month.runtime.database.transaction() as session:
        with pytest.raises(NotFound):
            await payments.report_payment(session, payment=stranger, today=today, now=await month.now())


@rule("PAGO-1")
async def test_one_reference_at_the_same_time_from_two_people_counts_once(month: Served) -> None:
    tries = await asyncio.gather(*(report(month, who, "10.00", "R-1") for who in ("C-1", "C-2", "V-1", "C-1")), return_exceptions=True)
    assert sum(isinstance(each, UUID) for each in tries) == 1
    assert all(isinstance(each, UUID | Conflict) for each in tries), tries
    assert len(await month.published(PaymentReported)) == 1


async def test_payments_of_one_customer_at_the_same_time_do_not_overpay_an_invoice(month: Served) -> None:
    made = await asyncio.gather(*(report(month, "C-2", "20.00", f"R-{n}") for n in range(4)))
    assert await owed(month, "C-2") == [("2026-03", MONTH, MONTH, "OPEN")]
    await asyncio.gather(*(confirm(month, each) for each in made))
    assert await owed(month, "C-2") == [("2026-03", ZERO, ZERO, "PAID")]
    opens = [each.event.open_after for each in await month.published(PaymentReported)]
    assert opens == [Decimal("25.8900"), Decimal("5.8900"), ZERO, ZERO]
    assert len(await month.published(InvoicePaid)) == 1
