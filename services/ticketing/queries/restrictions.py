"""Orders to restrict, and what the network has restricted for them."""

from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.ticketing.models import NetworkSwitch, Restriction
from services.ticketing.rules.states import NetworkState, RestrictionState
from shared.db import rows

LIVE = (RestrictionState.REQUESTED, RestrictionState.RESTRICTED, RestrictionState.RELEASING)
# Those of which every service that is restricted has been cut since.
REPLACED = """
SELECT r.id FROM restriction r JOIN network_switch s ON s.ticket_id = r.ticket_id AND s.action = 'restrict' AND s.state = 'DONE'
WHERE r.id = ANY($1::uuid[]) GROUP BY r.id
HAVING bool_and(EXISTS (
    SELECT FROM suspension o JOIN network_switch c ON c.ticket_id = o.ticket_id AND c.action = 'suspend' AND c.state = 'DONE'
    WHERE o.customer_id = r.customer_id AND o.state = 'SUSPENDED' AND c.service_id = s.service_id))
"""
# What the network did last to each service of a customer: to its connection, and to what it sees.
STATES = """
SELECT s.service_id,
    (array_agg(s.action ORDER BY s.settled_at DESC, s.id DESC) FILTER (WHERE s.action IN ('suspend', 'reconnect')))[1] AS power,
    (array_agg(s.action ORDER BY s.settled_at DESC, s.id DESC))[1] AS last
FROM ticket t JOIN network_switch s ON s.ticket_id = t.id
WHERE t.customer_id = $1 AND s.state = 'DONE' AND s.action <> 'change' GROUP BY s.service_id
"""


async def restrictions_by_id(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Restriction]:
    """These orders to restrict, as they are now."""
    query = select(Restriction).where(col(Restriction.id).in_(sorted(set(ids)))).execution_options(populate_existing=True)
    return {each.id: each for each in (await session.execute(query)).scalars()}


async def live_restrictions(session: AsyncSession, customers: Collection[UUID]) -> Sequence[Restriction]:
    """The orders of these customers that are not over."""
    query = select(Restriction).where(col(Restriction.customer_id).in_(list(customers)), col(Restriction.state).in_(LIVE))
    found = await session.execute(query.order_by(col(Restriction.id)).execution_options(populate_existing=True))
    return found.scalars().all()


async def restrictions_of(session: AsyncSession, tickets: Iterable[UUID], *, released: bool = False) -> dict[UUID, Restriction]:
    """The orders that these tickets carry out, by ticket; with `released` those that they take off."""
    ids, column = list(tickets), col(Restriction.release_ticket_id if released else Restriction.ticket_id)
    if not ids:
        return {}
    query = select(Restriction).where(column.in_(ids)).execution_options(populate_existing=True)
    found = (await session.execute(query)).scalars()
    return {ticket: each for each in found if (ticket := each.release_ticket_id if released else each.ticket_id)}


async def replaced_by_cut(session: AsyncSession, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these restrictions the cut has replaced, service by service."""
    return {row.id for row in await rows(session, REPLACED, list(ids))}


async def restricted_by(session: AsyncSession, release_id: UUID | None) -> tuple[Restriction | None, Sequence[NetworkSwitch]]:
    """The restriction that this order takes off, and the switches that did it; none of one from before our time."""
    order = (await session.execute(select(Restriction).where(col(Restriction.release_id) == release_id))).scalar_one_or_none()
    if order is None or order.ticket_id is None:
        return order, ()
    query = select(NetworkSwitch).where(
        col(NetworkSwitch.ticket_id) == order.ticket_id, NetworkSwitch.action == "restrict", NetworkSwitch.state == "DONE"
    )
    return order, (await session.execute(query.order_by(col(NetworkSwitch.id)))).scalars().all()


async def network_states(session: AsyncSession, customer_id: UUID) -> dict[UUID, NetworkState]:
    """How the services of a customer are that were ever switched, as far as we had them switched."""
    found = await rows(session, STATES, customer_id)
    return {row.service_id: NetworkState.of(row.power, row.last) for row in found}
