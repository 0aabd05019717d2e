"""Orders to restrict a service before the cut, and their end: released, cancelled before it was done, or replaced by the cut.

Collections alone decides whether a restriction stands (it hears of payments, agreements and credit notes): nothing of that is looked at
here. A release finds a restriction either untouched, and cancels it, or touched: then it is let to its end, and released after that.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Restriction
from services.ticketing.operations import tickets
from services.ticketing.operations.facts import lock_whole_customers
from services.ticketing.queries.facts import agents_of
from services.ticketing.queries.restrictions import live_restrictions, replaced_by_cut, restrictions_by_id, restrictions_of
from services.ticketing.queries.tickets import engine_ticket, get_ticket
from services.ticketing.rules.engine import cancellable
from services.ticketing.rules.facts import left_on
from services.ticketing.rules.states import RestrictionState
from services.ticketing.rules.ticket import SYSTEM, Cancel
from shared.db import new_id
from shared.events.collections import RestrictionReleaseRequested, RestrictionRequested
from shared.events.ticketing import RestrictionEnded, ServiceRestricted, SwitchProof
from shared.operator import Operator
from shared.outbox import Outgoing, publish_many
from shared.routing import FactMissing

TAKEN_BACK = "La restricción se retiró antes de hacerse."
Proofs = Mapping[UUID, list[SwitchProof]]  # by ticket


async def request_restrictions(session: AsyncSession, *, wanted: Sequence[RestrictionRequested], operator: Operator, now: datetime) -> None:
    """Open the tickets of orders to restrict, unless they are there already. Raises FactMissing for a customer that is not known yet."""
    customers = await _customers(session, wanted)
    known = await restrictions_by_id(session, [each.restriction_id for each in wanted])
    new = {each.restriction_id: each for each in wanted if each.restriction_id not in known}
    made = [
        Restriction(
            id=each.restriction_id, customer_id=each.customer_id, release_procedure=each.release_procedure, requested_at=each.requested_at
        )
        for each in new.values()
    ]
    agents = await agents_of(session, list(customers.values()))
    news = [
        tickets.NewTicket(
            operator.procedure(each.procedure),
            customers[each.customer_id],
            each.restriction_id,
            SYSTEM,
            agents[each.customer_id],
            facts=[left_on(each.except_services, "la restricción")] if each.except_services else [],
        )
        for each in new.values()
    ]
    opened = await tickets.open_tickets(session, news=news, operator=operator, now=now) if news else []
    for order, ticket in zip(made, opened, strict=True):
        order.ticket_id = ticket.id
    session.add_all(made)
    await session.flush()
    none = [order for order, ticket in zip(made, opened, strict=True) if ticket.closed_at is not None]
    await _end(session, none, RestrictionState.REFUSED, now=now)


async def request_releases(
    session: AsyncSession, *, wanted: Sequence[RestrictionReleaseRequested], operator: Operator, now: datetime
) -> None:
    """Cancel these restrictions, or have them taken off. One that we do not know is that of a customer who came to us restricted; one that
    is over, or on its way there, needs nothing more. Raises FactMissing for a customer that is not known yet."""
    await _customers(session, wanted)
    known = await restrictions_by_id(session, [each.restriction_id for each in wanted])
    ready = []
    for each in wanted:
        order = known.get(each.restriction_id) or _imported(session, each)
        if order.state not in (RestrictionState.REQUESTED, RestrictionState.RESTRICTED) or order.release_wanted_at is not None:
            continue
        order.release_id, order.release_procedure = each.release_id, each.procedure
        ready.append(order)
    await session.flush()
    await let_go(session, orders=ready, operator=operator, now=now)


async def let_go(session: AsyncSession, *, orders: Sequence[Restriction], operator: Operator, now: datetime) -> None:
    """These restrictions no longer stand: cancel what nobody has touched, take off what is done, and remember it of what is under way.
    The customers are locked already."""
    done = [each for each in orders if each.state == RestrictionState.RESTRICTED]
    for order in orders:
        if order.state != RestrictionState.REQUESTED:
            continue
        assert order.ticket_id is not None
        ticket = await get_ticket(session, order.ticket_id)
        if cancellable(tickets.procedure_of(ticket), await engine_ticket(session, ticket)):
            customer = await session.get_one(Customer, order.customer_id)
            given = Cancel("withdrawn", TAKEN_BACK)
            await tickets.advance(session, moves=[tickets.Move(ticket, customer, given)], operator=operator, now=now)
            await _end(session, [order], RestrictionState.CANCELLED, now=now)
        else:
            order.release_wanted_at = now
    await _send(session, done, operator=operator, now=now)


async def _send(session: AsyncSession, orders: Sequence[Restriction], *, operator: Operator, now: datetime) -> None:
    """Open the tickets that take these restrictions off."""
    if not orders:
        return
    customers = {each.customer_id: await session.get_one(Customer, each.customer_id) for each in orders}
    agents = await agents_of(session, list(customers.values()))
    for order in orders:
        order.state, order.release_id = RestrictionState.RELEASING, order.release_id or new_id()
    await session.flush()  # the step asks which restriction its ticket takes off
    news = [
        tickets.NewTicket(
            operator.procedure(each.release_procedure), customers[each.customer_id], each.release_id, SYSTEM, agents[each.customer_id]
        )
        for each in orders
    ]
    opened = await tickets.open_tickets(session, news=news, operator=operator, now=now)
    for order, ticket in zip(orders, opened, strict=True):
        order.release_ticket_id = ticket.id
    await session.flush()
    over = [order for order, ticket in zip(orders, opened, strict=True) if ticket.outcome == "released"]
    await _end(session, over, RestrictionState.RELEASED, now=now)


async def carry_out(session: AsyncSession, *, done: Proofs, now: datetime) -> list[Restriction]:
    """The network did restrict the services of these tickets: tell it. Answers the restrictions that are to be released at once."""
    orders = await restrictions_of(session, done)
    told = []
    for ticket_id, order in orders.items():
        order.state, order.settled_at = RestrictionState.RESTRICTED, now
        order.version += 1
        event = ServiceRestricted(
            restriction_id=order.id, ticket_id=ticket_id, customer_id=order.customer_id, restricted_at=now, proof=done[ticket_id]
        )
        told.append(Outgoing(event, f"restriction/{order.id}", order.version))
    await session.flush()
    await publish_many(session, told, now=now)
    return [each for each in orders.values() if each.release_wanted_at is not None]


async def conclude(session: AsyncSession, *, done: Proofs, now: datetime) -> None:
    """The network took the restrictions off that these tickets release: tell it."""
    orders = await restrictions_of(session, done, released=True)
    proofs = {order.id: done[ticket] for ticket, order in orders.items()}
    await _end(session, list(orders.values()), RestrictionState.RELEASED, proofs=proofs, now=now)


async def fall(session: AsyncSession, *, closed: Collection[UUID], now: datetime) -> None:
    """These tickets closed without the network having done it: what was to be restricted never is, what was to be released still stands and
    may be asked for again."""
    refused = await restrictions_of(session, closed)
    await _end(session, [each for each in refused.values() if each.state == RestrictionState.REQUESTED], RestrictionState.REFUSED, now=now)
    for order in (await restrictions_of(session, closed, released=True)).values():
        if order.state == RestrictionState.RELEASING:
            order.state, order.release_id, order.release_ticket_id = RestrictionState.RESTRICTED, None, None
    await session.flush()


async def give_way(session: AsyncSession, *, customers: Collection[UUID], operator: Operator, now: datetime) -> None:
    """These customers are cut: the cut takes the place of a restriction, but for services that it leaves on: those are released."""
    orders = await live_restrictions(session, customers)
    if not orders:
        return
    replaced = await replaced_by_cut(session, [each.id for each in orders])
    over = [each for each in orders if each.state == RestrictionState.RESTRICTED and each.id in replaced]
    await _end(session, over, RestrictionState.SUSPENDED, now=now)
    left = [each for each in orders if each.id not in replaced or each.state == RestrictionState.REQUESTED]
    waiting = (RestrictionState.REQUESTED, RestrictionState.RESTRICTED)
    await let_go(session, orders=[each for each in left if each.state in waiting], operator=operator, now=now)


async def _end(
    session: AsyncSession, orders: Sequence[Restriction], state: RestrictionState, *, proofs: Proofs | None = None, now: datetime
) -> None:
    """These restrictions are over: tell how."""
    told = []
    for order in orders:
        order.state, order.settled_at = state, now
        order.version += 1
        values = {
            "restriction_id": order.id,
            "ticket_id": order.release_ticket_id or order.ticket_id,
            "customer_id": order.customer_id,
            "outcome": state.value.lower(),
            "ended_at": now,
            "proof": (proofs or {}).get(order.id, []),
        }
        told.append(Outgoing(RestrictionEnded.model_validate(values), f"restriction/{order.id}", order.version))
    await session.flush()
    await publish_many(session, told, now=now)


def _imported(session: AsyncSession, wanted: RestrictionReleaseRequested) -> Restriction:
    """The restriction of a customer that came to us restricted."""
    order = Restriction(
        id=wanted.restriction_id,
        customer_id=wanted.customer_id,
        release_procedure=wanted.procedure,
        state=RestrictionState.RESTRICTED,
        requested_at=wanted.requested_at,
        settled_at=wanted.requested_at,
    )
    session.add(order)
    return order


async def _customers(
    session: AsyncSession, wanted: Sequence[RestrictionRequested] | Sequence[RestrictionReleaseRequested]
) -> Mapping[UUID, Customer]:
    customers = await lock_whole_customers(session, [each.customer_id for each in wanted])
    if strangers := {each.customer_id for each in wanted} - customers.keys():
        raise FactMissing(f"customer {min(strangers)}")
    return customers
