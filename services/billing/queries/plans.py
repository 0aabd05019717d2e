"""Reads of services with their changes of plan, and of what was agreed about them."""

from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.billing.models import Agreement, PlanChange
from services.billing.rules.proration import Change, Sold
from shared.db import Fetched, rows
from shared.errors import NotFound

COLUMNS = "s.id, s.customer_id, s.code, s.plan_code, s.monthly_amount, s.active_from, s.active_to"
SERVICES = f"SELECT {COLUMNS} FROM service s WHERE s.customer_id = $1 ORDER BY s.code"
CHANGES = """
SELECT service_id, effective_from, from_plan, from_amount, to_plan, to_amount, applied_at IS NOT NULL AS applied
FROM plan_change WHERE service_id = ANY($1::uuid[]) ORDER BY effective_from, id
"""


async def services_sold(session: AsyncSession, customer_id: UUID) -> list[Sold]:
    """A customer's services by code, with their changes of plan."""
    return await with_changes(session, await rows(session, SERVICES, customer_id))


async def with_changes(session: AsyncSession, services: Sequence[Fetched]) -> list[Sold]:
    """Services (rows of COLUMNS) with their changes of plan."""
    found = await _changes(session, [row.id for row in services])
    return [Sold(**dict(row), changes=found.get(row.id, [])) for row in services]


async def _changes(session: AsyncSession, service_ids: Collection[UUID]) -> dict[UUID, list[Change]]:
    found: dict[UUID, list[Change]] = {}
    for row in await rows(session, CHANGES, list(service_ids)) if service_ids else []:
        change = Change(row.effective_from, row.from_plan, row.from_amount, row.to_plan, row.to_amount, row.applied)
        found.setdefault(row.service_id, []).append(change)
    return found


async def next_change(session: AsyncSession) -> date | None:
    """The earliest day of a change of plan that the service's own row does not say yet."""
    found = await rows(session, "SELECT min(effective_from) AS day FROM plan_change WHERE applied_at IS NULL")
    day: date | None = found[0].day
    return day


async def find_plan_changes(
    session: AsyncSession, *, customer_id: UUID, after: UUID | None = None, limit: int = 50
) -> Sequence[PlanChange]:
    """A customer's changes of plan in the order in which they were decided."""
    query = select(PlanChange).where(PlanChange.customer_id == customer_id).order_by(col(PlanChange.id)).limit(limit)
    if after is not None:
        query = query.where(col(PlanChange.id) > after)
    return (await session.execute(query)).scalars().all()


async def find_agreements(
    session: AsyncSession, *, customer_id: UUID | None = None, state: str | None = None, after: UUID | None = None, limit: int = 50
) -> Sequence[Agreement]:
    """What was agreed in tickets, by id."""
    query = select(Agreement).order_by(col(Agreement.id)).limit(limit)
    if customer_id is not None:
        query = query.where(Agreement.customer_id == customer_id)
    if state is not None:
        query = query.where(Agreement.state == state)
    if after is not None:
        query = query.where(col(Agreement.id) > after)
    return (await session.execute(query)).scalars().all()


async def get_agreement(session: AsyncSession, agreement_id: UUID) -> Agreement:
    """One of them. Raises NotFound."""
    found = await session.get(Agreement, agreement_id)
    if found is None:
        raise NotFound(f"No existe el acuerdo {agreement_id}.")
    return found
