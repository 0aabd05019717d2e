"""Invoices whose day ends, and invoices taken back."""

import asyncio
from decimal import Decimal
from uuid import UUID

import pytest

from services.billing.operations.invoices import mark_overdue, void_invoice
from shared.db import new_id
from shared.errors import NotFound, Refused
from shared.events.billing import InvoiceIssued, InvoiceOverdue, InvoicePaid, InvoiceVoided
from tests.billing.books import Book, line, local, report, vip
from tests.billing.test_operations_payments import confirm, invoice_of, reject
from tests.support.rules import rule
from tests.support.service import Served
from tests.support.transport import until


async def void(billing: Served, invoice_id: UUID) -> None:
    async with billing.runtime.database.transaction() as session:
        await void_invoice(session, invoice_id=invoice_id, reason="Servicio nunca instalado", now=await billing.now())


async def test_an_invoice_is_overdue_once_its_last_day_has_ended(billing: Served, book: Book) -> None:
    await book.customers(billing, vip(id="V-1"), line(id="C-1"))
    await billing.at(local("2026-03-05", "23:59"))
    assert await billing.published(InvoiceOverdue) == []
    await billing.at(local("2026-03-06", "00:00"))
    told = [each.event for each in await billing.published(InvoiceOverdue)]
    assert [(each.number, each.balance) for each in told] == [("000-001-01-00000001", Decimal("897.0000"))]
    await billing.at(local("2026-03-31"))
    assert [str(each.event.due_date) for each in await billing.published(InvoiceOverdue)] == ["2026-03-05", "2026-03-10"]


async def test_what_was_reported_in_time_is_not_overdue_until_it_is_rejected(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"), line(id="C-2"))
    await billing.at(local("2026-03-03"))
    paid = await report(billing, "C-1", "45.89", "R-1")
    await report(billing, "C-2", "40.00", "R-2")
    await billing.at(local("2026-03-20"))
    assert [each.event.balance for each in await billing.published(InvoiceOverdue)] == [Decimal("5.8900")]
    await reject(billing, paid)
    await billing.work()
    assert [each.event.balance for each in await billing.published(InvoiceOverdue)] == [Decimal("5.8900"), Decimal("45.8900")]


async def test_a_payment_that_meets_the_end_of_the_day_goes_on_from_its_version(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"))
    await billing.at(local("2026-03-03"))
    async with billing.runtime.database.transaction() as session:
        assert await mark_overdue(session, now=local("2026-03-11")) == 1
        paying = asyncio.create_task(report(billing, "C-1", "45.89", "R-1"))
        await until(billing.waits)
    await confirm(billing, await paying)
    assert [each.sequence for each in await billing.published(InvoiceIssued, InvoiceOverdue, InvoicePaid)] == [1, 2, 3]


async def test_two_who_tell_at_once_that_a_day_has_ended_tell_it_once_and_wake_the_relay(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"))
    await billing.at(local("2026-03-03"))
    database = billing.runtime.database
    bell = database.wakeup.bell("relay")
    async with database.transaction() as first, asyncio.timeout(10):
        assert await mark_overdue(first, now=local("2026-03-11")) == 1
        async with database.transaction() as second:
            assert await mark_overdue(second, now=local("2026-03-11")) == 0
    assert bell.is_set()
    assert len(await billing.published(InvoiceOverdue)) == 1


@rule("FACT-2", "FACT-2")
async def test_an_invoice_brought_along_overdue_is_told_so_at_once(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1", factura="A-1", emitida="2026-02-01", vence="2026-02-10", total="45.89"))
    await billing.work()
    assert [each.event.number for each in await billing.published(InvoiceOverdue)] == ["A-1"]


async def test_a_voided_invoice_is_not_owed_and_its_number_stays_used(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"), line(id="C-2"))
    await billing.at(local("2026-03-01"))
    await void(billing, await invoice_of(billing, "C-1"))
    told = (await billing.published(InvoiceVoided))[0]
    assert (told.event.number, told.event.reason, told.sequence) == ("000-001-01-00000001", "Servicio nunca instalado", 2)
    with pytest.raises(Refused, match="ya está anulada"):
        await void(billing, await invoice_of(billing, "C-1"))
    await billing.at(local("2026-04-01"))
    found = await billing.sql("SELECT i.sequence, i.state FROM invoice i ORDER BY i.sequence")
    assert [tuple(row) for row in found] == [(1, "VOIDED"), (2, "OPEN"), (3, "OPEN"), (4, "OPEN")]
    assert {each.event.number for each in await billing.published(InvoiceOverdue)} == {"000-001-01-00000002"}


async def test_an_invoice_with_payments_is_not_voided(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"), line(id="C-2"))
    await billing.at(local("2026-03-01"))
    first = await report(billing, "C-1", "10.00", "R-1")
    await confirm(billing, await report(billing, "C-2", "10.00", "R-2"))
    for external_id in ("C-1", "C-2"):
        with pytest.raises(Refused, match="tiene pagos aplicados") as caught:
            await void(billing, await invoice_of(billing, external_id))
        assert caught.value.rule == "FACT-2"
    await reject(billing, first)
    await void(billing, await invoice_of(billing, "C-1"))
    with pytest.raises(NotFound):
        await void(billing, new_id())


async def test_a_posting_is_never_changed(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"))
    await billing.at(local("2026-03-01"))
    for statement in ("UPDATE posting SET amount = 1 RETURNING id", "DELETE FROM posting RETURNING id"):
        with pytest.raises(Exception, match="postings are never changed"):
            await billing.sql(statement)
