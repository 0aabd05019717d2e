"""Let the engine move a ticket, and carry out what follows: rows, timers, switches, events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Ticket, TicketStep
from services.ticketing.operations.queueing import cancel_switches, queue_switches
from services.ticketing.queries.tickets import engine_ticket
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
from shared.db import new_id
from shared.events.ticketing import TicketClosed, TicketOpened
from shared.operator import Operator, Procedure
from shared.outbox import publish

DEADLINE = "step_deadline"


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
    return Procedure.model_validate(ticket.document)


async def open_ticket(session: AsyncSession, *, new: NewTicket, operator: Operator, now: datetime) -> tuple[Ticket, list[Effect]]:
    """Begin a procedure. The customer is locked already."""
    ticket = Ticket(
        id=new_id(),
        customer_id=new.customer.id,
        request_id=new.request_id,
        kind=new.procedure.kind,
        procedure=new.procedure.code,
        procedure_version=new.procedure.version,
        document=new.procedure.model_dump(mode="json", exclude_none=True),
        desk=new.procedure.desk,
        requested_by=new.requested_by,
        agent=new.agent,
        opened_at=now,
        revision=0,
        version=0,
    )
    session.add(ticket)
    await session.flush()
    await session.refresh(ticket, ["number"])
    await _tell_opened(session, ticket, now=now)
    return ticket, await advance(session, ticket=ticket, customer=new.customer, given=Open(), operator=operator, now=now)


async def advance(
    session: AsyncSession, *, ticket: Ticket, customer: Customer, given: Input, operator: Operator, now: datetime
) -> list[Effect]:
    """Let one input move the ticket, carry the effects out, and answer them. The customer is locked already.

    Raises Refused or Invalid with the operator's names; then nothing has changed.
    """
    procedure = procedure_of(ticket)
    calendar = await _calendar(session, procedure, operator, now)
    before = await engine_ticket(session, ticket)
    effects: list[Effect] = []
    after = before
    pending: list[Input] = [given]
    while pending:
        try:
            after, following = engine.step(procedure, after, pending.pop(), now, calendar)
        except NotTheirs as refusal:
            raise refusal.named(names_of(operator)) from None
        effects += following
        await _store(session, ticket, procedure, before, after, operator)
        pending = await _carry_out(session, ticket, customer, after, following, operator=operator, now=now)
        before = after
    return effects


def names_of(operator: Operator) -> dict[str, str]:
    """Desks and people, by code, as the operator calls them."""
    return {desk.code: desk.name for desk in operator.desks} | {each.person: each.name for each in operator.people}


async def _carry_out(
    session: AsyncSession,
    ticket: Ticket,
    customer: Customer,
    state: EngineTicket,
    effects: Sequence[Effect],
    *,
    operator: Operator,
    now: datetime,
) -> list[Input]:
    """Do what the effects say; answer what that in turn gives the engine to know."""
    following: list[Input] = []
    for effect in effects:
        match effect:
            case SwitchNetwork(step, action):
                turn = state.latest(step)
                assert turn is not None
                day = now.astimezone(operator.zone).date()
                result = await queue_switches(session, ticket=ticket, turn=turn, action=action, customer=customer, day=day, now=now)
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
                await _close(session, ticket, outcome, comment, now=now)
            case _:
                pass  # tasks and lateness are in the steps' rows
    return following


async def _store(
    session: AsyncSession, ticket: Ticket, procedure: Procedure, before: EngineTicket, after: EngineTicket, operator: Operator
) -> None:
    """Write the turns that changed."""
    known = {(turn.code, turn.number): turn for turn in before.turns}
    changed = [(place, turn) for place, turn in enumerate(after.turns) if known.get((turn.code, turn.number)) != turn]
    for place, turn in changed:
        await session.merge(_row(ticket, procedure, after, place, turn, operator))
    if changed or before.closed != after.closed:
        ticket.revision += 1
    await session.flush()


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


async def _close(session: AsyncSession, ticket: Ticket, outcome: str, comment: str | None, *, now: datetime) -> None:
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
    await publish(session, event, subject=f"ticket/{ticket.id}", version=ticket.version, now=now)


async def _tell_opened(session: AsyncSession, ticket: Ticket, *, now: datetime) -> None:
    ticket.version += 1
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
    await publish(session, event, subject=f"ticket/{ticket.id}", version=ticket.version, now=now)


async def _calendar(session: AsyncSession, procedure: Procedure, operator: Operator, now: datetime) -> BusinessCalendar:
    """The stored calendar where a deadline counts business time, else one that nobody asks."""
    deadlines = [each.deadline for each in procedure.steps if each.deadline]
    if not any(each.hours is None for each in deadlines):
        return BusinessCalendar(operator)
    year = now.astimezone(operator.zone).year
    return await BusinessCalendar.load(session, operator, [year, year + 1])
