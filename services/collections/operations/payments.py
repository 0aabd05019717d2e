"""Payments as billing tells them: what was reported counts, what was confirmed or rejected settles it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.operations.tidings import touch
from shared.db import execute
from shared.events.billing import Allocation, PaymentAllocated, PaymentConfirmed, PaymentRejected, PaymentReported

REPORTED = """
INSERT INTO payment (id, account_id, amount, currency, reference, channel, reported_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
ON CONFLICT (id) DO NOTHING
"""
CONFIRMED = """
UPDATE payment p SET confirmed_at = t.at FROM unnest($1::uuid[], $2::timestamptz[]) AS t(id, at)
WHERE p.id = t.id AND p.confirmed_at IS NULL AND p.rejected_at IS NULL
"""
REJECTED = """
UPDATE payment p SET rejected_at = t.at, reject_reason = t.reason
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS t(id, at, reason)
WHERE p.id = t.id AND p.rejected_at IS NULL AND p.confirmed_at IS NULL
"""
# The whole of each part as billing tells it, or with `added` what came to it.
PARTS = """
INSERT INTO payment_part (payment_id, invoice_id, amount, currency, believed_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::text[], $5::timestamptz[])
ON CONFLICT (payment_id, invoice_id) DO UPDATE SET amount = {amount}
"""
WHOLE, ADDED = PARTS.format(amount="excluded.amount"), PARTS.format(amount="payment_part.amount + excluded.amount")
# A credit that the customer brought along was never reported to us: its parts are all that we know of it.
CREDIT = """
INSERT INTO payment (id, account_id, amount, currency, reference, channel, reported_at, confirmed_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[])
ON CONFLICT (id) DO NOTHING
"""

Part = tuple[UUID, UUID, Decimal, str, datetime]


async def payments_reported(session: AsyncSession, *, payments: Sequence[PaymentReported], now: datetime) -> None:
    """Believe what was reported from the instant in which it was (VIP-12, VIP-20)."""
    await touch(session, (each.customer_id for each in payments), now=now)
    table = [
        (each.payment_id, each.customer_id, each.amount, each.currency, each.reference, each.channel, each.reported_at) for each in payments
    ]
    await execute(session, REPORTED, *map(list, zip(*table, strict=True)))
    parts = [part for each in payments for part in _parts(each.payment_id, each.allocations, each.currency, each.reported_at)]
    await _write_parts(session, WHOLE, parts)


async def payments_confirmed(session: AsyncSession, *, payments: Sequence[PaymentConfirmed], now: datetime) -> None:
    """The money is there."""
    await touch(session, (each.customer_id for each in payments), now=now)
    await execute(session, CONFIRMED, [each.payment_id for each in payments], [each.confirmed_at for each in payments])
    parts = [part for each in payments for part in _parts(each.payment_id, each.allocations, each.currency, each.confirmed_at)]
    await _write_parts(session, WHOLE, parts)


async def payments_rejected(session: AsyncSession, *, payments: Sequence[PaymentRejected], now: datetime) -> None:
    """The money never came: what was believed is owed again."""
    await touch(session, (each.customer_id for each in payments), now=now)
    ids, instants = [each.payment_id for each in payments], [each.rejected_at for each in payments]
    await execute(session, REJECTED, ids, instants, [each.reason for each in payments])


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
    if not table:
        return
    await execute(session, CREDIT, *map(list, zip(*table, strict=True)))
    for each in credits:
        await _write_parts(session, ADDED, list(_parts(each.payment_id, each.allocations, each.currency, each.allocated_at)))


def _parts(payment_id: UUID, allocations: Sequence[Allocation], currency: str, at: datetime) -> Iterable[Part]:
    return ((payment_id, each.invoice_id, each.amount, currency, at) for each in allocations)


async def _write_parts(session: AsyncSession, sql: str, parts: Sequence[Part]) -> None:
    if parts:
        await execute(session, sql, *map(list, zip(*parts, strict=True)))
