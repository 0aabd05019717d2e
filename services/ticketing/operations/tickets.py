"""Let the engine move a ticket, and carry out what follows: rows, timers, switches, events."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Ticket, TicketStep
from services.ticketing.operations.queueing import cancel_switches, queue_switches
from services.ticketing.operations.telling import finished_tasks
from services.ticketing.queries.tickets import Seen, as_engine, engine_tickets
from services.ticketing.rules import engine
from services.ticketing.rules.refusals import NotTheirs
from services.ticketing.rules.ticket import (
    ArmDeadline,
    CancelDeadline,
    CancelSwitch,
    Closed,
    Effect,
    Input,
    Open,
    SwitchNetwork,
    SwitchResult,
    Turn,
)
from services.ticketing.rules.ticket import Ticket as EngineTicket
from shared import timers
from shared.calendar import BusinessCalendar
from shared.db import new_id, rows
from shared.events.ticketing import TicketClosed, TicketOpened
from shared.operator import Operator, Procedure
from shared.outbox import Outgoing, publish_many

DEADLINE = "step_deadline"
NUMBERS = "SELECT nextval(pg_get_serial_sequence('ticket', 'number')) AS number FROM generate_series(1, $1)"


@dataclass(frozen=True)
class NewTicket:
    """What a ticket is opened for. `request_id` is the order that it carries out."""

    procedure: Procedure
    customer: Customer
    request_id: UUID | None
    requested_by: str
    agent: str | None


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


async def open_tickets(session: AsyncSession, *, news: Sequence[NewTicket], operator: Operator, now: datetime) -> list[Ticket]:
    """Begin procedures, in the order given. The customers are locked already."""
    numbers = await rows(session, NUMBERS, len(news))
    procedures = {new.procedure.code: new.procedure for new in news}
    documents = {code: each.model_dump(mode="json", exclude_none=True) for code, each in procedures.items()}
    opened = [_ticket(new, documents[new.procedure.code], row.number, now) for new, row in zip(news, numbers, strict=True)]
    session.add_all(opened)
    await session.flush()
    await publish_many(session, [_told_opened(ticket, now) for ticket in opened], now=now)
    moves = [Move(ticket, new.customer, Open()) for ticket, new in zip(opened, news, strict=True)]
    await _advance(session, moves, {ticket.id: Seen(as_engine(ticket, [])) for ticket in opened}, operator=operator, now=now)
    return opened


async def advance(session: AsyncSession, *, moves: Sequence[Move], operator: Operator, now: datetime) -> None:
    """Let one input move each of these tickets (no ticket twice) and carry the effects out. The customers are locked already.

    Raises Refused or Invalid with the operator's names; then nothing has changed.
    """
    seen = await engine_tickets(session, [move.ticket for move in moves])
    await _advance(session, moves, seen, operator=operator, now=now)


async def _advance(session: AsyncSession, moves: Sequence[Move], seen: Mapping[UUID, Seen], *, operator: Operator, now: datetime) -> None:
    told: list[Outgoing] = []
    for move in moves:
        ticket, before = move.ticket, seen[move.ticket.id].state
        procedure = procedure_of(ticket)
        calendar = await _calendar(session, procedure, operator, now)
        pending: list[Input] = [move.given]
        while pending:
            try:
                after, effects = engine.step(procedure, before, pending.pop(), now, calendar)
            except NotTheirs as refusal:
                raise refusal.named(names_of(operator)) from None
            await _store(session, ticket, procedure, before, after, operator)
            told += finished_tasks(ticket, procedure, before, after)
            pending = await _carry_out(session, move, after, effects, told, operator=operator, now=now)
            before = after
    await session.flush()
    await publish_many(session, told, now=now)


def names_of(operator: Operator) -> dict[str, str]:
    """Desks and people, by code, as the operator calls them."""
    return {desk.code: desk.name for desk in operator.desks} | {each.person: each.name for each in operator.people}


async def _carry_out(
    session: AsyncSession,
    move: Move,
    state: EngineTicket,
    effects: Sequence[Effect],
    told: list[Outgoing],
    *,
    operator: Operator,
    now: datetime,
) -> list[Input]:
    """Do what the effects say, adding what there is to tell; answer what that in turn gives the engine to know."""
    ticket, following = move.ticket, list[Input]()
    for effect in effects:
        match effect:
            case SwitchNetwork(step, action):
                turn = state.latest(step)
                assert turn is not None
                day = now.astimezone(operator.zone).date()
                result = queue_switches(session, ticket=ticket, turn=turn, action=action, customer=move.customer, day=day, now=now)
                if result is not None:
                    following.append(SwitchResult(step, result.outcome, result.detail))
            case CancelSwitch(step):
                await cancel_switches(session, ticket_id=ticket.id, step=step, now=now)
            case ArmDeadline(step, number, at):
                await timers.arm(
                    session,
                    kind=DEADLINE,
                    key=f"{ticket.id}/{step}/{number}",
                    due_at=at,
                    payload={"ticket_id": str(ticket.id), "step": step, "number": number},
                )
            case CancelDeadline(step, number):
                await timers.cancel(session, kind=DEADLINE, key=f"{ticket.id}/{step}/{number}")
            case Closed(outcome, comment):
                told.append(_close(ticket, outcome, comment, now))
            case _:
                pass  # tasks and lateness are in the steps' rows
    return following


async def _store(
    session: AsyncSession, ticket: Ticket, procedure: Procedure, before: EngineTicket, after: EngineTicket, operator: Operator
) -> None:
    """Keep the turns that changed."""
    known = {(turn.code, turn.number): turn for turn in before.turns}
    changed = [(place, turn) for place, turn in enumerate(after.turns) if known.get((turn.code, turn.number)) != turn]
    for place, turn in changed:
        row = _row(ticket, procedure, after, place, turn, operator)
        if (turn.code, turn.number) in known:
            await session.merge(row)  # which `seen` holds: nothing is read again
        else:
            session.add(row)
    if changed or before.closed != after.closed:
        ticket.revision += 1


def _row(ticket: Ticket, procedure: Procedure, state: EngineTicket, place: int, turn: Turn, operator: Operator) -> TicketStep:
    task = procedure.step(turn.code)
    row = TicketStep(
        ticket_id=ticket.id,
        code=turn.code,
        number=turn.number,
        place=place,
        task=task.kind == "task",
        state=turn.state,
        opened_at=turn.opened_at,
        deadline=turn.deadline,
        late=turn.late,
        finished_at=turn.finished_at,
        finished_by=turn.by,
        outcome=turn.outcome,
        captured=dict(turn.captured),
        comment=turn.comment,
    )
    if row.task:
        owner = engine.owner_of(procedure, state, task)
        person = operator.person(owner.person) if owner.person else None
        row.person = owner.person
        row.desk = person.desks[0] if person else owner.desk
    return row


def _ticket(new: NewTicket, document: dict[str, Any], number: int, now: datetime) -> Ticket:
    return Ticket(
        id=new_id(),
        number=number,
        customer_id=new.customer.id,
        request_id=new.request_id,
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


def _told_opened(ticket: Ticket, now: datetime) -> Outgoing:
    event = TicketOpened(
        ticket_id=ticket.id,
        number=ticket.number or 0,
        customer_id=ticket.customer_id,
        kind=ticket.kind,
        procedure=ticket.procedure,
        desk=ticket.desk,
        requested_by=ticket.requested_by,
        request_id=ticket.request_id,
        opened_at=now,
    )
    return Outgoing(event, f"ticket/{ticket.id}", ticket.version)


def _close(ticket: Ticket, outcome: str, comment: str | None, now: datetime) -> Outgoing:
    ticket.closed_at, ticket.outcome, ticket.comment = now, outcome, comment
    ticket.version += 1
    event = TicketClosed(
        ticket_id=ticket.id,
        number=ticket.number or 0,
        customer_id=ticket.customer_id,
        kind=ticket.kind,
        procedure=ticket.procedure,
        outcome=outcome,
        comment=comment,
        requested_by=ticket.requested_by,
        request_id=ticket.request_id,
        closed_at=now,
    )
    return Outgoing(event, f"ticket/{ticket.id}", ticket.version)


async def _calendar(session: AsyncSession, procedure: Procedure, operator: Operator, now: datetime) -> BusinessCalendar:
    """The stored calendar where a deadline counts business time, else one that nobody asks."""
    deadlines = [each.deadline for each in procedure.steps if each.deadline]
    if not any(each.hours is None for each in deadlines):
        return BusinessCalendar(operator)
    year = now.astimezone(operator.zone).year
    return await BusinessCalendar.load(session, operator, [year, year + 1])
