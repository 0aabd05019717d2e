"""What people, deadlines and the network do to the steps of a ticket, and what that means for the order behind it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, NetworkSwitch, Restriction, Ticket
from services.ticketing.operations import reconnections, restrictions, suspensions, tickets
from services.ticketing.operations.documents import keep_documents
from services.ticketing.operations.naming import what_may_be_named
from services.ticketing.operations.reconnections import Back
from services.ticketing.operations.telling import proof_of
from services.ticketing.operations.tickets import Move
from services.ticketing.queries.orders import debt_is_covered, reconnections_of, suspensions_by_id, suspensions_of
from services.ticketing.queries.tickets import get_ticket, tickets_that_end_on
from services.ticketing.rules.appointments import Appointment, Window
from services.ticketing.rules.states import ReconnectionState, SuspensionState
from services.ticketing.rules.switching import StepResult, SwitchAction
from services.ticketing.rules.ticket import Actor, DeadlinePassed, EventArrived, Finish, Schedule, SwitchResult
from shared.auth import Principal
from shared.db import lock
from shared.errors import Stale
from shared.operator import Operator
from shared.operator.procedures import ClosingEvent

LIMITS: tuple[SwitchAction, ...] = ("restrict", "release")


async def finish_step(
    session: AsyncSession,
    *,
    ticket_id: UUID,
    step: str,
    outcome: str,
    captured: Mapping[str, Any],
    comment: str | None,
    actor: Principal,
    seen: int,
    operator: Operator,
    now: datetime,
) -> Ticket:
    """A person finishes a task, having seen the ticket's revision `seen`.

    Raises NotFound, Stale, Refused (the rule, what is missing, who may) or Invalid (the form).
    """
    ticket, customer = await lock_ticket(session, ticket_id)
    _seen_as_it_is(ticket, seen)
    fields = next((each.capture for each in tickets.procedure_of(ticket).steps if each.code == step), [])
    day = now.astimezone(operator.zone).date()
    named = await what_may_be_named(session, customer=customer, fields=fields, given=captured, operator=operator, day=day)
    given = Finish(step, outcome, Actor(actor.person, actor.desks), captured, comment, named)
    await move(session, moves=[Move(ticket, customer, given)], operator=operator, now=now)
    await keep_documents(session, ticket_id=ticket.id, values=named.files.values())
    return ticket


async def schedule_step(
    session: AsyncSession, *, ticket_id: UUID, step: str, window: Window, actor: Principal, seen: int, operator: Operator, now: datetime
) -> Ticket:
    """A person agrees with the customer when a work order is done, having seen the ticket's revision `seen`.

    Raises NotFound, Stale, Refused (who may, not a work order) or Invalid (no business day, outside the working hours).
    """
    ticket, customer = await lock_ticket(session, ticket_id)
    _seen_as_it_is(ticket, seen)
    made = Appointment(window.day, window.opens, window.closes, window.technician, actor.person, now)
    given = Schedule(step, Actor(actor.person, actor.desks), made)
    await move(session, moves=[Move(ticket, customer, given)], operator=operator, now=now)
    return ticket


def _seen_as_it_is(ticket: Ticket, seen: int) -> None:
    if ticket.revision != seen:
        raise Stale(
            f"Usted leyó la versión {seen} del ticket y ya está la {ticket.revision}.",
            remedy="Léalo de nuevo y termine el paso si todavía corresponde.",
        )


async def pass_deadline(session: AsyncSession, *, ticket_id: UUID, step: str, number: int, operator: Operator, now: datetime) -> None:
    """A step is still open at its deadline: it counts as late."""
    ticket, customer = await lock_ticket(session, ticket_id)
    await move(session, moves=[Move(ticket, customer, DeadlinePassed(step, number))], operator=operator, now=now)


@dataclass(frozen=True)
class Settled:
    """What the network's answers mean for a step of a ticket."""

    ticket: Ticket
    customer: Customer
    step: str
    action: SwitchAction
    result: StepResult
    switches: Sequence[NetworkSwitch] = ()


async def settle_steps(session: AsyncSession, *, settled: Sequence[Settled], operator: Operator, now: datetime) -> None:
    """The network's answers for steps of tickets, none twice, are known. The customers are locked already.

    A cut that is done is told before its ticket closes; a reconnection that is owed follows after it has closed.
    """
    done = [each for each in settled if each.result.outcome == "done"]
    fallen = await _restrictions(session, done, now=now)
    cut = [each.ticket.id for each in done if each.action == "suspend"]
    cuts = await suspensions_of(session, cut) if cut else {}
    proofs = {each.ticket.id: proof_of(each.switches) for each in done}
    for ticket_id, order in cuts.items():
        await suspensions.carry_out(session, order=order, proof=proofs[ticket_id], now=now)
    await _conclude(session, [each for each in done if each.action == "reconnect"], done=True, now=now)
    moves = [Move(each.ticket, each.customer, SwitchResult(each.step, each.result.outcome, each.result.detail)) for each in settled]
    switched = {each.ticket.id for each in done if each.action != "change"}
    await move(session, moves=moves, ended=switched, operator=operator, now=now)
    await restrictions.let_go(session, orders=fallen, operator=operator, now=now)
    if cuts:
        customers = {each.customer_id for each in cuts.values()}
        await restrictions.give_way(session, customers=customers, operator=operator, now=now)
    for order in cuts.values():
        await suspensions.after_cut(session, order=order, operator=operator, now=now)
    back = [each.customer.id for each in done if each.action == "reconnect"]
    if back:
        await close_on_events(session, events=["service_reconnected"], customers=back, operator=operator, now=now)


async def _restrictions(session: AsyncSession, done: Sequence[Settled], *, now: datetime) -> Sequence[Restriction]:
    """Tell which services are restricted, and which are so no longer. Answers the restrictions that nobody wants any more."""
    proofs = {action: {each.ticket.id: proof_of(each.switches) for each in done if each.action == action} for action in LIMITS}
    if proofs["release"]:
        await restrictions.conclude(session, done=proofs["release"], now=now)
    return await restrictions.carry_out(session, done=proofs["restrict"], now=now) if proofs["restrict"] else ()


async def _conclude(session: AsyncSession, ended: Sequence[Settled | Move], *, done: bool, now: datetime) -> None:
    """Conclude the reconnections that these tickets carry out and that are not concluded yet."""
    customers = {each.ticket.id: each.customer for each in ended}
    proofs = {each.ticket.id: proof_of(each.switches) for each in ended if isinstance(each, Settled)}
    found = await reconnections_of(session, customers) if customers else {}
    open_ones = {ticket: back for ticket, back in found.items() if done or back.state == ReconnectionState.ORDERED}
    if open_ones:
        cuts = await suspensions_by_id(session, [back.suspension_id for back in open_ones.values()])
        backs = [Back(back, cuts[back.suspension_id], customers[ticket], proofs.get(ticket, [])) for ticket, back in open_ones.items()]
        await reconnections.conclude(session, backs=backs, done=done, now=now)


async def close_on_events(
    session: AsyncSession, *, events: Sequence[ClosingEvent], customers: Sequence[UUID], operator: Operator, now: datetime
) -> None:
    """Something happened to these customers that their open tickets may end on (`closes_on` of the procedure that each began with).
    Whether the debt of a cut is covered is looked at only where a ticket ends on it."""
    for row in await tickets_that_end_on(session, events=events, customers=customers):
        if row.event == "debt_covered" and not await debt_is_covered(session, row.customer_id):
            continue
        ticket, customer = await lock_ticket(session, row.id)
        await move(session, moves=[Move(ticket, customer, EventArrived(row.event))], operator=operator, now=now)


async def move(session: AsyncSession, *, moves: Sequence[Move], ended: Collection[UUID] = (), operator: Operator, now: datetime) -> None:
    """Advance locked tickets; of those that close by it the orders end, too, but for tickets whose orders `ended` already."""
    moving = [each for each in moves if each.ticket.closed_at is None or isinstance(each.given, Finish | Schedule)]
    await tickets.advance(session, moves=moving, operator=operator, now=now)
    closed = [each for each in moving if each.ticket.closed_at is not None and each.ticket.id not in ended]
    if closed:
        for order in (await suspensions_of(session, [each.ticket.id for each in closed])).values():
            if order.state == SuspensionState.REQUESTED:
                await suspensions.fall(session, order, "refused", now=now)
        await _conclude(session, closed, done=False, now=now)
        await restrictions.fall(session, closed=[each.ticket.id for each in closed], now=now)


async def lock_ticket(session: AsyncSession, ticket_id: UUID) -> tuple[Ticket, Customer]:
    """A ticket with everything of its customer locked. Raises NotFound."""
    ticket = await get_ticket(session, ticket_id)
    customer = await lock(session, Customer, ticket.customer_id)
    await session.refresh(ticket)
    return ticket, customer
