"""Orders to reconnect: at most one of a suspension, and sent only once the cut's outcome is known."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Reconnection, Suspension
from services.ticketing.operations import tickets
from services.ticketing.queries.facts import agent_of
from services.ticketing.queries.orders import live_reconnection
from services.ticketing.rules.states import ReconnectionState, SuspensionState
from services.ticketing.rules.ticket import SYSTEM, Cause
from shared.db import lock, new_id
from shared.events.ticketing import ReconnectionOrdered, ServiceReconnected
from shared.operator import Operator, Policy
from shared.outbox import publish

# Whose order to cut was withdrawn too late owes nobody a trial: it is as it was before.
WITHDRAWN_TARGET = "active"


async def order_reconnection(session: AsyncSession, *, order: Suspension, cause: Cause, operator: Operator, now: datetime) -> None:
    """Reconnect without being asked, because a payment (or a withdrawal) crossed the cut. Nothing happens if one is under way or done."""
    if await live_reconnection(session, order.id) is not None:
        return
    policy = _policy_of(order, operator)
    target = policy.reconnection.target_status["payment"] if cause == "payment" else WITHDRAWN_TARGET
    reconnection = Reconnection(
        id=new_id(),
        suspension_id=order.id,
        customer_id=order.customer_id,
        procedure=policy.reconnection.procedure.own if order.delivery == "own" else policy.reconnection.procedure.third_party,
        basis=cause,
        target_status=target,
        rule=policy.rules["reconnection"],
        agent=SYSTEM,
        state=ReconnectionState.HELD,
        requested_at=now,
    )
    session.add(reconnection)
    order.version += 1
    event = ReconnectionOrdered(
        suspension_id=order.id, reconnection_id=reconnection.id, customer_id=order.customer_id, cause=cause, ordered_at=now
    )
    await publish(session, event, subject=f"suspension/{order.id}", version=order.version, now=now)
    await send(session, reconnection=reconnection, order=order, operator=operator, now=now)


async def send(session: AsyncSession, *, reconnection: Reconnection, order: Suspension, operator: Operator, now: datetime) -> None:
    """Open the reconnection's ticket. The cut is known to be done."""
    assert order.state == SuspensionState.SUSPENDED
    customer = await lock(session, Customer, order.customer_id)
    asked = reconnection.agent if reconnection.agent != SYSTEM else None
    agent = asked or await agent_of(session, customer) or (order.agent if order.agent != SYSTEM else None)
    procedure = operator.procedure(reconnection.procedure)
    reconnection.state = ReconnectionState.ORDERED
    new = tickets.NewTicket(procedure, customer, reconnection.id, reconnection.agent, agent)
    ticket, _ = await tickets.open_ticket(session, new=new, operator=operator, now=now)
    reconnection.ticket_id = ticket.id
    await session.flush()
    if ticket.closed_at is not None:
        await conclude(session, reconnection=reconnection, order=order, done=ticket.outcome == "reconnected", now=now)


async def conclude(session: AsyncSession, *, reconnection: Reconnection, order: Suspension, done: bool, now: datetime) -> None:
    """The network switched the service on (tell it), or the reconnection ended without that; another one may then be asked for."""
    if not done:
        reconnection.state = ReconnectionState.REFUSED
        await session.flush()
        return
    reconnection.state, order.state = ReconnectionState.DONE, SuspensionState.RECONNECTED
    order.version += 1
    assert reconnection.ticket_id is not None
    event = ServiceReconnected(
        suspension_id=order.id,
        reconnection_id=reconnection.id,
        ticket_id=reconnection.ticket_id,
        customer_id=order.customer_id,
        basis=reconnection.basis,
        target_status=reconnection.target_status,
        reconnected_at=now,
    )
    await publish(session, event, subject=f"suspension/{order.id}", version=order.version, now=now)


def _policy_of(order: Suspension, operator: Operator) -> Policy:
    """The policy whose cut this is, for what it says of reconnecting; the default one where none names the procedure any more."""
    for code in sorted(operator.policies):
        policy = operator.policies[code]
        by_delivery = policy.suspension.procedure
        if order.procedure in (by_delivery.own, by_delivery.third_party):
            return policy
    return operator.policies[operator.default_policy]
