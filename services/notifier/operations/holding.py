"""Messages that a policy makes wait: each delivery to a customer gets its place, a mail of its own or a seat in one that waits already.

# Note [Never lost, never twice, never more than the policy allows]
Places are given under the customer's row lock, so that two events at once do not take the same one. A delivery that waits is queued for
its instant like one that is tried again; one that joins another's mail has no instant of its own and shares what becomes of that mail.
A try that would fall outside the hours, or on a day that is full, takes a new place before it is made. A mail that waits is dated when its
place comes: what was made at half past midnight does not say so to whoever gets it at seven. Its tries keep that date, like its Message-ID.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.models import Assignment, Delivery, Message
from services.notifier.rules.hours import Booked, place
from shared.db import rows
from shared.operator import Operator
from shared.operator.notices import MessageLimits

LOCK = "SELECT FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
BOOKED = """
SELECT m.customer_id, d.id, d.address, d.day, d.header_id, d.state = 'QUEUED' AND d.attempts = 0 AND d.next_attempt_at > $3 AS open
FROM message m JOIN delivery d ON d.message_id = m.id
WHERE m.customer_id = ANY($1::uuid[]) AND d.day >= $2 ORDER BY d.id
"""
STILL_OPEN = """
SELECT FROM delivery WHERE id = $1 AND state = 'QUEUED' AND attempts = 0 AND next_attempt_at > $2 FOR UPDATE SKIP LOCKED
"""


@dataclass(frozen=True)
class Made:
    """A message with its deliveries, and what its receiver's policy allows (None: it goes at once and counts for nothing)."""

    message: Message
    deliveries: Sequence[Delivery]
    limits: MessageLimits | None


@dataclass
class Bookings:
    """The mails of some customers that count for a day, by receiver."""

    zone: ZoneInfo
    by_receiver: dict[tuple[UUID, str], dict[date, list[Booked]]] = field(default_factory=dict)
    new: set[UUID] = field(default_factory=set)

    def of(self, customer_id: UUID, address: str) -> dict[date, list[Booked]]:
        return self.by_receiver.setdefault((customer_id, address.lower()), {})


def limits_of(operator: Operator, notice: str, policy: str | None) -> MessageLimits | None:
    """What the policy of a customer (None: the default one) says about a notice's mails."""
    known = operator.notices.get(notice)
    if known is None or known.urgent or not known.to.customer:
        return None
    return operator.policy(policy or operator.default_policy).messages.get("email")


async def give_places(session: AsyncSession, operator: Operator, made: Sequence[Made], now: datetime) -> None:
    """Give the deliveries of new messages their places. See Note [Never lost, never twice, never more than the policy allows]."""
    limited = [each for each in made if each.limits is not None and each.message.customer_id is not None]
    if not limited:
        return
    bookings = await _bookings(session, operator, {each.message.customer_id for each in limited if each.message.customer_id}, now)
    for each in limited:
        for delivery in each.deliveries:
            if delivery.address is not None and each.limits is not None and each.message.customer_id is not None:
                await _give(session, bookings, each.message.customer_id, delivery, each.limits, now)


async def place_again(session: AsyncSession, operator: Operator, message: Message, delivery: Delivery) -> None:
    """Give a delivery that counts for a day, and is to be tried again, a place at or after that instant."""
    assert message.customer_id is not None
    assert delivery.next_attempt_at is not None
    assigned = await session.get(Assignment, message.customer_id)
    limits = limits_of(operator, message.notice, assigned.policy if assigned else None)
    if limits is None:
        return
    again = delivery.next_attempt_at
    mine = (await _bookings(session, operator, {message.customer_id}, again)).of(message.customer_id, delivery.address or "")
    others = {day: [each for each in taken if each.delivery_id != delivery.id] for day, taken in mine.items()}
    found = place(limits, operator.zone, again, others, may_join=False)
    delivery.next_attempt_at, delivery.day, delivery.held = found.at, found.day, found.held


async def _bookings(session: AsyncSession, operator: Operator, customers: set[UUID], now: datetime) -> Bookings:
    await rows(session, LOCK, sorted(customers))
    found = Bookings(operator.zone)
    for row in await rows(session, BOOKED, list(customers), now.astimezone(operator.zone).date(), now):
        found.of(row.customer_id, row.address).setdefault(row.day, []).append(Booked(row.id, row.header_id, row.open))
    return found


async def _give(
    session: AsyncSession, bookings: Bookings, customer_id: UUID, delivery: Delivery, limits: MessageLimits, now: datetime
) -> None:
    mine = bookings.of(customer_id, delivery.address or "")
    found = place(limits, bookings.zone, now, mine)
    if found.joins is not None and not await _still_open(session, bookings, found.joins, now):
        found = place(limits, bookings.zone, now, mine, may_join=False)
    delivery.held = found.held
    if found.joins is not None:
        delivery.rides_with, delivery.header_id, delivery.next_attempt_at = found.joins.delivery_id, found.joins.header_id, None
        return
    delivery.next_attempt_at, delivery.day, delivery.dated_at = found.at, found.day, found.at if found.at > now else None
    if found.day is not None:
        mine.setdefault(found.day, []).append(Booked(delivery.id, delivery.header_id, found.at > now))
        bookings.new.add(delivery.id)


async def _still_open(session: AsyncSession, bookings: Bookings, booked: Booked, now: datetime) -> bool:
    """Keep a mail that waits from going out before this transaction ends; False when it is going out by now."""
    return booked.delivery_id in bookings.new or bool(await rows(session, STILL_OPEN, booked.delivery_id, now))
