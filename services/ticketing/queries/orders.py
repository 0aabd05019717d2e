"""Orders to cut and to reconnect."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.ticketing.models import Reconnection, Suspension
from services.ticketing.rules.states import ReconnectionState, SuspensionState

LIVE = (ReconnectionState.HELD, ReconnectionState.ORDERED, ReconnectionState.DONE)


async def live_suspensions(session: AsyncSession, customers: Iterable[UUID]) -> Sequence[Suspension]:
    """The orders of these customers that a payment can still meet, as they are now."""
    states = (SuspensionState.REQUESTED, SuspensionState.SUSPENDED)
    query = select(Suspension).where(col(Suspension.customer_id).in_(list(customers)), col(Suspension.state).in_(states))
    found = await session.execute(query.order_by(col(Suspension.id)).execution_options(populate_existing=True))
    return found.scalars().all()


async def suspension_of(session: AsyncSession, ticket_id: UUID) -> Suspension | None:
    """The order to cut that a ticket carries out, as it is now."""
    query = select(Suspension).where(Suspension.ticket_id == ticket_id).execution_options(populate_existing=True)
    return (await session.execute(query)).scalar_one_or_none()


async def reconnection_of(session: AsyncSession, ticket_id: UUID) -> Reconnection | None:
    """The order to reconnect that a ticket carries out, as it is now."""
    query = select(Reconnection).where(Reconnection.ticket_id == ticket_id).execution_options(populate_existing=True)
    return (await session.execute(query)).scalar_one_or_none()


async def live_reconnection(session: AsyncSession, suspension_id: UUID) -> Reconnection | None:
    """The reconnection of a suspension that waits, is under way or is done; a refused one does not count."""
    query = select(Reconnection).where(Reconnection.suspension_id == suspension_id, col(Reconnection.state).in_(LIVE))
    return (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
