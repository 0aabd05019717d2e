"""How customers stood when they came to us: what they owed, and what was theirs. Taken once, for new customers only."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.payments import use_left_over
from shared.calendar import BusinessCalendar
from shared.db import execute, id_prefix, ring, rows
from shared.envelopes import COLUMNS
from shared.events.billing import InvoiceIssued
from shared.log import current_traceparent

# The dates that due days end at, computed by the calendar, come as $4 and $5.
OWED = f"""
WITH owed AS (
    SELECT c.id AS customer_id, c.currency, x.*, d.ends_at,
        ($3 || lpad(to_hex(row_number() OVER (ORDER BY s.line, n)), 12, '0'))::uuid AS invoice_id
    FROM unnest($2::int[], $8::uuid[]) AS t(line, id) JOIN staged_customer s ON s.batch_id = $1 AND s.line = t.line
    JOIN customer c ON c.id = t.id
    CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(s.openings) AS (number text, period text, issued date, due date, amount numeric(18,4),
        balance numeric(18,4))) WITH ORDINALITY AS x(number, period, issued, due, amount, balance, n)
    JOIN unnest($4::date[], $5::timestamptz[]) AS d(due, ends_at) ON d.due = x.due
), written AS (
    INSERT INTO invoice (id, customer_id, origin, origin_key, number, period, issue_date, due_date, due_ends_at, base, tax, total, balance,
        reported, currency, state, version)
    SELECT invoice_id, customer_id, 'opening', number, number, period, issued, due, ends_at, amount, 0, amount, balance, 0, currency,
        'OPEN', 1
    FROM owed ON CONFLICT (customer_id, period, origin_key) DO NOTHING RETURNING id
), new AS MATERIALIZED (
    SELECT owed.* FROM owed JOIN written ON written.id = owed.invoice_id
), posted AS (
    INSERT INTO posting (customer_id, invoice_id, debit, credit, amount, currency, posted_at)
    SELECT customer_id, invoice_id, 'RECEIVABLE', 'OPENING', balance, currency, $6 FROM new
)
INSERT INTO outbox ({COLUMNS})
SELECT gen_random_uuid(), '{InvoiceIssued.TYPE}', 'invoice/' || invoice_id, 1, customer_id::text, $6, $7,
    json_build_object('invoice_id', invoice_id, 'customer_id', customer_id, 'number', number, 'origin', 'opening', 'period', period,
        'issue_date', issued, 'due_date', due, 'base', amount::text, 'tax', '0.0000', 'total', amount::text, 'balance', balance::text,
        'currency', currency, 'lines', '[]'::json)::text
FROM new ORDER BY invoice_id
"""

OPENED = """
SELECT t.line, t.id, s.opening_credit > 0 AS credited,
    ARRAY(SELECT DISTINCT (x ->> 'due')::date FROM jsonb_array_elements(s.openings) AS x) AS dues
FROM unnest($2::int[], $3::uuid[]) AS t(line, id) JOIN staged_customer s ON s.batch_id = $1 AND s.line = t.line
WHERE s.openings <> '[]' OR s.opening_credit > 0
"""

# Money that was the customer's: a confirmed payment that waits for the next invoice.
CREDITS = """
WITH credit AS (
    INSERT INTO payment (id, customer_id, channel, reference, amount, unallocated, currency, state, paid_on, reported_at, reported_by,
        settled_at, settled_by, import_id, version)
    SELECT ($3 || lpad(to_hex(s.line), 12, '0'))::uuid, c.id, 'saldo inicial', c.external_source || '/' || c.external_id, s.opening_credit,
        s.opening_credit, c.currency, 'CONFIRMED', $4, $5, 'importación', $5, 'importación', $1, 0
    FROM unnest($2::int[], $6::uuid[]) AS t(line, id) JOIN staged_customer s ON s.batch_id = $1 AND s.line = t.line
    JOIN customer c ON c.id = t.id RETURNING id, customer_id, amount, currency
), posted AS (
    INSERT INTO posting (customer_id, payment_id, debit, credit, amount, currency, posted_at)
    SELECT customer_id, id, 'OPENING', 'CUSTOMER_CREDIT', amount, currency, $5 FROM credit
)
SELECT customer_id FROM credit ORDER BY customer_id
"""


async def take_openings(
    session: AsyncSession, *, batch_id: UUID, lines: Sequence[int], ids: Sequence[UUID], calendar: BusinessCalendar, now: datetime
) -> None:
    """Take over the open invoices and credits of customers that were just registered from these lines of the batch."""
    found = await rows(session, OPENED, batch_id, list(lines), list(ids))
    owing, credited = [row for row in found if row.dues], [row for row in found if row.credited]
    if owing:
        dues = sorted({due for row in owing for due in row.dues})
        ends = [calendar.end_of_day(due) for due in dues]
        given = ([row.line for row in owing], id_prefix(), dues, ends, now, current_traceparent(), [row.id for row in owing])
        await execute(session, OWED, batch_id, *given)
    if credited:
        today, theirs = calendar.local(now).date(), [row.id for row in credited]
        paid = await rows(session, CREDITS, batch_id, [row.line for row in credited], id_prefix(), today, now, theirs)
        await use_left_over(session, [row.customer_id for row in paid], now=now)
    ring(session)
