"""Deliveries: claimed by a worker, tried, and what became of them.

# Note [One mail, whatever is killed]
A claim is a row with its holder and the machine time until which it holds. What a killed worker had is claimed again later and sent again,
under the same Message-ID: mail has no exactly-once, so a server that has it already can only be told so. Outcomes are recorded under the
message's row lock, and only by the holder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.notifier.models import Customer, Delivery, Message
from services.notifier.operations.failures import failure_event
from services.notifier.operations.messages import queue_delivery
from services.notifier.queries import deliveries_of
from services.notifier.rules.recipients import recipients
from services.notifier.rules.states import DeliveryState, MessageState, Outcome, message_state, verdict
from shared.db import execute, lock, ring, rows
from shared.errors import Conflict, NotFound
from shared.events.notifier import MessageAccepted
from shared.operator import Operator
from shared.outbox import publish, publish_many

CLAIM = """
UPDATE delivery d SET state = 'SENDING', holder = $1, claimed_until = clock_timestamp() + $2::interval, attempts = attempts + 1,
    next_attempt_at = NULL
FROM (SELECT id FROM delivery WHERE next_attempt_at <= $3 OR (state = 'SENDING' AND claimed_until < clock_timestamp())
      ORDER BY next_attempt_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) AS due
WHERE d.id = due.id RETURNING d.id
"""
LEASE = timedelta(seconds=90)


@dataclass(frozen=True)
class Claimed:
    """A delivery that this worker has, and its message."""

    delivery: Delivery
    message: Message


async def claim_deliveries(session: AsyncSession, *, holder: str, now: datetime, limit: int) -> Sequence[Claimed]:
    """Take deliveries that are due, and those whose worker has not been heard of. In the order in which they became due."""
    found = await rows(session, CLAIM, holder, LEASE, now, limit)
    query = select(Delivery, Message).join(Message, col(Message.id) == col(Delivery.message_id))
    query = query.where(col(Delivery.id).in_([row.id for row in found])).order_by(col(Message.id), col(Delivery.id))
    return [Claimed(delivery, message) for delivery, message in (await session.execute(query)).all()]


async def renew_claims(session: AsyncSession, *, holder: str) -> None:
    """This worker is alive: what it has stays its own."""
    sql = "UPDATE delivery SET claimed_until = clock_timestamp() + $2::interval WHERE holder = $1 AND state = 'SENDING'"
    await execute(session, sql, holder, LEASE)


async def record_outcome(session: AsyncSession, *, delivery_id: UUID, holder: str, outcome: Outcome, now: datetime) -> bool:
    """Keep what became of a try; tell of the message when all its deliveries are accepted, or when one needs a person's help.
    False, and nothing is kept, when the delivery is another worker's by now."""
    known = await session.get(Delivery, delivery_id)
    if known is None:
        return False
    message = await lock(session, Message, known.message_id)
    delivery = await lock(session, Delivery, delivery_id)
    if delivery.holder != holder or delivery.state != DeliveryState.SENDING:
        return False
    found = verdict(outcome, delivery.attempts, now)
    delivery.state, delivery.next_attempt_at = found.state, found.next_attempt_at
    delivery.smtp_code, delivery.detail = outcome.code, outcome.detail[:1000]
    delivery.attempted_at, delivery.holder, delivery.claimed_until = now, None, None
    if found.state is DeliveryState.ACCEPTED:
        delivery.accepted_at = now
    await session.flush()
    if found.helpless:
        message.version += 1
        told = failure_event(message, delivery, message.version, now)
        await publish_many(session, [told] if told else [], now=now)
    await _judge(session, message, now)
    return True


async def _judge(session: AsyncSession, message: Message, now: datetime) -> None:
    """The message's state follows from its deliveries; that all are accepted is told once."""
    deliveries = await deliveries_of(session, message.id)
    message.state = message_state([(DeliveryState(each.state), each.next_attempt_at is not None) for each in deliveries])
    if message.state != MessageState.ACCEPTED or message.accepted_at is not None:
        return
    message.accepted_at = max(each.accepted_at for each in deliveries if each.accepted_at)
    if message.customer_id is None:
        return
    message.version += 1
    event = MessageAccepted(
        message_id=message.id,
        customer_id=message.customer_id,
        notice=message.notice,
        reference=message.reference,
        recipients=len(deliveries),
        accepted_at=message.accepted_at,
    )
    await publish(session, event, subject=f"message/{message.id}", version=message.version, now=now)


async def retry_delivery(session: AsyncSession, *, operator: Operator, delivery_id: UUID, now: datetime) -> Message:
    """Try a failed or unknown delivery again, at once and with all its tries. One without an address goes to those that the customer has by
    now. Raises NotFound and Conflict."""
    known = await session.get(Delivery, delivery_id)
    if known is None:
        raise NotFound(f"No existe la entrega {delivery_id}.")
    message = await lock(session, Message, known.message_id)
    delivery = await lock(session, Delivery, delivery_id)
    if delivery.state not in {DeliveryState.FAILED, DeliveryState.UNKNOWN}:
        raise Conflict(
            f"La entrega está {delivery.state}: no hay nada que reintentar.", remedy="Solo se reintenta una entrega FAILED o UNKNOWN."
        )
    if delivery.address is None:
        await _find_addresses(session, operator, message, delivery, now)
    delivery.state, delivery.next_attempt_at, delivery.attempts = DeliveryState.QUEUED, now, 0
    delivery.smtp_code, delivery.detail = None, ""
    message.state = MessageState.QUEUED
    ring(session)
    await session.flush()
    return message


async def _find_addresses(session: AsyncSession, operator: Operator, message: Message, delivery: Delivery, now: datetime) -> None:
    """Give a delivery without an address the first that its notice finds now, and queue one more for each other."""
    customer = await session.get(Customer, message.customer_id) if message.customer_id else None
    notice = operator.notices.get(message.notice)
    found = recipients(notice, operator, customer.contacts if customer else []) if notice else []
    if not found:
        raise Conflict(
            "El cliente sigue sin dirección de correo.", remedy="Agréguela al cliente (PATCH /billing/customers/{id}) y reintente."
        )
    delivery.name, delivery.address = found[0].name, found[0].address
    message.recipients = [{"name": each.name, "address": each.address} for each in found]
    session.add_all([queue_delivery(operator, message, each, now) for each in found[1:]])
