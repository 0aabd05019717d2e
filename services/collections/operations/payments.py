"""Payments as billing tells them: what was reported counts, what was confirmed or rejected settles it, what bounced counts no longer."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.operations.tidings import touch
from shared.bulk import Sql, write
from shared.db import execute, rows
from shared.events.billing import Allocation, PaymentAllocated, PaymentConfirmed, PaymentRejected, PaymentReported, PaymentReversed
from shared.routing import FactMissing

REPORTED = """
INSERT INTO payment (id, account_id, amount, currency, reference, channel, reported_at, known_at)
SELECT *, $8 FROM unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
ON CONFLICT (id) DO NOTHING
"""
CONFIRMED = """
UPDATE payment p SET confirmed_at = t.at, known_at = $3 FROM unnest($1::uuid[], $2::timestamptz[]) AS t(id, at)
WHERE p.id = t.id AND p.confirmed_at IS NULL AND p.rejected_at IS NULL
"""
REJECTED = """
UPDATE payment p SET rejected_at = t.at, reject_reason = t.reason, known_at = $4
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS t(id, at, reason)
WHERE p.id = t.id AND p.rejected_at IS NULL AND p.confirmed_at IS NULL
"""
REVERSED = """
UPDATE payment p SET reversed_at = t.at, reverse_reason = t.reason, known_at = $4
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS t(id, at, reason) WHERE p.id = t.id AND p.reversed_at IS NULL
"""
# What it had paid is owed again; what was paid anew since is not.
OPENED_AGAIN = """
UPDATE invoice i SET paid_at = NULL, known_at = $2 FROM payment_part t JOIN payment p ON p.id = t.payment_id
WHERE t.payment_id = ANY($1::uuid[]) AND i.id = t.invoice_id AND i.paid_at <= p.reversed_at
"""
# The whole of each part as billing tells it, or with `added` what came to it.
PARTS = """
INSERT INTO payment_part (payment_id, invoice_id, amount, currency, believed_at, known_at)
SELECT *, $6 FROM unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::text[], $5::timestamptz[])
ON CONFLICT (payment_id, invoice_id) DO UPDATE SET amount = {amount}, known_at = excluded.known_at
WHERE payment_part.amount <> {amount}
"""
WHOLE, ADDED = PARTS.format(amount="excluded.amount"), PARTS.format(amount="payment_part.amount + excluded.amount")
# A credit that the customer brought along was never reported to us: its parts are all that we know of it.
CREDIT = """
INSERT INTO payment (id, account_id, amount, currency, reference, channel, reported_at, confirmed_at, known_at)
SELECT *, $9 FROM unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[])
ON CONFLICT (id) DO NOTHING
"""

Part = tuple[UUID, UUID, Decimal, str, datetime]


async def payments_reported(session: AsyncSession, *, payments: Sequence[PaymentReported], now: datetime) -> None:
    """Believe what was reported from the instant in which it was (VIP-12, VIP-20)."""
    await touch(session, (each.customer_id for each in payments), now=now)
    table = [
        (each.payment_id, each.customer_id, each.amount, each.currency, each.reference, each.channel, each.reported_at) for each in payments
    ]
    parts = [part for each in payments for part in _parts(each.payment_id, each.allocations, each.currency, each.reported_at)]
    await write(session, Sql(REPORTED, table, [now]), Sql(WHOLE, parts, [now]))


async def payments_confirmed(session: AsyncSession, *, payments: Sequence[PaymentConfirmed], now: datetime) -> None:
    """The money is there."""
    await touch(session, (each.customer_id for each in payments), now=now)
    told = [(each.payment_id, each.confirmed_at) for each in payments]
    parts = [part for each in payments for part in _parts(each.payment_id, each.allocations, each.currency, each.confirmed_at)]
    await write(session, Sql(CONFIRMED, told, [now]), Sql(WHOLE, parts, [now]))


async def payments_rejected(session: AsyncSession, *, payments: Sequence[PaymentRejected], now: datetime) -> None:
    """The money never came: what was believed is owed again."""
    await touch(session, (each.customer_id for each in payments), now=now)
    ids, instants = [each.payment_id for each in payments], [each.rejected_at for each in payments]
    await execute(session, REJECTED, ids, instants, [each.reason for each in payments], now)


async def payments_reversed(session: AsyncSession, *, payments: Sequence[PaymentReversed], now: datetime) -> None:
    """The money went back: what it had paid is owed again, and a reconnection that rested on it ends. Raises FactMissing for a payment
    that was not told yet."""
    await touch(session, (each.customer_id for each in payments), now=now)
    ids, instants = [each.payment_id for each in payments], [each.reversed_at for each in payments]
    known = {row.id for row in await rows(session, "SELECT id FROM payment WHERE id = ANY($1::uuid[])", ids)}
    if unknown := set(ids) - known:
        raise FactMissing(f"payment {min(unknown)} is not known yet")
    await execute(session, REVERSED, ids, instants, [each.reason for each in payments], now)
    await execute(session, OPENED_AGAIN, ids, now)


async def payments_allocated(session: AsyncSession, *, payments: Sequence[PaymentAllocated], now: datetime) -> None:
    """Money that was left over goes to invoices now."""
    await touch(session, (each.customer_id for each in payments), now=now)
    credits = [each for each in payments if each.allocations]
    table = [
        (
            each.payment_id,
            each.customer_id,
            sum((part.amount for part in each.allocations), Decimal(0)),
            each.currency,
            "",
            "saldo a favor",
            each.allocated_at,
            each.allocated_at if each.confirmed else None,
        )
        for each in credits
    ]
    await write(session, Sql(CREDIT, table, [now]))
    for each in credits:
        parts = list(_parts(each.payment_id, each.allocations, each.currency, each.allocated_at))
        await write(session, Sql(ADDED, parts, [now]))


def _parts(payment_id: UUID, allocations: Sequence[Allocation], currency: str, at: datetime) -> Iterable[Part]:
    return ((payment_id, each.invoice_id, each.amount, currency, at) for each in allocations)
