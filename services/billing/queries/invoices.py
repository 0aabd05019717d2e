"""Reads of invoices and payments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.billing.models import Customer, FiscalSeries, Invoice, InvoiceLine, Payment, PaymentAllocation
from services.billing.models.invoices import UNJUDGED
from services.billing.rules.fiscal import fiscal_range
from services.billing.rules.states import InvoiceState
from shared.db import rows
from shared.errors import NotFound
from shared.events.billing import InvoiceIssued
from shared.events.billing import InvoiceLine as InvoiceLineTold
from shared.sorting import Order, Placed, Sorting, amount, day, identity, instant, text

INVOICES = Sorting(
    "id",
    identity("invoice.id"),
    id=identity("invoice.id"),
    number=text("invoice.number", indexed=True),
    period=text("invoice.period", cast="bpchar", indexed=True),
    state=text("invoice.state", indexed=True),
    issue_date=day("invoice.issue_date"),
    due_date=day("invoice.due_date"),
    total=amount("invoice.total"),
    balance=amount("invoice.balance"),
    reported=amount("invoice.reported"),
    credited=amount("invoice.credited"),
    disputed=amount("invoice.disputed"),
    overdue_at=instant("invoice.overdue_at", empty=True),
    paid_at=instant("invoice.paid_at", empty=True),
)
PAYMENTS = Sorting(
    "id",
    identity("payment.id"),
    id=identity("payment.id"),
    state=text("payment.state", indexed=True),
    amount=amount("payment.amount"),
    unallocated=amount("payment.unallocated"),
    channel=text("payment.channel"),
    reference=text("payment.reference"),
    paid_on=day("payment.paid_on"),
    reported_at=instant("payment.reported_at"),
    reported_by=text("payment.reported_by"),
    settled_at=instant("payment.settled_at", empty=True),
)


@dataclass(frozen=True)
class Fiscal:
    """What the tax authority wants on an invoice."""

    authorization_code: str
    range: str
    expires: date


@dataclass(frozen=True)
class InvoiceView:
    """An invoice with all that is printed on it."""

    invoice: Invoice
    customer: Customer
    lines: Sequence[InvoiceLine]
    fiscal: Fiscal | None


@dataclass(frozen=True)
class PaymentView:
    """A payment and where it went."""

    payment: Payment
    allocations: Sequence[PaymentAllocation]


async def next_due_end(session: AsyncSession) -> datetime | None:
    """The earliest end of a due day (UTC) of an invoice that somebody still owes and that was not judged yet."""
    found = await rows(session, f"SELECT min(due_ends_at) AS at FROM invoice WHERE {UNJUDGED}")
    return found[0].at  # type: ignore[no-any-return]


async def get_invoice(session: AsyncSession, invoice_id: UUID) -> InvoiceView:
    """An invoice, its lines, its customer and its fiscal series. Raises NotFound."""
    invoice = await session.get(Invoice, invoice_id)
    if invoice is None:
        raise NotFound(f"No existe la factura {invoice_id}.")
    customer = await session.get_one(Customer, invoice.customer_id)
    query = select(InvoiceLine).where(InvoiceLine.invoice_id == invoice_id).order_by(col(InvoiceLine.number))
    lines = (await session.execute(query)).scalars().all()
    series = await session.get(FiscalSeries, invoice.fiscal_series_id) if invoice.fiscal_series_id else None
    return InvoiceView(invoice, customer, lines, fiscal_of(series) if series else None)


def fiscal_of(series: FiscalSeries) -> Fiscal:
    """What a document with a number of this series must say."""
    printed = fiscal_range(series.prefix, series.digits, series.from_number, series.to_number)
    return Fiscal(series.authorization_code, printed, series.expires)


def printed_invoice(view: InvoiceView) -> dict[str, Any]:
    """What `shared.pdf` prints: the InvoiceIssued event's data, the customer beside it, whether it still counts, since when it is paid."""
    invoice, fiscal = view.invoice, view.fiscal
    fields = {"customer_id", "number", "origin", "period", "issue_date", "due_date", "base", "tax", "total", "balance", "currency", "fee"}
    event = InvoiceIssued(
        invoice_id=invoice.id,
        fiscal_code=fiscal.authorization_code if fiscal else None,
        fiscal_range=fiscal.range if fiscal else None,
        fiscal_expires=fiscal.expires if fiscal else None,
        lines=[InvoiceLineTold.model_validate(each, from_attributes=True) for each in view.lines],
        **invoice.model_dump(include=fields),
    )
    who = printed_customer(view.customer)
    paid_at = invoice.paid_at.isoformat() if invoice.paid_at and invoice.state == InvoiceState.PAID else None
    return {**event.model_dump(mode="json"), "customer": who, "voided": invoice.state == InvoiceState.VOIDED, "paid_at": paid_at}


def printed_customer(customer: Customer) -> dict[str, Any]:
    """The customer as documents name it."""
    email = next((each["email"] for each in customer.contacts if each.get("email")), None)
    return {
        "name": customer.name,
        "external_id": customer.external_id,
        "tax_id": customer.tax_id,
        "agent": customer.assigned_agent,
        "email": email,
    }


async def find_invoices(
    session: AsyncSession,
    order: Order,
    *,
    customer_id: UUID | None = None,
    period: str | None = None,
    state: str | None = None,
    number: str | None = None,
) -> list[Placed[Invoice]]:
    """Invoices."""
    query = select(Invoice)
    wanted = {Invoice.customer_id: customer_id, Invoice.period: period, Invoice.state: state, Invoice.number: number}
    for column, value in wanted.items():
        if value is not None:
            query = query.where(col(column) == value)
    return await order.select(session, query)


async def get_payment(session: AsyncSession, payment_id: UUID) -> PaymentView:
    """A payment and where it went. Raises NotFound."""
    payment = await session.get(Payment, payment_id, populate_existing=True)
    if payment is None:
        raise NotFound(f"No existe el pago {payment_id}.")
    query = select(PaymentAllocation).where(PaymentAllocation.payment_id == payment_id).order_by(col(PaymentAllocation.invoice_id))
    return PaymentView(payment, (await session.execute(query)).scalars().all())


async def find_payments(
    session: AsyncSession, order: Order, *, customer_id: UUID | None = None, state: str | None = None
) -> list[Placed[PaymentView]]:
    """Payments, each with where it went."""
    query = select(Payment)
    if customer_id is not None:
        query = query.where(Payment.customer_id == customer_id)
    if state is not None:
        query = query.where(Payment.state == state)
    found: list[Placed[Payment]] = await order.select(session, query)
    wanted = col(PaymentAllocation.payment_id).in_([each.item.id for each in found])
    parts = (await session.execute(select(PaymentAllocation).where(wanted).order_by(col(PaymentAllocation.invoice_id)))).scalars().all()
    return [each.now(PaymentView(each.item, [part for part in parts if part.payment_id == each.item.id])) for each in found]
