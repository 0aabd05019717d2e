"""What is known of customers, their invoices and payments."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from babel.numbers import get_currency_precision
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.ticketing.models import Customer, Payment, Suspension
from shared.db import Fetched, rows
from shared.money import round_money
from shared.operator.forms import Fill

OPEN = """
SELECT NOT i.voided AND i.balance - i.credited > coalesce((
    SELECT sum(a.amount) FROM allocation a JOIN payment p ON p.id = a.payment_id AND p.state <> 'REJECTED' WHERE a.invoice_id = i.id
), 0) AS is_open FROM invoice i WHERE i.id = ANY($1::uuid[])
"""
# What was reported counts as paid; how much of that nobody has confirmed yet stands beside it.
OWED = """
SELECT i.id, i.number, i.due_date, i.currency, i.balance - i.credited - coalesce(p.paid, 0) AS amount, coalesce(p.reported, 0) AS reported
FROM invoice i LEFT JOIN LATERAL (
    SELECT sum(a.amount) AS paid, sum(a.amount) FILTER (WHERE p.state = 'REPORTED') AS reported
    FROM allocation a JOIN payment p ON p.id = a.payment_id AND p.state <> 'REJECTED' WHERE a.invoice_id = i.id
) p ON true
WHERE i.customer_id = $1 AND NOT i.voided AND (i.balance - i.credited > coalesce(p.paid, 0) OR p.reported > 0) ORDER BY i.due_date, i.id
"""
TOUCHED = """
SELECT EXISTS (
    SELECT 1 FROM allocation a JOIN payment p ON p.id = a.payment_id
    WHERE a.invoice_id = ANY($1::uuid[]) AND (p.state = 'REPORTED' OR (p.state = 'CONFIRMED' AND p.reported_at >= $2))
) AS touched
"""
AGENTS = "SELECT customer_id, agent FROM portfolio WHERE customer_id = ANY($1::uuid[])"


class Person(BaseModel):
    """Someone to talk to at the customer's."""

    name: str
    role: str
    email: str | None = None
    phone: str | None = None


class About(BaseModel):
    """What billing told last of a customer's contract, money and people, and the status in which it came to us, in its source's word. Empty
    while it has told nothing since we keep it."""

    contract_start: date | None = None
    contract_end: date | None = None
    monthly_amount: Decimal | None = None
    currency: str | None = None
    contacts: list[Person] = []
    opening_status: str | None = None


class ServiceView(BaseModel):
    """A service of the customer, as far as switching it goes, and as what it was sold."""

    service_id: UUID
    plan_code: str | None = None
    monthly_amount: Decimal | None = None
    delivery: str
    network_login: str | None = None
    access_node: str | None = None
    active_from: date
    active_to: date | None = None


async def get_payments(session: AsyncSession, ids: Sequence[UUID]) -> Sequence[Payment]:
    """These payments, as they are now."""
    query = select(Payment).where(col(Payment.id).in_(ids)).execution_options(populate_existing=True)
    return (await session.execute(query)).scalars().all()


async def agent_of(session: AsyncSession, customer: Customer) -> str | None:
    """Who looks after the customer."""
    return (await agents_of(session, [customer]))[customer.id]


async def agents_of(session: AsyncSession, customers: Sequence[Customer]) -> dict[UUID, str | None]:
    """Who looks after these customers."""
    ids = [each.id for each in customers]
    given = {row.customer_id: row.agent for row in await rows(session, AGENTS, ids)}
    return {each.id: given.get(each.id, each.agent) for each in customers}


def services_on(customer: Customer, day: date) -> list[ServiceView]:
    """The services that the customer has on an operator's day."""
    found = [ServiceView.model_validate(each) for each in customer.services]
    return [each for each in found if each.active_from <= day and (each.active_to is None or day <= each.active_to)]


def deliveries_on(customer: Customer, day: date) -> list[str]:
    """How the services are delivered that the customer has on an operator's day."""
    last = day.isoformat()
    return [
        each["delivery"]
        for each in customer.services
        if each["active_from"] <= last and (each.get("active_to") is None or last <= each["active_to"])
    ]


async def customer_of_login(session: AsyncSession, login: str) -> UUID | None:
    """The customer that has a service under this name in the network; of several the one who became a customer last."""
    found = await rows(
        session,
        "SELECT id FROM customer WHERE services @> jsonb_build_array(jsonb_build_object('network_login', $1::text)) "
        "ORDER BY id DESC LIMIT 1",
        login,
    )
    return found[0].id if found else None


async def owed_by(session: AsyncSession, customer_id: UUID) -> Sequence[Fetched]:
    """The invoices of which something is open or only reported as paid, by due date: what is `amount` open, and `reported`."""
    return await rows(session, OWED, customer_id)


async def look_up(session: AsyncSession, customer: Customer) -> dict[Fill, Any]:
    """What a form can have filled in of a customer, in the form's own shape; None where nobody has told it."""
    about = About.model_validate(customer.about)
    found: dict[Fill, Any] = {
        "contract_start": about.contract_start.isoformat() if about.contract_start else None,
        "contract_end": about.contract_end.isoformat() if about.contract_end else None,
        "monthly_amount": None,
        "balance": None,
    }
    if about.currency is not None:
        owed = [each for each in await owed_by(session, customer.id) if each.currency in (None, about.currency)]
        found["balance"] = _money(sum((each.amount for each in owed), Decimal(0)), about.currency)
        found["monthly_amount"] = _money(about.monthly_amount or Decimal(0), about.currency)
    return found


def _money(amount: Decimal, currency: str) -> Mapping[str, str]:
    return {"amount": f"{round_money(amount, get_currency_precision(currency))}", "currency": currency}


async def missing_invoices(session: AsyncSession, invoices: list[UUID]) -> list[UUID]:
    """Which of these billing has not told us of yet."""
    found = {row.id for row in await rows(session, "SELECT id FROM invoice WHERE id = ANY($1::uuid[])", invoices)}
    return [each for each in invoices if each not in found]


async def is_covered(session: AsyncSession, order: Suspension) -> bool:
    """Does what was reported as paid (and not rejected) take the ground from an order to cut?

    `full`: nothing is open of its invoices. `any`: a payment goes to one of them; one that was confirmed before the order was made does
    not count, for collections knew it.
    """
    if not order.invoice_ids:
        return False
    if order.release_on == "any" and (await rows(session, TOUCHED, order.invoice_ids, order.requested_at))[0].touched:
        return True
    return not any(row.is_open for row in await rows(session, OPEN, order.invoice_ids))


async def is_paid_for(session: AsyncSession, order: Suspension) -> bool:
    """Did money go to one of the order's invoices (rather than their being voided)?"""
    paid = await rows(
        session,
        "SELECT EXISTS (SELECT 1 FROM allocation a JOIN payment p ON p.id = a.payment_id AND p.state <> 'REJECTED' "
        "WHERE a.invoice_id = ANY($1::uuid[])) AS paid",
        order.invoice_ids,
    )
    return bool(paid[0].paid)
