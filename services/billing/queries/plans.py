"""Reads of services with their changes of plan, and of what was agreed about them."""

from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from services.billing.models import Agreement, PlanChange
from services.billing.rules.proration import Change, Sold
from shared.db import Fetched, rows
from shared.errors import NotFound
from shared.sorting import Order, Placed, Sorting, amount, day, identity, instant, text

COLUMNS = "s.id, s.customer_id, s.code, s.plan_code, s.monthly_amount, s.active_from, s.active_to"
SERVICES = f"SELECT {COLUMNS} FROM service s WHERE s.customer_id = ANY($1::uuid[]) ORDER BY s.customer_id, s.code"
CHANGES = """
SELECT service_id, effective_from, from_plan, from_amount, to_plan, to_amount, applied_at IS NOT NULL AS applied
FROM plan_change WHERE service_id = ANY($1::uuid[]) ORDER BY effective_from, id
"""
PLAN_CHANGES = Sorting(
    "id",
    identity("plan_change.id"),
    id=identity("plan_change.id"),
    effective_from=day("plan_change.effective_from"),
    to_plan=text("plan_change.to_plan"),
    to_amount=amount("plan_change.to_amount"),
    changed_at=instant("plan_change.changed_at"),
    changed_by=text("plan_change.changed_by"),
    applied_at=instant("plan_change.applied_at", empty=True),
)
AGREEMENTS = Sorting(
    "id",
    identity("agreement.id"),
    id=identity("agreement.id"),
    kind=text("agreement.kind"),
    plan_code=text("agreement.plan_code", empty=True),
    effective_from=day("agreement.effective_from"),
    agreed_at=instant("agreement.agreed_at"),
    agreed_by=text("agreement.agreed_by"),
    state=text("agreement.state", indexed=True),
)


async def services_sold(session: AsyncSession, customer_id: UUID) -> list[Sold]:
    """A customer's services by code, with their changes of plan."""
    return (await services_of(session, [customer_id])).get(customer_id, [])


async def services_of(session: AsyncSession, customer_ids: Sequence[UUID]) -> dict[UUID, list[Sold]]:
    """These customers' services by code, with their changes of plan; whoever has none is absent."""
    found: dict[UUID, list[Sold]] = {}
    for each in await with_changes(session, await rows(session, SERVICES, list(customer_ids))):
        found.setdefault(each.customer_id, []).append(each)
    return found


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


async def find_plan_changes(session: AsyncSession, customer_id: UUID, order: Order) -> list[Placed[PlanChange]]:
    """A customer's changes of plan."""
    return await order.select(session, select(PlanChange).where(PlanChange.customer_id == customer_id))


async def find_agreements(
    session: AsyncSession, order: Order, *, customer_id: UUID | None = None, state: str | None = None
) -> list[Placed[Agreement]]:
    """What was agreed in tickets."""
    query = select(Agreement)
    if customer_id is not None:
        query = query.where(Agreement.customer_id == customer_id)
    if state is not None:
        query = query.where(Agreement.state == state)
    return await order.select(session, query)


async def get_agreement(session: AsyncSession, agreement_id: UUID) -> Agreement:
    """One of them. Raises NotFound."""
    found = await session.get(Agreement, agreement_id)
    if found is None:
        raise NotFound(f"No existe el acuerdo {agreement_id}.")
    return found
