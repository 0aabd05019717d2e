"""Tickets, their steps, and the tasks of each desk."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.ticketing.models import Customer, NetworkSwitch, Ticket, TicketStep
from services.ticketing.queries.facts import owed_by
from services.ticketing.queries.restrictions import network_states
from services.ticketing.rules import ticket as engine
from services.ticketing.rules.appointments import appointment_of
from services.ticketing.rules.facts import covers
from services.ticketing.rules.sharing import Elsewhere
from services.ticketing.rules.states import NetworkState, StepState
from shared.bulk import read
from shared.db import Fetched, rows
from shared.errors import NotFound
from shared.sorting import Order, Placed, Sorting, flag, identity, instant, number, text

TOUCHED = """
SELECT ticket_id, step, number, bool_or(state <> 'QUEUED' OR attempts > 0) AS touched
FROM (SELECT ticket_id, step, number, state, attempts FROM network_switch WHERE ticket_id = ANY($1::uuid[]) ORDER BY id FOR UPDATE) s
GROUP BY ticket_id, step, number
"""
LIST = """
SELECT t.*, c.name AS customer_name, c.external_id {key} FROM ticket t JOIN customer c ON c.id = t.customer_id
WHERE ($1::text IS NULL OR t.desk = $1 OR EXISTS (
    SELECT 1 FROM ticket_step s WHERE s.ticket_id = t.id AND s.state = 'OPEN' AND s.desk = $1
))
AND ($2::boolean IS NULL OR (t.closed_at IS NULL) = $2) AND ($3::uuid IS NULL OR t.customer_id = $3)
AND ($4::text IS NULL OR t.kind = $4) {page}
"""
TICKETS = Sorting(
    "-number",
    number("t.number"),
    number=number("t.number"),
    kind=text("t.kind"),
    customer_name=text("lower(c.name)"),
    external_id=text("c.external_id"),
    desk=text("t.desk"),
    requested_by=text("t.requested_by"),
    agent=text("t.agent", empty=True),
    opened_at=instant("t.opened_at"),
    closed_at=instant("t.closed_at", empty=True),
    outcome=text("t.outcome", empty=True),
)
TASKS = """
SELECT s.ticket_id, s.code, s.number AS turn, s.desk, s.person, s.opened_at, s.deadline, s.late, t.number, t.kind, t.document, t.revision,
    t.customer_id, t.requested_by, c.name AS customer_name, c.external_id {key}
FROM ticket_step s JOIN ticket t ON t.id = s.ticket_id JOIN customer c ON c.id = t.customer_id
WHERE s.state = 'OPEN' AND s.task AND (s.desk = ANY($1::text[]) OR s.person = $2)
{page}
"""
OPEN_TASKS = Sorting(
    "opened_at",
    (identity("s.ticket_id"), text("s.code")),
    opened_at=instant("s.opened_at"),
    deadline=instant("s.deadline", empty=True),
    late=flag("s.late"),
    ticket_number=number("t.number"),
    kind=text("t.kind"),
    step=text("s.code"),
    customer_name=text("lower(c.name)"),
    external_id=text("c.external_id"),
    desk=text("s.desk", empty=True),
    person=text("s.person", empty=True),
    requested_by=text("t.requested_by"),
)


async def get_ticket(session: AsyncSession, ticket_id: UUID) -> Ticket:
    """A ticket as it is now. Raises NotFound."""
    await session.flush()
    found = await session.get(Ticket, ticket_id, populate_existing=True)
    if found is None:
        raise NotFound(f"No existe el ticket {ticket_id}.")
    return found


async def get_tickets(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Ticket]:
    """These tickets as they are now, none of them the session's object."""
    return {each.id: each for each in await read(session, Ticket, "WHERE id = ANY($1::uuid[])", list(ids))}


@dataclass(frozen=True)
class TicketView:
    """A ticket with its customer, what that owes and how its services are in the network, the turns of its steps, its switches, and the
    tickets that it started."""

    ticket: Ticket
    customer: Customer
    owed: Sequence[Fetched]
    turns: Sequence[TicketStep]
    switches: Sequence[NetworkSwitch]
    started: Sequence[Fetched]
    network: Mapping[UUID, NetworkState]


async def view_ticket(session: AsyncSession, ticket_id: UUID) -> TicketView:
    """All there is to see of a ticket. Raises NotFound."""
    ticket = await get_ticket(session, ticket_id)
    customer = await session.get(Customer, ticket.customer_id)
    assert customer is not None
    return TicketView(
        ticket=ticket,
        customer=customer,
        owed=await owed_by(session, customer.id),
        turns=await turns_of(session, ticket_id),
        switches=await switches_of(session, ticket_id),
        started=await started_by(session, ticket_id),
        network=await network_states(session, customer.id),
    )


async def turns_of(session: AsyncSession, ticket_id: UUID) -> Sequence[TicketStep]:
    """The turns of a ticket's steps, in the order in which they came up."""
    query = select(TicketStep).where(TicketStep.ticket_id == ticket_id).order_by(col(TicketStep.place))
    return (await session.execute(query)).scalars().all()


async def switches_of(session: AsyncSession, ticket_id: UUID) -> Sequence[NetworkSwitch]:
    """A ticket's switches, oldest first."""
    query = select(NetworkSwitch).where(NetworkSwitch.ticket_id == ticket_id).order_by(col(NetworkSwitch.id))
    return (await session.execute(query)).scalars().all()


@dataclass(frozen=True)
class Seen:
    """A ticket as the engine sees it, and the rows of its turns."""

    state: engine.Ticket
    rows: Sequence[TicketStep] = ()


async def engine_ticket(session: AsyncSession, ticket: Ticket) -> engine.Ticket:
    """The ticket as the engine sees it, with its switches locked: until the commit none of them can be claimed."""
    return (await engine_tickets(session, [ticket]))[ticket.id].state


async def engine_tickets(session: AsyncSession, tickets: Sequence[Ticket]) -> dict[UUID, Seen]:
    """Tickets, by id, as the engine sees them, with their switches locked: until the commit none of those can be claimed."""
    await session.flush()
    ids = [each.id for each in tickets]
    touched = {(row.ticket_id, row.step, row.number): row.touched for row in await rows(session, TOUCHED, ids)}
    turns = defaultdict[UUID, list[TicketStep]](list)
    for each in await read(session, TicketStep, "WHERE ticket_id = ANY($1::uuid[]) ORDER BY place", ids):
        turns[each.ticket_id].append(each)
    found = {}
    for ticket in tickets:
        state = as_engine(ticket, turns[ticket.id])
        claimed = (replace(turn, claimed=touched.get((ticket.id, turn.code, turn.number), False)) for turn in state.turns)
        found[ticket.id] = Seen(replace(state, turns=tuple(claimed)), turns[ticket.id])
    return found


def as_engine(ticket: Ticket, turns: Sequence[TicketStep]) -> engine.Ticket:
    """Rows as the engine's value."""
    closed = None
    if ticket.closed_at is not None and ticket.outcome is not None:
        closed = engine.Closure(ticket.outcome, ticket.closed_at, ticket.comment)
    facts = {each["name"]: each["value"] for each in ticket.facts}
    return engine.Ticket(ticket.requested_by, ticket.agent, facts, tuple(_turn(each) for each in turns), closed)


def _turn(row: TicketStep) -> engine.Turn:
    return engine.Turn(
        code=row.code,
        number=row.number,
        state=StepState(row.state),
        opened_at=row.opened_at,
        deadline=row.deadline,
        late=row.late,
        finished_at=row.finished_at,
        by=row.finished_by,
        outcome=row.outcome,
        filled=row.filled,
        appointment=appointment_of(row.appointment),
        captured=row.captured,
        comment=row.comment,
    )


async def open_ticket_of(session: AsyncSession, customer_id: UUID, procedure: str) -> int | None:
    """The number of an open ticket of this procedure for the customer."""
    found = await rows(
        session,
        "SELECT number FROM ticket WHERE customer_id = $1 AND procedure = $2 AND closed_at IS NULL ORDER BY number LIMIT 1",
        customer_id,
        procedure,
    )
    return found[0].number if found else None


async def started_by(session: AsyncSession, ticket_id: UUID) -> Sequence[Fetched]:
    """The tickets that a ticket's outcomes started."""
    return await rows(session, "SELECT id, number, kind, outcome, closed_at FROM ticket WHERE parent_id = $1 ORDER BY number", ticket_id)


async def tickets_that_end_on(session: AsyncSession, *, events: Sequence[str], customers: Sequence[UUID]) -> Sequence[Fetched]:
    """Open tickets (`id`, `customer_id`) of these customers whose procedure closes on one of the events, and on which; oldest first."""
    return await rows(
        session,
        "SELECT t.id, t.customer_id, e.event FROM ticket t JOIN unnest($2::text[]) AS e(event) "
        "ON t.document -> 'closes_on' @> jsonb_build_array(jsonb_build_object('event', e.event)) "
        "WHERE t.customer_id = ANY($1::uuid[]) AND t.closed_at IS NULL ORDER BY t.number",
        list(customers),
        list(events),
    )


WORKS = """
SELECT p.step ->> 'work' AS work, t.number, t.facts, s.state = 'FINISHED' AS done
FROM ticket t JOIN ticket_step s ON s.ticket_id = t.id
JOIN LATERAL jsonb_array_elements(t.document -> 'steps') AS p(step) ON p.step ->> 'code' = s.code
WHERE t.customer_id = $1 AND t.id <> $2 AND p.step ->> 'work' IS NOT NULL
AND (s.state = 'OPEN' OR (s.state = 'FINISHED' AND (t.closed_at IS NULL OR s.finished_at >= (
    SELECT max(c.settled_at) FROM suspension c WHERE c.customer_id = $1 AND c.state = 'SUSPENDED'
))))
ORDER BY done DESC, t.number DESC
"""
WAITING_FOR = """
SELECT DISTINCT t.id, t.number FROM ticket t JOIN ticket_step s ON s.ticket_id = t.id
JOIN LATERAL jsonb_array_elements(t.document -> 'steps') AS p(step) ON p.step ->> 'code' = s.code
WHERE t.customer_id = $1 AND t.closed_at IS NULL AND s.state = 'WAITING' AND p.step ->> 'work' = ANY($2::text[]) ORDER BY t.number
"""


async def works_elsewhere(session: AsyncSession, ticket: Ticket, services: Iterable[str]) -> dict[str, Elsewhere]:
    """What the customer's other tickets do, and have done, of the pieces of work that tickets share: of closed ones what was done since the
    customer was cut. `services` are the ids of those that the customer has. The customer is locked."""
    await session.flush()
    every = frozenset(services)
    found = await rows(session, WORKS, ticket.customer_id, ticket.id)
    # what is open comes last, and counts before what is done
    return {row.work: Elsewhere(row.number, row.done) for row in found if covers(row.facts, ticket.facts, every)}


async def tickets_that_wait_for(session: AsyncSession, *, customer_id: UUID, works: Collection[str]) -> Sequence[Ticket]:
    """The customer's open tickets that hold a step because another one had its piece of work, oldest first. The customer is locked."""
    found = await rows(session, WAITING_FOR, customer_id, sorted(works))
    tickets = await get_tickets(session, [row.id for row in found])
    return [tickets[row.id] for row in found]


async def ticket_of_request(session: AsyncSession, request_id: UUID) -> UUID | None:
    """The ticket that carries an order out."""
    found = await rows(session, "SELECT id FROM ticket WHERE request_id = $1", request_id)
    return found[0].id if found else None


async def list_tickets(
    session: AsyncSession, order: Order, *, desk: str | None, is_open: bool | None, customer_id: UUID | None, kind: str | None
) -> list[Placed[Fetched]]:
    """Tickets. A desk's are those assigned to it and those that wait for it."""
    return await order.rows(session, LIST, desk, is_open, customer_id, kind)


async def list_tasks(session: AsyncSession, order: Order, *, desks: Sequence[str], person: str | None) -> list[Placed[Fetched]]:
    """Open tasks of these desks and of this person."""
    return await order.rows(session, TASKS, list(desks), person)
