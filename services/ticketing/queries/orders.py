"""Orders to cut and to reconnect."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.ticketing.models import Customer, Reconnection, Suspension
from services.ticketing.queries.facts import About, is_covered
from services.ticketing.rules.states import ReconnectionState, SuspensionState
from shared.bulk import read
from shared.db import rows
from shared.operator import Operator

LIVING = "SELECT FROM suspension WHERE customer_id = ANY($1::uuid[]) AND state = ANY($2::text[]) LIMIT 1"
LIVE = (ReconnectionState.HELD, ReconnectionState.ORDERED, ReconnectionState.DONE)


async def live_suspensions(session: AsyncSession, customers: Iterable[UUID]) -> Sequence[Suspension]:
    """The orders of these customers that a payment can still meet, as they are now."""
    states, ids = (SuspensionState.REQUESTED, SuspensionState.SUSPENDED), list(customers)
    await session.flush()
    if not await rows(session, LIVING, ids, [each.value for each in states]):
        return ()  # as for nearly every payment
    query = select(Suspension).where(col(Suspension.customer_id).in_(ids), col(Suspension.state).in_(states))
    found = await session.execute(query.order_by(col(Suspension.id)).execution_options(populate_existing=True))
    return found.scalars().all()


async def suspensions_by_id(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Suspension]:
    """These orders to cut, as they are now, none of them the session's object; the row of none is locked, for its customer is."""
    return {each.id: each for each in await read(session, Suspension, "WHERE id = ANY($1::uuid[])", list(set(ids)))}


async def suspensions_of(session: AsyncSession, tickets: Iterable[UUID]) -> dict[UUID, Suspension]:
    """The orders to cut that these tickets carry out, by ticket, as they are now."""
    query = select(Suspension).where(col(Suspension.ticket_id).in_(list(tickets))).execution_options(populate_existing=True)
    return {each.ticket_id: each for each in (await session.execute(query)).scalars() if each.ticket_id}


async def reconnections_of(session: AsyncSession, tickets: Iterable[UUID]) -> dict[UUID, Reconnection]:
    """The orders to reconnect that these tickets carry out, by ticket, as they are now, none of them the session's object."""
    found = await read(session, Reconnection, "WHERE ticket_id = ANY($1::uuid[])", list(tickets))
    return {each.ticket_id: each for each in found if each.ticket_id}


async def live_reconnection(session: AsyncSession, suspension_id: UUID) -> Reconnection | None:
    """The reconnection of a suspension that waits, is under way or is done; a refused one does not count."""
    query = select(Reconnection).where(Reconnection.suspension_id == suspension_id, col(Reconnection.state).in_(LIVE))
    return (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()


async def reconnected_suspensions(session: AsyncSession, suspensions: Sequence[UUID], reconnections: Sequence[UUID]) -> set[UUID]:
    """Which of these suspensions have a reconnection that lives, or one of these."""
    found = await rows(
        session,
        "SELECT suspension_id FROM reconnection WHERE id = ANY($3::uuid[]) "
        "OR (suspension_id = ANY($1::uuid[]) AND state = ANY($2::text[]))",
        list(suspensions),
        [each.value for each in LIVE],
        list(reconnections),
    )
    return {row.suspension_id for row in found}


async def is_suspended(session: AsyncSession, customer: Customer, operator: Operator) -> bool:
    """Is the customer's service cut and not on again, and is what it was cut for still owed? Who paid only waits for the service. Who came
    to us suspended is, until there is an order about it."""
    found = await rows(session, "SELECT state FROM suspension WHERE customer_id = $1", customer.id)
    if not found:
        came = About.model_validate(customer.about).opening_status
        return not {"suspended", "recovery"}.isdisjoint(operator.statuses_named(came).values())
    return any(each.state == SuspensionState.SUSPENDED for each in found) and not await debt_is_covered(session, customer.id)


async def debt_is_covered(session: AsyncSession, customer_id: UUID) -> bool:
    """Is what the customer's service was cut for reported as paid? Of a cut from before our time nobody knows."""
    cuts = [each for each in await live_suspensions(session, [customer_id]) if each.state == SuspensionState.SUSPENDED]
    return bool(cuts) and all([await is_covered(session, each) for each in cuts])
