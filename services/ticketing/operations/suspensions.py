"""Orders to cut, and what meets them: payments, withdrawals, the network's answer.

# Note [A payment against a cut]
Everything about one customer happens under the lock of its row, and a switch is claimed under the lock of its own, which the engine's
view of a ticket takes too. So a payment finds a cut either untouched, and cancels it, or touched: then the cut is let to its end, and
only when its outcome is known does `after_cut` order the reconnection, judging by what is still paid for at that moment. A payment
that is only heard of after the cut but was reported before it counts as one that crossed (`meet_payments`).

# Note [The same instant]
Where business time is simulated, a payment and a cut may bear the same instant. Then the machine's clock decides: a payment's id is
time-ordered, and the cut keeps the machine's time beside the business time.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Payment, Suspension, Ticket
from services.ticketing.operations import reconnections, tickets
from services.ticketing.queries.facts import get_payments, is_covered, is_paid_for
from services.ticketing.queries.orders import live_reconnection, live_suspensions
from services.ticketing.queries.tickets import engine_ticket, get_ticket
from services.ticketing.rules.engine import cancellable
from services.ticketing.rules.states import ReconnectionState, SuspensionState
from services.ticketing.rules.ticket import THE_SYSTEM, Cancel, Cause, Finish
from shared.clock import machine_now
from shared.db import lock
from shared.events.billing import PaymentAllocated, PaymentConfirmed, PaymentReported
from shared.events.ticketing import ServiceSuspended, SuspensionCancelled, SwitchProof
from shared.operator import REQUESTER, Operator
from shared.outbox import publish

COMMENTS: dict[Cause, str] = {
    "payment": "El pago se reportó antes de la suspensión: la suspensión se cancela.",
    "withdrawn": "Cobros retiró la orden antes de la suspensión.",
}
COMPLETED: dict[Cause, str] = {
    "payment": "El pago se reportó cuando el proveedor ya había suspendido: el sistema completa la suspensión para ordenar la reconexión.",
    "withdrawn": "Cobros retiró la orden cuando el proveedor ya había suspendido: el sistema completa la suspensión para reconectar.",
}


async def meet_payments(
    session: AsyncSession,
    *,
    told: Sequence[PaymentReported] | Sequence[PaymentConfirmed] | Sequence[PaymentAllocated],
    operator: Operator,
    now: datetime,
) -> None:
    """Let the payments that are told of (already remembered, their customers locked) meet the orders of their customers."""
    orders = await live_suspensions(session, {each.customer_id for each in told})
    payments = await get_payments(session, [each.payment_id for each in told]) if orders else ()
    for order in orders:
        requested = order.state == SuspensionState.REQUESTED
        crossed = any(each.customer_id == order.customer_id and _was_before(each, order) for each in payments)
        if not (requested or crossed) or not await is_covered(session, order):
            continue
        if requested:
            await release(session, order=order, cause="payment", operator=operator, now=now)
        else:
            order.crossed = True
            await reconnections.order_reconnection(session, order=order, cause="payment", operator=operator, now=now)


async def meet_voids(session: AsyncSession, *, customers: Sequence[UUID], operator: Operator, now: datetime) -> None:
    """Voided invoices (already remembered, their customers locked) may take the ground from orders that are not carried out yet."""
    for order in await live_suspensions(session, customers):
        if order.state == SuspensionState.REQUESTED and await is_covered(session, order):
            cause: Cause = "payment" if await is_paid_for(session, order) else "withdrawn"
            await release(session, order=order, cause=cause, operator=operator, now=now)


async def release(session: AsyncSession, *, order: Suspension, cause: Cause, operator: Operator, now: datetime) -> None:
    """The order under way no longer stands: cancel it, or if it cannot be stopped, help it to its end. The customer is locked already."""
    ticket = await _ticket(session, order)
    procedure = tickets.procedure_of(ticket)
    if ticket.closed_at is not None:
        return
    customer = await lock(session, Customer, order.customer_id)
    if cancellable(procedure, await engine_ticket(session, ticket)):
        given = Cancel(cause, COMMENTS[cause])
        await tickets.advance(session, moves=[tickets.Move(ticket, customer, given)], operator=operator, now=now)
        await fall(session, order, cause, now=now)
    else:
        order.crossed = True
        await _complete(session, ticket, customer, cause, operator=operator, now=now)


async def carry_out(session: AsyncSession, *, order: Suspension, proof: list[SwitchProof], now: datetime) -> None:
    """The network did cut the service: tell it, and what stands behind it. The customer is locked already."""
    if order.state != SuspensionState.REQUESTED:
        order.withdrawn_at = order.withdrawn_at or now  # it had fallen already, and yet the network did it
    order.state, order.settled_at, order.settled_machine_at = SuspensionState.SUSPENDED, now, machine_now()
    order.version += 1
    assert order.ticket_id is not None
    event = ServiceSuspended(
        suspension_id=order.id, ticket_id=order.ticket_id, customer_id=order.customer_id, suspended_at=now, proof=proof
    )
    await publish(session, event, subject=f"suspension/{order.id}", version=order.version, now=now)


async def after_cut(session: AsyncSession, *, order: Suspension, operator: Operator, now: datetime) -> None:
    """The cut is done and told, its ticket moved on: send the reconnection that waited for it, or order the one that is owed."""
    held = await live_reconnection(session, order.id)
    if held is not None and held.state == ReconnectionState.HELD:
        await reconnections.send(session, reconnection=held, order=order, operator=operator, now=now)
    elif held is None and await is_covered(session, order):
        await reconnections.order_reconnection(session, order=order, cause="payment", operator=operator, now=now)
    elif held is None and order.withdrawn_at is not None:
        await reconnections.order_reconnection(session, order=order, cause="withdrawn", operator=operator, now=now)


async def fall(session: AsyncSession, order: Suspension, cause: str, *, now: datetime) -> None:
    """The order ended without a cut: tell why. A reconnection that waited for its outcome has nothing to do."""
    order.state = SuspensionState.REFUSED if cause == "refused" else SuspensionState.CANCELLED
    order.settled_at, order.settled_machine_at = now, machine_now()
    order.version += 1
    assert order.ticket_id is not None
    event = SuspensionCancelled.model_validate(
        {"suspension_id": order.id, "ticket_id": order.ticket_id, "customer_id": order.customer_id, "cause": cause, "cancelled_at": now}
    )
    await publish(session, event, subject=f"suspension/{order.id}", version=order.version, now=now)
    held = await live_reconnection(session, order.id)
    if held is not None:
        held.state = ReconnectionState.VOID
    await session.flush()


async def _complete(session: AsyncSession, ticket: Ticket, customer: Customer, cause: Cause, *, operator: Operator, now: datetime) -> None:
    """Finish what the requester would have to click: nobody stays cut because a person has not clicked."""
    procedure = tickets.procedure_of(ticket)
    while True:
        state = await engine_ticket(session, ticket)
        mine = [task for task in procedure.steps if task.role == REQUESTER and task.code in state.open]
        ready = [task for task in mine if len(task.outcomes) == 1 and not any(each.required for each in task.capture)]
        if not ready:
            return
        task = ready[0]
        given = Finish(task.code, next(iter(task.outcomes)), THE_SYSTEM, comment=COMPLETED[cause])
        await tickets.advance(session, moves=[tickets.Move(ticket, customer, given)], operator=operator, now=now)


async def _ticket(session: AsyncSession, order: Suspension) -> Ticket:
    assert order.ticket_id is not None
    return await get_ticket(session, order.ticket_id)


def _was_before(payment: Payment, order: Suspension) -> bool:
    """Was the payment reported before the cut was done? See Note [The same instant]."""
    if order.settled_at is None or order.settled_machine_at is None:
        return False
    if payment.reported_at != order.settled_at or payment.id.version != 7:
        return payment.reported_at < order.settled_at
    made = datetime.fromtimestamp((payment.id.int >> 80) / 1000, UTC)
    return made < order.settled_machine_at
