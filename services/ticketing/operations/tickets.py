"""Let the engine move a ticket, keep what became of it, and let follow what does."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Ticket, TicketStep
from services.ticketing.operations.effects import Course, carry_out
from services.ticketing.operations.keeping import Kept
from services.ticketing.operations.telling import finished_tasks, told_opened
from services.ticketing.queries.facts import deliveries_on, services_on
from services.ticketing.queries.tickets import Seen, as_engine, engine_tickets, tickets_that_wait_for, works_elsewhere
from services.ticketing.rules import engine
from services.ticketing.rules.facts import DELIVERY, Fact, delivered, learned
from services.ticketing.rules.refusals import NotTheirs, gone_procedure
from services.ticketing.rules.states import StepState
from services.ticketing.rules.ticket import WORK_LEFT, EventArrived, Input, Open, StartProcedure, Turn
from services.ticketing.rules.ticket import Ticket as EngineTicket
from shared.bulk import Part, made
from shared.calendar import BusinessCalendar
from shared.db import new_id, rows
from shared.operator import Operator, Procedure
from shared.outbox import Outgoing, publish_many

NUMBERS = "SELECT nextval(pg_get_serial_sequence('ticket', 'number')) AS number FROM generate_series(1, $1)"


@dataclass(frozen=True)
class NewTicket:
    """What a ticket is opened for. `request_id` is the order that it carries out, `parent_id` the ticket whose outcome started it, `facts`
    what is known from the beginning (how the services are delivered is added where it does not say)."""

    procedure: Procedure
    customer: Customer
    request_id: UUID | None
    requested_by: str
    agent: str | None
    parent_id: UUID | None = None
    facts: Sequence[Fact] = field(default_factory=tuple)
    id: UUID = field(default_factory=new_id)


def procedure_of(ticket: Ticket) -> Procedure:
    """The procedure that the ticket began with."""
    return _procedure(json.dumps(ticket.document))


@lru_cache(maxsize=200)
def _procedure(document: str) -> Procedure:
    return Procedure.model_validate_json(document)


@dataclass(frozen=True)
class Move:
    """One input for one ticket, whose customer is locked."""

    ticket: Ticket
    customer: Customer
    given: Input


async def open_ticket(session: AsyncSession, *, new: NewTicket, operator: Operator, now: datetime) -> Ticket:
    """Begin a procedure. The customer is locked already."""
    return (await open_tickets(session, news=[new], operator=operator, now=now))[0]


async def open_tickets(
    session: AsyncSession, *, news: Sequence[NewTicket], beside: Sequence[Part] = (), operator: Operator, now: datetime
) -> list[Ticket]:
    """Begin procedures, in the order given; what is `beside` them is written with them. The customers are locked already."""
    numbers = await rows(session, NUMBERS, len(news))
    procedures = {new.procedure.code: new.procedure for new in news}
    documents = {code: each.model_dump(mode="json", by_alias=True, exclude_none=True) for code, each in procedures.items()}
    today = now.astimezone(operator.zone).date()
    opened = [_ticket(new, documents[new.procedure.code], row.number, today, now) for new, row in zip(news, numbers, strict=True)]
    told = [told_opened(ticket, now) for ticket in opened]
    moves = [Move(ticket, new.customer, Open()) for ticket, new in zip(opened, news, strict=True)]
    seen = {ticket.id: Seen(as_engine(ticket, [])) for ticket in opened}
    await _advance(session, moves, seen, begun=opened, told=told, beside=beside, operator=operator, now=now)
    return opened


async def advance(session: AsyncSession, *, moves: Sequence[Move], operator: Operator, now: datetime) -> None:
    """Let one input move each of these tickets (no ticket twice) and carry the effects out. The customers are locked already.

    Raises Refused or Invalid with the operator's names; then nothing has changed.
    """
    seen = await engine_tickets(session, [move.ticket for move in moves])
    await _advance(session, moves, seen, operator=operator, now=now)


async def _advance(
    session: AsyncSession,
    moves: Sequence[Move],
    seen: Mapping[UUID, Seen],
    *,
    begun: Sequence[Ticket] = (),
    told: Sequence[Outgoing] = (),
    beside: Sequence[Part] = (),
    operator: Operator,
    now: datetime,
) -> None:
    """The same for tickets as they are `seen`, some of which begin; `told` goes before what they tell, `beside` goes with them."""
    courses, news, kept = list[Course](), list[NewTicket](), Kept(begun=[*begun])
    for move in moves:
        course, state = await _run(session, move, seen[move.ticket.id], kept, operator, now)
        courses.append(course)
        news += [_started(course, each, state) for each in course.started]
    told = [*told, *(each for course in courses for each in course.told)]
    await publish_many(session, told, now=now, beside=[*kept.parts(), *beside])
    if news:
        await open_tickets(session, news=news, operator=operator, now=now)
    for course in courses:
        await _leave(session, course)


async def _run(session: AsyncSession, move: Move, seen: Seen, kept: Kept, operator: Operator, now: datetime) -> tuple[Course, EngineTicket]:
    """Give a ticket its input and what follows from that, until nothing does; answers the course, and how the ticket is after it."""
    ticket, before, procedure = move.ticket, seen.state, procedure_of(move.ticket)
    calendar = await _calendar(session, procedure, operator, now)
    if any(each.work for each in procedure.steps):
        services = services_on(move.customer, now.astimezone(operator.zone).date())
        await kept.write(session)
        elsewhere = await works_elsewhere(session, ticket, (str(each.service_id) for each in services))
        before = replace(before, elsewhere=elsewhere)
    course = Course(ticket, move.customer, procedure, operator, now, kept, inputs=[move.given])
    turns = {(row.code, row.number): row for row in seen.rows}
    while course.inputs:
        try:
            after, effects = engine.step(procedure, before, course.inputs.pop(0), now, calendar)
        except NotTheirs as refusal:
            raise refusal.named(names_of(operator)) from None
        _store(course, turns, before, after)
        course.told += finished_tasks(ticket, procedure, before, after, operator)
        await carry_out(session, course, after, effects)
        before = after
    kept.moved[ticket.id] = ticket
    return course, before


async def _leave(session: AsyncSession, course: Course) -> None:
    """Let the customer's other tickets have the pieces of work that this one left (rules/sharing.py). The customer is locked."""
    if course.left:
        for ticket in await tickets_that_wait_for(session, customer_id=course.customer.id, works=course.left):
            given = Move(ticket, course.customer, EventArrived(WORK_LEFT))
            await advance(session, moves=[given], operator=course.operator, now=course.now)


def _started(course: Course, start: StartProcedure, state: EngineTicket) -> NewTicket:
    """The ticket of a procedure that an outcome starts: it knows what this one knows."""
    procedure = course.operator.procedures.get(start.code)
    if procedure is None:
        raise gone_procedure(course.procedure, start.code)
    facts = learned(course.operator, course.procedure, state, facts_of(course.ticket))
    return NewTicket(procedure, course.customer, None, start.by, course.ticket.agent, course.ticket.id, facts)


def facts_of(ticket: Ticket) -> list[Fact]:
    """What was known of a ticket when it began."""
    return [Fact.model_validate(each) for each in ticket.facts]


def names_of(operator: Operator) -> dict[str, str]:
    """Desks and people, by code, as the operator calls them."""
    return {desk.code: desk.name for desk in operator.desks} | {each.person: each.name for each in operator.people}


def _store(course: Course, rows_of: dict[tuple[str, int], TicketStep], before: EngineTicket, after: EngineTicket) -> None:
    """Keep the turns that changed; `rows_of` are the rows of those that were there."""
    known = {(turn.code, turn.number): turn for turn in before.turns}
    changed = [(place, turn) for place, turn in enumerate(after.turns) if known.get((turn.code, turn.number)) != turn]
    for place, turn in changed:
        was, work = known.get((turn.code, turn.number)), course.procedure.step(turn.code).work
        if work is not None and was is not None and was.state is StepState.OPEN is not turn.state:
            course.left.add(work)
        values = _values(course.procedure, after, place, turn, course.operator)
        if (row := rows_of.get((turn.code, turn.number))) is not None:
            for name, value in values.items():
                if getattr(row, name) != value:  # to set an attribute costs twenty times as much as to look
                    setattr(row, name, value)
            course.kept.changed[course.ticket.id, turn.code, turn.number] = row
        else:
            row = made(TicketStep, ticket_id=course.ticket.id, code=turn.code, number=turn.number, **values)
            rows_of[turn.code, turn.number] = row
            course.kept.turns.append(row)
    if changed or before.closed != after.closed:
        course.ticket.revision += 1


def _values(procedure: Procedure, state: EngineTicket, place: int, turn: Turn, operator: Operator) -> dict[str, Any]:
    """What is kept of a turn beside its key."""
    task = procedure.step(turn.code)
    person = desk = None
    if task.kind == "task":
        owner = engine.owner_of(procedure, state, task)
        found = operator.person(owner.person) if owner.person else None
        person, desk = owner.person, found.desks[0] if found else owner.desk
    return {
        "place": place,
        "task": task.kind == "task",
        "state": turn.state,
        "person": person,
        "desk": desk,
        "opened_at": turn.opened_at,
        "deadline": turn.deadline,
        "late": turn.late,
        "finished_at": turn.finished_at,
        "finished_by": turn.by,
        "outcome": turn.outcome,
        "filled": dict(turn.filled),
        "appointment": turn.appointment.kept() if turn.appointment else None,
        "captured": dict(turn.captured),
        "comment": turn.comment,
    }


def _ticket(new: NewTicket, document: dict[str, Any], number: int, today: date, now: datetime) -> Ticket:
    facts = [each.model_dump(mode="json") for each in new.facts]
    if not any(each.name == DELIVERY for each in new.facts):
        facts.insert(0, delivered(deliveries_on(new.customer, today)).model_dump(mode="json"))
    return made(
        Ticket,
        id=new.id,
        number=number,
        customer_id=new.customer.id,
        request_id=new.request_id,
        parent_id=new.parent_id,
        facts=facts,
        kind=new.procedure.kind,
        procedure=new.procedure.code,
        procedure_version=new.procedure.version,
        document=document,
        desk=new.procedure.desk,
        requested_by=new.requested_by,
        agent=new.agent,
        opened_at=now,
        revision=0,
        version=1,
    )


async def _calendar(session: AsyncSession, procedure: Procedure, operator: Operator, now: datetime) -> BusinessCalendar:
    """The stored calendar where a deadline counts business time or a work order has an appointment, else one that nobody asks."""
    deadlines = [each.deadline for each in procedure.steps if each.deadline]
    if not any(each.hours is None for each in deadlines) and not any(each.work_order for each in procedure.steps):
        return BusinessCalendar(operator)
    year = now.astimezone(operator.zone).year
    return await BusinessCalendar.load(session, operator, [year - 1, year, year + 1])
