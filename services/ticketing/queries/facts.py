"""What is known of customers, their invoices and payments."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.ticketing.models import Customer, Payment, Suspension
from shared.db import rows

OPEN = """
SELECT NOT i.voided AND i.balance > coalesce((
    SELECT sum(a.amount) FROM allocation a JOIN payment p ON p.id = a.payment_id AND p.state <> 'REJECTED' WHERE a.invoice_id = i.id
), 0) AS is_open FROM invoice i WHERE i.id = ANY($1::uuid[])
"""
TOUCHED = """
SELECT EXISTS (
    SELECT 1 FROM allocation a JOIN payment p ON p.id = a.payment_id
    WHERE a.invoice_id = ANY($1::uuid[]) AND (p.state = 'REPORTED' OR (p.state = 'CONFIRMED' AND p.reported_at >= $2))
) AS touched
"""
AGENTS = "SELECT customer_id, agent FROM portfolio WHERE customer_id = ANY($1::uuid[])"


class ServiceView(BaseModel):
    """A service of the customer, as far as switching it goes."""

    service_id: UUID
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
