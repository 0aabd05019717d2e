"""What happens to an invoice besides payments: its day ends, or somebody voids it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import Invoice
from services.billing.models.invoices import UNJUDGED
from services.billing.rules.states import InvoiceState
from shared.db import execute, lock, ring, rows
from shared.envelopes import COLUMNS
from shared.errors import NotFound, Refused
from shared.events.billing import InvoiceOverdue, InvoiceVoided
from shared.log import current_traceparent
from shared.outbox import publish

RULE = "FACT-2"
BATCH = 5_000

OVERDUE = f"""
WITH due AS (
    SELECT id FROM invoice WHERE {UNJUDGED} AND due_ends_at <= $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
), judged AS (
    UPDATE invoice i SET overdue_at = $1, version = version + 1 FROM due WHERE i.id = due.id RETURNING i.*
)
INSERT INTO outbox ({COLUMNS})
SELECT gen_random_uuid(), '{InvoiceOverdue.TYPE}', 'invoice/' || id, version, customer_id::text, $1, $3,
    json_build_object('invoice_id', id, 'customer_id', customer_id, 'number', number, 'period', period, 'due_date', due_date,
        'balance', (balance - reported)::text, 'currency', currency)::text
FROM judged ORDER BY id
"""


async def mark_overdue(session: AsyncSession, *, now: datetime) -> int:
    """Tell, once per invoice, that its day has ended and somebody still owes part of it that nobody reported as paid. Answers how many."""
    told = await execute(session, OVERDUE, now, BATCH, current_traceparent())
    if told:
        ring(session)
    return told


async def void_invoice(session: AsyncSession, *, invoice_id: UUID, reason: str, now: datetime) -> Invoice:
    """Take an invoice back: its number stays used, its postings are reversed. Raises NotFound, and Refused while payments stand on it."""
    found = await session.get(Invoice, invoice_id)
    if found is None:
        raise NotFound(f"No existe la factura {invoice_id}.")
    await rows(session, "SELECT id FROM customer WHERE id = $1 FOR UPDATE", found.customer_id)
    invoice = await lock(session, Invoice, invoice_id)
    if invoice.state == InvoiceState.VOIDED:
        raise Refused(RULE, f"La factura {invoice.number} ya está anulada.", remedy="No hay nada más que hacer.")
    if invoice.credited or invoice.disputed:
        what = "notas de crédito" if invoice.credited else "una disputa abierta"
        raise Refused(RULE, f"La factura {invoice.number} tiene {what}.", remedy="Emita una nota de crédito por lo que queda.")
    if await rows(session, PAID_BY, invoice_id):
        raise Refused(
            RULE,
            f"La factura {invoice.number} tiene pagos aplicados.",
            remedy="Rechace los pagos reportados; un pago confirmado pide nota de crédito.",
        )
    invoice.state, invoice.voided_at, invoice.void_reason = InvoiceState.VOIDED, now, reason
    invoice.balance = invoice.balance * 0
    invoice.version += 1
    await session.flush()
    await execute(session, REVERSE, invoice_id, now)
    event = InvoiceVoided(
        invoice_id=invoice.id, customer_id=invoice.customer_id, number=invoice.number, period=invoice.period, reason=reason, voided_at=now
    )
    await publish(session, event, subject=f"invoice/{invoice.id}", version=invoice.version, now=now)
    return invoice


PAID_BY = """
SELECT 1 AS paid FROM payment_allocation a JOIN payment p ON p.id = a.payment_id
WHERE a.invoice_id = $1 AND p.state IN ('REPORTED', 'CONFIRMED') LIMIT 1
"""

REVERSE = """
INSERT INTO posting (customer_id, invoice_id, debit, credit, amount, currency, posted_at)
SELECT customer_id, invoice_id, credit, debit, amount, currency, $2 FROM posting WHERE invoice_id = $1 ORDER BY id
"""
