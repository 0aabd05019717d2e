"""Invoices between two runs: a fee, the rest of a month on another plan, a refund whose payment bounced afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import Customer, Invoice, InvoiceLine
from services.billing.operations.fiscal import Block, sync_series, take_block
from services.billing.operations.payments import use_left_over
from services.billing.operations.terms import policy_terms
from services.billing.rules.fiscal import fiscal_number, fiscal_range
from services.billing.rules.periods import Period
from shared.calendar import BusinessCalendar
from shared.db import execute, lock, rows
from shared.errors import Refused
from shared.events.billing import InvoiceIssued
from shared.events.billing import InvoiceLine as InvoiceLineTold
from shared.money import round_money
from shared.operator import Operator
from shared.outbox import publish

RULE = "FACT-5"
Fee = Literal["late", "reconnection"]
POST = """
INSERT INTO posting (customer_id, invoice_id, debit, credit, amount, currency, posted_at)
SELECT i.customer_id, i.id, 'RECEIVABLE', t.credit, t.amount, i.currency, $2
FROM invoice i CROSS JOIN LATERAL (VALUES ('REVENUE', i.base), ('TAX', i.tax)) AS t(credit, amount) WHERE i.id = $1 AND t.amount > 0
"""


@dataclass(frozen=True)
class Charge:
    """One line to be charged: the amount before tax, in the operator's currency, with its tax."""

    description: str
    base: Decimal
    tax_code: str
    tax_rate: Decimal
    tax: Decimal
    service_id: UUID | None = None


async def issue_charges(
    session: AsyncSession,
    *,
    customer_id: UUID,
    operator: Operator,
    cause: str,
    period: Period,
    charges: Sequence[Charge],
    now: datetime,
    fee: Fee | None = None,
) -> Invoice | None:
    """An invoice of these lines, due by the customer's policy. One per `cause` for ever: None when it is there already.

    Raises NotFound for an unknown customer, Refused when no fiscal series suffices.
    """
    customer = await lock(session, Customer, customer_id)
    if await rows(session, "SELECT 1 FROM invoice WHERE customer_id = $1 AND origin_key = $2", customer_id, cause):
        return None
    issued = BusinessCalendar(operator).today(now)
    block = take_block(await sync_series(session, operator), count=1, issue_date=issued)
    series = block.series
    invoice = new_invoice(customer, operator, cause, period, issued)
    invoice.fiscal_series_id, invoice.sequence, invoice.fee = series.id, block.first, fee
    invoice.number = fiscal_number(series.prefix, series.digits, block.first)
    invoice.base, invoice.tax = sum((each.base for each in charges), Decimal(0)), sum((each.tax for each in charges), Decimal(0))
    invoice.total = invoice.balance = invoice.base + invoice.tax
    session.add(invoice)
    await session.flush()
    session.add_all(_line(invoice, number, each) for number, each in enumerate(charges, start=1))
    await session.flush()
    await execute(session, POST, invoice.id, now)
    await tell_issued(session, invoice, charges, now=now, block=block)
    await use_left_over(session, [customer_id], now=now, order=operator.payment_order)
    return invoice


async def charge_fee(
    session: AsyncSession,
    *,
    fee_id: UUID,
    customer_id: UUID,
    kind: Fee,
    amount: Decimal,
    about: UUID | None,
    operator: Operator,
    now: datetime,
) -> None:
    """The invoice of a fee, once per `fee_id`. `amount` is before tax; name and tax are the catalogue's; `about` is the invoice
    that is late.

    Raises Refused for a kind of fee that the catalogue does not know.
    """
    known = operator.fee(kind)
    if known is None:
        raise Refused(RULE, f"El catálogo no dice cómo se cobra el recargo «{kind}».", remedy="Agréguelo a `fees` en catalog/plans.yaml.")
    rate = operator.tax(known.tax).rate
    base = round_money(amount, operator.money_digits)
    late = await rows(session, "SELECT number FROM invoice WHERE id = $1", about) if about else []
    text = f"{known.name} · factura {late[0].number}" if late else known.name
    charge = Charge(text, base, known.tax, rate, round_money(base * rate, operator.money_digits))
    period = Period.of(BusinessCalendar(operator).today(now))
    await issue_charges(
        session, customer_id=customer_id, operator=operator, cause=f"fee:{fee_id}", period=period, charges=[charge], now=now, fee=kind
    )


def new_invoice(customer: Customer, operator: Operator, cause: str, period: Period, issued: date) -> Invoice:
    """An invoice between two runs, without number and amounts; its due date is that of the customer's policy."""
    policies = policy_terms(operator)
    due = policies.get(customer.policy, policies[operator.default_policy]).due(issued)
    zero = Decimal(0)
    return Invoice(
        customer_id=customer.id, origin="manual", origin_key=cause, number="", period=str(period), issue_date=issued, due_date=due,
        due_ends_at=BusinessCalendar(operator).end_of_day(due), base=zero, tax=zero, total=zero, balance=zero, reported=zero,
        currency=customer.currency,
    )  # fmt: skip


async def tell_issued(
    session: AsyncSession, invoice: Invoice, charges: Sequence[Charge], *, now: datetime, block: Block | None = None
) -> None:
    """Tell of an invoice that was just written."""
    series = block.series if block else None
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
    await publish(session, event, subject=f"invoice/{invoice.id}", version=1, now=now)


def _line(invoice: Invoice, number: int, charge: Charge) -> InvoiceLine:
    return InvoiceLine(
        invoice_id=invoice.id, number=number, quantity=Decimal(1), total=charge.base + charge.tax, currency=invoice.currency, **vars(charge)
    )
