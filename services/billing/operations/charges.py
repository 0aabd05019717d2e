"""Invoices between two runs: a fee, the rest of a month on another plan, a refund whose payment bounced afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import Customer, FiscalSeries, Invoice, InvoiceLine
from services.billing.operations.fiscal import sync_series, take_block
from services.billing.operations.payments import use_left_over
from services.billing.operations.terms import policy_terms
from services.billing.rules.fiscal import fiscal_number, fiscal_range
from services.billing.rules.periods import Period
from shared.bulk import insert, read
from shared.calendar import BusinessCalendar
from shared.db import execute, new_id, rows
from shared.errors import NotFound, Refused
from shared.events.billing import InvoiceIssued
from shared.events.billing import InvoiceLine as InvoiceLineTold
from shared.events.collections import FeeDue
from shared.money import round_money
from shared.operator import Operator
from shared.outbox import Outgoing, publish_many

RULE = "FACT-5"
Fee = Literal["late", "reconnection"]
POST = """
INSERT INTO posting (customer_id, invoice_id, debit, credit, amount, currency, posted_at)
SELECT i.customer_id, i.id, 'RECEIVABLE', t.credit, t.amount, i.currency, $2
FROM invoice i CROSS JOIN LATERAL (VALUES ('REVENUE', i.base), ('TAX', i.tax)) AS t(credit, amount)
WHERE i.id = ANY($1::uuid[]) AND t.amount > 0
"""
CHARGED = "SELECT customer_id, origin_key FROM invoice WHERE customer_id = ANY($1::uuid[]) AND origin_key = ANY($2::text[])"
NUMBERS = "SELECT id, number FROM invoice WHERE id = ANY($1::uuid[])"


@dataclass(frozen=True)
class Charge:
    """One line to be charged: the amount before tax, in the operator's currency, with its tax."""

    description: str
    base: Decimal
    tax_code: str
    tax_rate: Decimal
    tax: Decimal
    service_id: UUID | None = None


@dataclass(frozen=True)
class Charged:
    """What becomes one invoice of a customer. There is one of a `cause` for ever."""

    customer_id: UUID
    cause: str
    period: Period
    charges: Sequence[Charge]
    fee: Fee | None = None


async def issue_charges(session: AsyncSession, *, charged: Sequence[Charged], operator: Operator, now: datetime) -> None:
    """Invoices of these lines, due by their customers' policies, in the order given; none where there is one of the cause already.

    Raises NotFound for an unknown customer, Refused when no fiscal series suffices.
    """
    customers = await _lock_customers(session, [each.customer_id for each in charged])
    there = {(row.customer_id, row.origin_key) for row in await rows(session, CHARGED, list(customers), [each.cause for each in charged])}
    wanted = {(each.customer_id, each.cause): each for each in charged if (each.customer_id, each.cause) not in there}
    if not wanted:
        return
    issued = BusinessCalendar(operator).today(now)
    block = take_block(await sync_series(session, operator), count=len(wanted), issue_date=issued)
    invoices = [
        _invoice(customers[each.customer_id], each, block.series, number, operator, issued)
        for number, each in enumerate(wanted.values(), start=block.first)
    ]
    await insert(session, invoices)
    pairs = list(zip(invoices, wanted.values(), strict=True))
    lines = [_line(invoice, number, each) for invoice, of in pairs for number, each in enumerate(of.charges, start=1)]
    await insert(session, lines, key="invoice_id")
    await execute(session, POST, [each.id for each in invoices], now)
    await publish_many(session, [told_issued(invoice, of.charges, block.series) for invoice, of in pairs], now=now)
    await use_left_over(session, {each.customer_id for each in wanted.values()}, now=now, order=operator.payment_order)


async def _lock_customers(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Customer]:
    customers = await read(session, Customer, "WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", list(set(ids)))
    found = {each.id: each for each in customers}
    if strangers := set(ids) - found.keys():
        raise NotFound(f"No existe el cliente {min(strangers)}.")
    return found


async def charge_fees(session: AsyncSession, *, due: Sequence[FeeDue], operator: Operator, now: datetime) -> None:
    """The invoices of fees, once per `fee_id`. The amount is before tax; name and tax are the catalogue's.

    Raises Refused for a kind of fee that the catalogue does not know.
    """
    late = {row.id: row.number for row in await rows(session, NUMBERS, [each.invoice_id for each in due if each.invoice_id])}
    period = Period.of(BusinessCalendar(operator).today(now))
    charged = [Charged(each.customer_id, f"fee:{each.fee_id}", period, [_fee(each, late, operator)], each.kind) for each in due]
    await issue_charges(session, charged=charged, operator=operator, now=now)


def _fee(due: FeeDue, late: Mapping[UUID, str], operator: Operator) -> Charge:
    known = operator.fee(due.kind)
    if known is None:
        raise Refused(
            RULE, f"El catálogo no dice cómo se cobra el recargo «{due.kind}».", remedy="Agréguelo a `fees` en catalog/plans.yaml."
        )
    rate = operator.tax(known.tax).rate
    base = round_money(due.amount, operator.money_digits)
    number = late.get(due.invoice_id) if due.invoice_id else None
    text = f"{known.name} · factura {number}" if number else known.name
    return Charge(text, base, known.tax, rate, round_money(base * rate, operator.money_digits))


def _invoice(customer: Customer, charged: Charged, series: FiscalSeries, number: int, operator: Operator, issued: date) -> Invoice:
    found = new_invoice(customer, operator, charged.cause, charged.period, issued)
    found.fiscal_series_id, found.sequence, found.fee = series.id, number, charged.fee
    found.number = fiscal_number(series.prefix, series.digits, number)
    found.base, found.tax = (sum((getattr(each, part) for each in charged.charges), Decimal(0)) for part in ("base", "tax"))
    found.total = found.balance = found.base + found.tax
    return found


def new_invoice(customer: Customer, operator: Operator, cause: str, period: Period, issued: date) -> Invoice:
    """An invoice between two runs, without number and amounts; its due date is that of the customer's policy."""
    policies = policy_terms(operator)
    due = policies.get(customer.policy, policies[operator.default_policy]).due(issued)
    zero = Decimal(0)
    return Invoice(
        id=new_id(), customer_id=customer.id, origin="manual", origin_key=cause, number="", period=str(period), issue_date=issued,
        due_date=due, due_ends_at=BusinessCalendar(operator).end_of_day(due), base=zero, tax=zero, total=zero, balance=zero, reported=zero,
        currency=customer.currency,
    )  # fmt: skip


def told_issued(invoice: Invoice, charges: Sequence[Charge], series: FiscalSeries | None = None) -> Outgoing:
    """What is told of an invoice that was just written."""
    fields = {"customer_id", "number", "origin", "period", "issue_date", "due_date", "base", "tax", "total", "balance", "currency", "fee"}
    event = InvoiceIssued(
        invoice_id=invoice.id,
        **invoice.model_dump(include=fields),
        fiscal_code=series.authorization_code if series else None,
        fiscal_range=fiscal_range(series.prefix, series.digits, series.from_number, series.to_number) if series else None,
        fiscal_expires=series.expires if series else None,
        lines=[
            InvoiceLineTold(
                description=each.description, quantity=Decimal(1), base=each.base, tax_code=each.tax_code, tax_rate=each.tax_rate,
                tax=each.tax, total=each.base + each.tax,
            )
            for each in charges
        ],
    )  # fmt: skip
    return Outgoing(event, f"invoice/{invoice.id}", 1)


def _line(invoice: Invoice, number: int, charge: Charge) -> InvoiceLine:
    return InvoiceLine(
        invoice_id=invoice.id, number=number, quantity=Decimal(1), total=charge.base + charge.tax, currency=invoice.currency, **vars(charge)
    )
