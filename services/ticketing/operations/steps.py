"""What people, deadlines and the network do to the steps of a ticket, and what that means for the order behind it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Ticket
from services.ticketing.operations import reconnections, suspensions, tickets
from services.ticketing.queries.orders import reconnection_of, suspension_of
from services.ticketing.queries.tickets import get_ticket, tickets_that_end_on
from services.ticketing.rules.states import ReconnectionState, SuspensionState
from services.ticketing.rules.switching import StepResult, SwitchAction
from services.ticketing.rules.ticket import Actor, DeadlinePassed, EventArrived, Finish, Input, SwitchResult
from shared.auth import Principal
from shared.db import lock
from shared.errors import Stale
from shared.operator import Operator
from shared.operator.procedures import ClosingEvent


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
    if ticket.revision != seen:
        raise Stale(
            f"Usted leyó la versión {seen} del ticket y ya está la {ticket.revision}.",
            remedy="Léalo de nuevo y termine el paso si todavía corresponde.",
        )
    given = Finish(step, outcome, Actor(actor.person, actor.desks), captured, comment)
    await move(session, ticket=ticket, customer=customer, given=given, operator=operator, now=now)
    return ticket


async def pass_deadline(session: AsyncSession, *, ticket_id: UUID, step: str, number: int, operator: Operator, now: datetime) -> None:
    """A step is still open at its deadline: it counts as late."""
    ticket, customer = await lock_ticket(session, ticket_id)
    await move(session, ticket=ticket, customer=customer, given=DeadlinePassed(step, number), operator=operator, now=now)


async def settle_step(
    session: AsyncSession,
    *,
    ticket: Ticket,
    customer: Customer,
    step: str,
    action: SwitchAction,
    result: StepResult,
    operator: Operator,
    now: datetime,
) -> None:
    """The network's answer for a step is known. The customer is locked already.

    A cut that is done is told before its ticket closes; a reconnection that is owed follows after it has closed.
    """
    order = await suspension_of(session, ticket.id) if action == "suspend" and result.outcome == "done" else None
    if order is not None:
        await suspensions.carry_out(session, order=order, now=now)
    back = await reconnection_of(session, ticket.id) if action == "reconnect" and result.outcome == "done" else None
    if back is not None:
        cut = await suspensions.get_suspension(session, back.suspension_id)
        await reconnections.conclude(session, reconnection=back, order=cut, done=True, now=now)
    given = SwitchResult(step, result.outcome, result.detail)
    await move(session, ticket=ticket, customer=customer, given=given, operator=operator, now=now)
    if order is not None:
        await suspensions.after_cut(session, order=order, operator=operator, now=now)


async def close_on_event(
    session: AsyncSession, *, event: ClosingEvent, customers: Sequence[UUID], operator: Operator, now: datetime
) -> None:
    """Something happened to these customers that their open tickets may end on (`closes_on` of the procedure that each began with)."""
    for ticket_id in await tickets_that_end_on(session, event=event, customers=customers):
        ticket, customer = await lock_ticket(session, ticket_id)
        await move(session, ticket=ticket, customer=customer, given=EventArrived(event), operator=operator, now=now)


async def move(session: AsyncSession, *, ticket: Ticket, customer: Customer, given: Input, operator: Operator, now: datetime) -> None:
    """Advance a locked ticket; if that closes it, its order ends with it."""
    if ticket.closed_at is not None and not isinstance(given, Finish):
        return
    await tickets.advance(session, ticket=ticket, customer=customer, given=given, operator=operator, now=now)
    if ticket.closed_at is None:
        return
    order = await suspension_of(session, ticket.id)
    if order is not None and order.state == SuspensionState.REQUESTED:
        await suspensions.fall(session, order, "refused", now=now)
    back = await reconnection_of(session, ticket.id)
    if back is not None and back.state == ReconnectionState.ORDERED:
        cut = await suspensions.get_suspension(session, back.suspension_id)
        await reconnections.conclude(session, reconnection=back, order=cut, done=False, now=now)


async def lock_ticket(session: AsyncSession, ticket_id: UUID) -> tuple[Ticket, Customer]:
    """A ticket with everything of its customer locked. Raises NotFound."""
    ticket = await get_ticket(session, ticket_id)
    customer = await lock(session, Customer, ticket.customer_id)
    await session.refresh(ticket)
    return ticket, customer
