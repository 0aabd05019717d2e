"""Deliveries: claimed by a worker, tried, and what became of them.

# Note [One mail, whatever is killed]
A claim is a row with its holder and the machine time until which it holds. What a killed worker had is claimed again later and sent again,
under the same Message-ID: mail has no exactly-once, so a server that has it already can only be told so. Outcomes are recorded under the
messages' row locks, and only by the holder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col, select

from services.notifier.models import Customer, Delivery, Message
from services.notifier.operations.failures import failure_event
from services.notifier.operations.holding import place_again
from services.notifier.operations.messages import queue_delivery
from services.notifier.queries import deliveries_of, riders_of
from services.notifier.rules.mime import message_id
from services.notifier.rules.recipients import recipients
from services.notifier.rules.states import DeliveryState, MessageState, Outcome, message_state, verdict
from shared.db import lock, ring, rows
from shared.errors import Conflict, NotFound
from shared.events.notifier import DeliveryProof, MessageAccepted
from shared.lease import LEASE, holds, prolong
from shared.operator import Operator
from shared.outbox import Outgoing, publish_many

CLAIM = f"""
UPDATE delivery d SET state = 'SENDING', holder = $1, claimed_until = clock_timestamp() + $2::interval, attempts = attempts + 1,
    next_attempt_at = NULL
FROM (SELECT id FROM delivery WHERE next_attempt_at <= $3 OR (state = 'SENDING' AND NOT {holds("claimed_until", "$2")})
      ORDER BY next_attempt_at, id LIMIT $4 FOR UPDATE SKIP LOCKED) AS due
WHERE d.id = due.id RETURNING d.id
"""
WORDS = (Message.text, Message.html)  # most of a message, and they have gone out
WORDLESS = select(Message).options(*(defer(each) for each in WORDS))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Claimed:
    """A delivery that this worker has, and its message; `riders` are the messages that go out in its mail, too."""

    delivery: Delivery
    message: Message
    riders: Sequence[Message] = ()


@dataclass(frozen=True)
class Try:
    """What became of one try, and when (UTC, business)."""

    delivery_id: UUID
    outcome: Outcome
    at: datetime


async def claim_deliveries(session: AsyncSession, *, holder: str, now: datetime, limit: int) -> Sequence[Claimed]:
    """Take deliveries that are due, and those whose worker has not been heard of. In the order in which they became due."""
    found = await rows(session, CLAIM, holder, LEASE, now, limit)
    query = select(Delivery, Message).join(Message, col(Message.id) == col(Delivery.message_id))
    query = query.where(col(Delivery.id).in_([row.id for row in found])).order_by(col(Message.id), col(Delivery.id))
    riding = await riders_of(session, [row.id for row in found])
    return [Claimed(delivery, message, riding.get(delivery.id, ())) for delivery, message in (await session.execute(query)).all()]


async def renew_claims(session: AsyncSession, *, holder: str) -> None:
    """This worker is alive: what it has stays its own."""
    await prolong(session, "delivery", "state = 'SENDING' AND holder = $1", holder)


async def record_outcomes(session: AsyncSession, operator: Operator, *, holder: str, tries: Sequence[Try]) -> int:
    """Keep what became of some tries; tell of each message when all its deliveries are accepted, and of each delivery that needs a person's
    help. What is another worker's by now is left alone. Answers how many were kept."""
    wanted = {each.delivery_id: each for each in tries}
    ids = list(wanted)
    of_messages = select(col(Delivery.message_id)).where(col(Delivery.id).in_(ids) | col(Delivery.rides_with).in_(ids))
    messages = await _locked(session, WORDLESS.where(col(Message.id).in_(of_messages)).order_by(col(Message.id)))
    mine = select(Delivery).where(col(Delivery.id).in_(ids), Delivery.holder == holder, Delivery.state == DeliveryState.SENDING)
    deliveries = await _locked(session, mine.order_by(col(Delivery.id)))
    riding = select(Delivery).where(col(Delivery.rides_with).in_([each.id for each in deliveries]))
    riders = await _locked(session, riding.order_by(col(Delivery.id))) if deliveries else []
    told: list[Outgoing] = []
    by_id = {each.id: each for each in messages}
    tried = {each.id: each.attempts for each in deliveries}
    for delivery in [*deliveries, *riders]:
        mail = delivery.rides_with or delivery.id
        told += _settle(by_id[delivery.message_id], delivery, wanted[mail], tried[mail])
    for delivery in deliveries:
        if delivery.day is not None and delivery.next_attempt_at is not None:
            await place_again(session, operator, by_id[delivery.message_id], delivery)
    await session.flush()
    touched = {each.message_id for each in [*deliveries, *riders]}
    at = max((each.at for each in tries), default=None)
    if at is not None:
        told += await _judge(session, [each for each in messages if each.id in touched])
        await publish_many(session, told, now=at)
    return len(deliveries)


async def _locked(session: AsyncSession, query: Any) -> Sequence[Any]:
    found = await session.execute(query.with_for_update().execution_options(populate_existing=True))
    return found.scalars().all()


def _settle(message: Message, delivery: Delivery, done: Try, attempts: int) -> list[Outgoing]:
    """A delivery after a try, and the failure to tell of, if any. One that rode with another stands for itself once that is given up."""
    found = verdict(done.outcome, attempts, done.at)
    delivery.state, delivery.attempts = found.state, attempts
    delivery.next_attempt_at = found.next_attempt_at if delivery.rides_with is None else None
    delivery.smtp_code, delivery.detail = done.outcome.code, done.outcome.detail[:1000]
    delivery.attempted_at, delivery.holder, delivery.claimed_until = done.at, None, None
    if found.state is DeliveryState.ACCEPTED:
        delivery.accepted_at = done.at
    if not found.helpless:
        return []
    delivery.rides_with = None
    message.version += 1
    event = failure_event(message, delivery, message.version, done.at)
    return [event] if event else []


async def _judge(session: AsyncSession, messages: Sequence[Message]) -> list[Outgoing]:
    """Each message's state follows from its deliveries; that all are accepted is told once."""
    told = []
    deliveries = await deliveries_of(session, [each.id for each in messages])
    for message in messages:
        own = deliveries[message.id]
        message.state = message_state([(DeliveryState(each.state), _goes_again(each)) for each in own])
        if message.state != MessageState.ACCEPTED or message.accepted_at is not None:
            continue
        message.accepted_at = max(each.accepted_at for each in own if each.accepted_at)
        if message.customer_id is not None:
            message.version += 1
            told.append(_accepted_event(message, message.customer_id, own, message.accepted_at))
    return told


def _goes_again(delivery: Delivery) -> bool:
    riding = delivery.rides_with is not None and delivery.state == DeliveryState.UNKNOWN
    return riding or delivery.next_attempt_at is not None


def _accepted_event(message: Message, customer_id: UUID, deliveries: Sequence[Delivery], accepted_at: datetime) -> Outgoing:
    event = MessageAccepted(
        message_id=message.id,
        customer_id=customer_id,
        notice=message.notice,
        reference=message.reference,
        recipients=len(deliveries),
        accepted_at=accepted_at,
        subject=message.subject,
        deliveries=[_proof(each) for each in deliveries],
    )
    return Outgoing(event, f"message/{message.id}", message.version)


def _proof(delivery: Delivery) -> DeliveryProof:
    """A delivery that its server accepted."""
    assert delivery.accepted_at is not None
    return DeliveryProof(
        name=delivery.name,
        recipient=delivery.address or "",
        message_id=delivery.header_id,
        accepted_at=delivery.accepted_at,
        code=delivery.smtp_code,
        reply=delivery.detail,
    )


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
    delivery.smtp_code, delivery.detail, delivery.held = None, "", ""
    _alone(operator, delivery, now)
    message.state = MessageState.QUEUED
    ring(session)
    await session.flush()
    return message


def _alone(operator: Operator, delivery: Delivery, now: datetime) -> None:
    """What rode with another mail goes out by itself from now on, as a mail that no server has seen."""
    delivery.rides_with = None
    if str(delivery.id) not in delivery.header_id:
        delivery.header_id, delivery.dated_at = message_id(str(delivery.id), operator.mail_from), now


async def _find_addresses(session: AsyncSession, operator: Operator, message: Message, delivery: Delivery, now: datetime) -> None:
    """Give a delivery without an address the first that its notice finds now, and queue one more for each other."""
    customer = await session.get(Customer, message.customer_id) if message.customer_id else None
    notice = operator.notices.get(message.notice)
    found = recipients(notice, operator, customer.contacts if customer else [], notice.to.desks) if notice else []
    if not found:
        raise Conflict(
            "El cliente sigue sin dirección de correo.", remedy="Agréguela al cliente (PATCH /billing/customers/{id}) y reintente."
        )
    delivery.name, delivery.address, delivery.dated_at = found[0].name, found[0].address, now
    message.recipients = [{"name": each.name, "address": each.address} for each in found]
    session.add_all([queue_delivery(operator, message, each, now) for each in found[1:]])
