"""What other services tell, written as facts. Whoever has a new fact is reviewed at once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.operations.looking import lock_and_look_soon
from services.collections.rules.terms import Book
from shared.db import execute, rows
from shared.events.billing import InvoiceIssued, InvoiceOverdue, InvoicePaid, InvoiceVoided
from shared.operator import Operator
from shared.routing import FactMissing

ISSUED = """
INSERT INTO invoice (id, account_id, number, origin, period, issue_date, due_date, due_ends_at, total, balance, currency, fee,
    issued_at)
SELECT t.*, $13 FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::date[], $7::date[], $8::timestamptz[],
    $9::numeric[], $10::numeric[], $11::text[], $12::text[]) AS t ON CONFLICT (id) DO NOTHING
"""
OVERDUE = "UPDATE invoice SET overdue_at = $2 WHERE id = ANY($1::uuid[]) AND overdue_at IS NULL"
# One that was opened again since is not paid, however late we hear of it.
# At the same instant as a reversal: what was left over of another payment stepped in, and billing tells that second.
PAID = """
UPDATE invoice i SET paid_at = t.at, known_at = $3 FROM unnest($1::uuid[], $2::timestamptz[]) AS t(id, at)
WHERE i.id = t.id AND NOT EXISTS (
    SELECT FROM payment_part p JOIN payment m ON m.id = p.payment_id WHERE p.invoice_id = i.id AND m.reversed_at > t.at)
"""
VOIDED = """
UPDATE invoice i SET voided_at = t.at, known_at = $3 FROM unnest($1::uuid[], $2::timestamptz[]) AS t(id, at) WHERE i.id = t.id
"""
BEHIND = "SELECT id FROM account WHERE nodes && $1::text[]"


async def touch(session: AsyncSession, ids: Iterable[UUID], *, now: datetime) -> None:
    """Have these accounts reviewed at once, and lock them. Raises FactMissing when billing has not told of one yet."""
    wanted = set(ids)
    if unknown := wanted - await lock_and_look_soon(session, wanted, now=now):
        raise FactMissing(f"customer {min(unknown)} is not known yet")


async def invoices_issued(session: AsyncSession, *, invoices: Sequence[InvoiceIssued], operator: Operator, now: datetime) -> None:
    """Keep new invoices. Each is known from now on, whatever its date: what was due before that is not made up for."""
    await touch(session, (each.customer_id for each in invoices), now=now)
    calendar = Book(operator).calendar
    ends = {due: calendar.end_of_day(due) for due in {each.due_date for each in invoices}}
    table = [
        (
            each.invoice_id,
            each.customer_id,
            each.number,
            each.origin,
            each.period,
            each.issue_date,
            each.due_date,
            ends[each.due_date],
            each.total,
            each.balance,
            each.currency,
            each.fee,
        )
        for each in invoices
    ]
    await execute(session, ISSUED, *map(list, zip(*table, strict=True)), now)


async def invoices_overdue(session: AsyncSession, *, invoices: Sequence[InvoiceOverdue], now: datetime) -> None:
    """Keep that billing has told of the day's end; the status does not wait for it."""
    await touch(session, (each.customer_id for each in invoices), now=now)
    await execute(session, OVERDUE, [each.invoice_id for each in invoices], now)


async def invoices_paid(session: AsyncSession, *, invoices: Sequence[InvoicePaid], now: datetime) -> None:
    """Confirmed payments cover these invoices."""
    await touch(session, (each.customer_id for each in invoices), now=now)
    await execute(session, PAID, [each.invoice_id for each in invoices], [each.paid_at for each in invoices], now)


async def invoices_voided(session: AsyncSession, *, invoices: Sequence[InvoiceVoided], now: datetime) -> None:
    """These invoices no longer count."""
    await touch(session, (each.customer_id for each in invoices), now=now)
    await execute(session, VOIDED, [each.invoice_id for each in invoices], [each.voided_at for each in invoices], now)


async def outage_declared(session: AsyncSession, *, outage_id: UUID, access_node: str, at: datetime, now: datetime) -> None:
    """A node is down: whoever is behind it is reviewed, so that orders to cut are taken back (NOC-1)."""
    await execute(
        session,
        "INSERT INTO outage (id, access_node, declared_at, known_at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
        outage_id,
        access_node,
        at,
        now,
    )
    await _touch_behind(session, access_node, now)


async def outage_closed(session: AsyncSession, *, outage_id: UUID, access_node: str, at: datetime, now: datetime) -> None:
    """The node works again: orders to cut that the outage took back are given anew where they still hold."""
    if not await execute(session, "UPDATE outage SET closed_at = $2, known_at = $3 WHERE id = $1", outage_id, at, now):
        raise FactMissing(f"outage {outage_id} is not known yet")
    await _touch_behind(session, access_node, now)


async def _touch_behind(session: AsyncSession, access_node: str, now: datetime) -> None:
    await touch(session, [row.id for row in await rows(session, BEHIND, [access_node])], now=now)
