"""Orders to reconnect: at most one of a suspension, and sent only once the cut's outcome is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Reconnection, Suspension
from services.ticketing.operations import tickets
from services.ticketing.queries.facts import agents_of
from services.ticketing.queries.orders import live_reconnection
from services.ticketing.rules.states import ReconnectionState, SuspensionState
from services.ticketing.rules.ticket import SYSTEM, Cause
from shared.bulk import Changed, New, update
from shared.db import lock, new_id
from shared.events.ticketing import ReconnectionOrdered, ServiceReconnected, SwitchProof
from shared.operator import Operator, Policy
from shared.outbox import Outgoing, publish, publish_many

# Whose order to cut was withdrawn too late owes nobody a trial: it is as it was before.
WITHDRAWN_TARGET = "active"
# One that was held is there already.
WAITED = "ON CONFLICT (id) DO UPDATE SET state = excluded.state, ticket_id = excluded.ticket_id"


@dataclass(frozen=True)
class Back:
    """A reconnection, the cut that it ends, and its customer."""

    reconnection: Reconnection
    order: Suspension
    customer: Customer
    proof: list[SwitchProof] = field(default_factory=list)


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
    """Open the reconnection's ticket. The cut is known to be done. The session lets go of the reconnection, or it would write its ticket
    before there is one."""
    await session.flush()
    session.expunge(reconnection)
    customer = await lock(session, Customer, order.customer_id)
    await send_many(session, backs=[Back(reconnection, order, customer)], operator=operator, now=now)


async def send_many(session: AsyncSession, *, backs: Sequence[Back], operator: Operator, now: datetime) -> None:
    """Open the tickets of reconnections, none of the same cut twice. The customers are locked; the cuts are known to be done."""
    if not backs:
        return
    assert all(each.order.state == SuspensionState.SUSPENDED for each in backs)
    agents = await agents_of(session, [each.customer for each in backs])
    news = [tickets.NewTicket(
        operator.procedure(each.reconnection.procedure), each.customer, each.reconnection.id, each.reconnection.agent, _agent(each, agents)
    ) for each in backs]  # fmt: skip
    for each, new in zip(backs, news, strict=True):
        each.reconnection.state, each.reconnection.ticket_id = ReconnectionState.ORDERED, new.id
    orders = New([each.reconnection for each in backs], WAITED)
    opened = await tickets.open_tickets(session, news=news, beside=[orders], operator=operator, now=now)
    for each, ticket in zip(backs, opened, strict=True):
        if ticket.closed_at is not None:
            await conclude(session, backs=[each], done=ticket.outcome == "reconnected", now=now)


def _agent(back: Back, agents: Mapping[UUID, str | None]) -> str | None:
    asked = back.reconnection.agent if back.reconnection.agent != SYSTEM else None
    return asked or agents[back.customer.id] or (back.order.agent if back.order.agent != SYSTEM else None)


async def conclude(session: AsyncSession, *, backs: Sequence[Back], done: bool, now: datetime) -> None:
    """The network switched the services on (tell it), or the reconnections ended without that; others may then be asked for."""
    if not done:
        for each in backs:
            each.reconnection.state = ReconnectionState.REFUSED
        await update(session, [each.reconnection for each in backs], "state")
        return
    told = []
    for each in backs:
        back, order = each.reconnection, each.order
        back.state, order.state = ReconnectionState.DONE, SuspensionState.RECONNECTED
        order.version += 1
        assert back.ticket_id is not None
        event = ServiceReconnected(
            suspension_id=order.id,
            reconnection_id=back.id,
            ticket_id=back.ticket_id,
            customer_id=order.customer_id,
            basis=back.basis,
            target_status=back.target_status,
            reconnected_at=now,
            proof=each.proof,
        )
        told.append(Outgoing(event, f"suspension/{order.id}", order.version))
    ended = [Changed([each.reconnection for each in backs], ("state",)), Changed([each.order for each in backs], ("state", "version"))]
    await publish_many(session, told, now=now, beside=ended)


def _policy_of(order: Suspension, operator: Operator) -> Policy:
    """The policy whose cut this is, for what it says of reconnecting; the default one where none names the procedure any more."""
    for code in sorted(operator.policies):
        policy = operator.policies[code]
        by_delivery = policy.suspension.procedure
        if order.procedure in (by_delivery.own, by_delivery.third_party):
            return policy
    return operator.policies[operator.default_policy]
