"""Carry out what the engine says follows: timers, switches, agreements, what the system looks up, what is told in the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Ticket
from services.ticketing.operations.keeping import Kept
from services.ticketing.operations.queueing import cancel_switches, queue_change, queue_release, queue_switches
from services.ticketing.operations.telling import told_agreement, told_closed, told_late, told_scheduled
from services.ticketing.queries.facts import look_up
from services.ticketing.rules.facts import LEFT_ON
from services.ticketing.rules.ticket import (
    ArmDeadline,
    CancelDeadline,
    CancelSwitch,
    Closed,
    Effect,
    Filled,
    FillIn,
    Input,
    Late,
    Scheduled,
    StartProcedure,
    SwitchNetwork,
    SwitchResult,
    TellAgreement,
    Timed,
    Told,
)
from services.ticketing.rules.ticket import Ticket as EngineTicket
from shared import timers
from shared.operator import Operator, Procedure
from shared.outbox import Outgoing

DEADLINE = "step_deadline"


@dataclass
class Course:
    """A ticket under way through one input: what is to be written and told at the end, what the engine is to know next, what begins beside
    it, which pieces of work other tickets may have now."""

    ticket: Ticket
    customer: Customer
    procedure: Procedure
    operator: Operator
    now: datetime
    kept: Kept
    inputs: list[Input] = field(default_factory=list)
    told: list[Outgoing] = field(default_factory=list)
    started: list[StartProcedure] = field(default_factory=list)
    left: set[str] = field(default_factory=set)


async def carry_out(session: AsyncSession, course: Course, state: EngineTicket, effects: Sequence[Effect]) -> None:
    """Do what the effects say. `state` is the ticket after the input."""
    ticket = course.ticket
    for effect in effects:
        match effect:
            case SwitchNetwork():
                await _switch(session, course, state, effect)
            case CancelSwitch(step):
                await course.kept.write(session)
                await cancel_switches(session, ticket_id=ticket.id, step=step, now=course.now)
            case TellAgreement(step, agreed):
                course.told.append(told_agreement(ticket, state, agreed, course.now))
                course.inputs.append(SwitchResult(step, "done"))
            case StartProcedure():
                course.started.append(effect)
            case FillIn(step, number):
                await _fill_in(session, course, step, number)
            case ArmDeadline() | CancelDeadline():
                await _time(session, course, effect)
            case Closed() | Late() | Scheduled():
                _tell(course, state, effect)
            case _:
                pass  # tasks are in the steps' rows


async def _time(session: AsyncSession, course: Course, effect: Timed) -> None:
    """Have the clock look at a step at its deadline, or not any more."""
    key = f"{course.ticket.id}/{effect.step}/{effect.number}"
    if isinstance(effect, CancelDeadline):
        await timers.cancel(session, kind=DEADLINE, key=key)
        return
    payload = {"ticket_id": str(course.ticket.id), "step": effect.step, "number": effect.number}
    await timers.arm(session, kind=DEADLINE, key=key, due_at=effect.at, payload=payload)


def _tell(course: Course, state: EngineTicket, effect: Told) -> None:
    """Keep for the end what there is to tell."""
    ticket = course.ticket
    if isinstance(effect, Closed):
        ticket.closed_at, ticket.outcome, ticket.comment = course.now, effect.outcome, effect.comment
        course.told.append(told_closed(ticket, course.procedure, state, course.operator))
    elif isinstance(effect, Late):
        course.told.append(told_late(ticket, course.procedure, state, effect, course.now))
    else:
        course.told.append(told_scheduled(ticket, course.procedure, state, effect.step))


async def _switch(session: AsyncSession, course: Course, state: EngineTicket, effect: SwitchNetwork) -> None:
    """Queue what the network has to do, or say at once that there is nothing."""
    turn, zone, kept = state.latest(effect.step), course.operator.zone, course.kept
    assert turn is not None
    day = course.now.astimezone(zone).date()
    if effect.action == "network.change":
        result = queue_change(
            session, kept, ticket=course.ticket, turn=turn, uses=effect.uses, customer=course.customer, day=day, zone=zone, now=course.now
        )
    elif effect.action == "network.release":
        result = await queue_release(session, kept, ticket=course.ticket, turn=turn, customer=course.customer, day=day, now=course.now)
    else:
        result = queue_switches(
            session,
            kept,
            ticket=course.ticket,
            turn=turn,
            action=effect.action,
            customer=course.customer,
            left_on=state.facts.get(LEFT_ON, ()),
            day=day,
            now=course.now,
        )
    if result is not None:
        course.inputs.append(SwitchResult(effect.step, result.outcome, result.detail))


async def _fill_in(session: AsyncSession, course: Course, step: str, number: int) -> None:
    """Look up what the step's form wants filled in; what nobody knows stays open."""
    found = await look_up(session, course.customer)
    wanted = {each.name: found.get(each.fill) for each in course.procedure.step(step).capture if each.fill}
    values = {name: {"value": value, "looked_up_at": course.now.isoformat()} for name, value in wanted.items() if value is not None}
    course.inputs.append(Filled(step, number, values))
