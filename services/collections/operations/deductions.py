"""What nobody collects of an invoice, as billing tells it: credit notes, and disputes until they are resolved."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.operations.tidings import touch
from services.collections.rules.states import DeductionKind
from shared.db import execute
from shared.events.billing import CreditNoteIssued, DisputeOpened, DisputeResolved
from shared.routing import FactMissing

DEDUCTED = """
INSERT INTO deduction (id, account_id, invoice_id, kind, amount, currency, reason, by, since, known_at)
SELECT *, $10 FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::numeric[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[]) ON CONFLICT (id) DO NOTHING
"""
# What payments had covered of the invoice is theirs again.
FREED = """
UPDATE payment_part p SET amount = p.amount - t.amount, known_at = $4
FROM unnest($1::uuid[], $2::uuid[], $3::numeric[]) AS t(payment_id, invoice_id, amount)
WHERE p.payment_id = t.payment_id AND p.invoice_id = t.invoice_id
"""
RESOLVED = """
UPDATE deduction d SET until = t.at, outcome = t.outcome, closed_by = t.by, known_at = $5
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[]) AS t(id, at, outcome, by) WHERE d.id = t.id
"""


async def credit_notes_issued(session: AsyncSession, *, notes: Sequence[CreditNoteIssued], now: datetime) -> None:
    """Less is owed for good."""
    await touch(session, (each.customer_id for each in notes), now=now)
    table = [
        (
            each.credit_note_id,
            each.customer_id,
            each.invoice_id,
            DeductionKind.CREDIT,
            each.amount,
            each.currency,
            each.reason,
            None,
            each.issued_at,
        )
        for each in notes
    ]
    await execute(session, DEDUCTED, *map(list, zip(*table, strict=True)), now)
    for note in notes:
        freed = [(part.payment_id, note.invoice_id, part.amount) for part in note.freed]
        if freed:
            await execute(session, FREED, *map(list, zip(*freed, strict=True)), now)


async def disputes_opened(session: AsyncSession, *, disputes: Sequence[DisputeOpened], now: datetime) -> None:
    """Nobody collects this amount meanwhile; the rest goes on."""
    await touch(session, (each.customer_id for each in disputes), now=now)
    table = [
        (
            each.dispute_id,
            each.customer_id,
            each.invoice_id,
            DeductionKind.DISPUTE,
            each.amount,
            each.currency,
            each.reason,
            each.opened_by,
            each.opened_at,
        )
        for each in disputes
    ]
    await execute(session, DEDUCTED, *map(list, zip(*table, strict=True)), now)


async def disputes_resolved(session: AsyncSession, *, disputes: Sequence[DisputeResolved], now: datetime) -> None:
    """The amount is owed again, or a credit note has taken its place. Raises FactMissing for a dispute that was not told yet."""
    await touch(session, (each.customer_id for each in disputes), now=now)
    table = [(each.dispute_id, each.resolved_at, each.outcome, each.resolved_by) for each in disputes]
    if await execute(session, RESOLVED, *map(list, zip(*table, strict=True)), now) < len({each.dispute_id for each in disputes}):
        raise FactMissing("a dispute is not known yet")
