"""One chunk of a billing run: invoices, lines, postings and events of some thousand customers, set-based, in one transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import BillingRun
from services.billing.operations.payments import use_left_over
from services.billing.operations.pricing import priced_apart
from services.billing.operations.runs import CLAIM, SHARE, SOLD_THEN
from services.billing.rules.periods import Period
from services.billing.rules.prices import Price
from services.billing.rules.terms import PolicyTerms
from shared.calendar import BusinessCalendar
from shared.db import BY_INDEX, execute, id_prefix, ring, rows
from shared.envelopes import COLUMNS
from shared.events.billing import InvoiceIssued
from shared.log import current_traceparent
from shared.operator import Operator

# Nobody pays or changes these customers while they are billed; whoever waited sees the new invoice.
LOCK = """
SELECT c.id FROM billing_run_customer p JOIN customer c ON c.id = p.customer_id
WHERE p.run_id = $1 AND p.ordinal BETWEEN $2 AND $3 ORDER BY c.id FOR UPDATE OF c
"""

# $1 first day, $2 last day, $3 digits, $4 run, $5-$6 the chunk's ordinals, $7 now, $8 traceparent, $9-$10 id prefixes (invoice, event),
# $11-$14 the catalogue's plans, $15-$17 the policies' due dates, $18 the default policy. Ids are time-ordered: a prefix and the ordinal.
# CTEs have no statistics, so joining two of them would compare every pair: `bill` puts customers and lines one under the other instead.
# `lines` is the SELECT that answers a service's lines: plan, amount before tax, days, place.
_ISSUE = f"""
WITH run AS MATERIALIZED (
    SELECT r.*, f.prefix, f.digits, f.authorization_code, f.expires,
           f.prefix || lpad(f.from_number::text, f.digits, '0') || ' a ' || f.prefix || lpad(f.to_number::text, f.digits, '0') AS range
    FROM billing_run r JOIN fiscal_series f ON f.id = r.fiscal_series_id WHERE r.id = $4
), plan AS (
    SELECT * FROM unnest($11::text[], $12::text[], $13::text[], $14::numeric[]) AS t(code, name, tax_code, tax_rate)
), policy AS (
    SELECT * FROM unnest($15::text[], $16::date[], $17::timestamptz[]) AS t(code, due_date, due_ends_at)
), planned AS MATERIALIZED (
    SELECT p.ordinal, c.id AS customer_id, CASE WHEN c.policy = ANY($15::text[]) THEN c.policy ELSE $18 END AS policy,
           ($9 || lpad(to_hex(p.ordinal), 12, '0'))::uuid AS invoice_id, run.first_number + p.ordinal AS sequence
    FROM run CROSS JOIN billing_run_customer p JOIN customer c ON c.id = p.customer_id
    WHERE p.run_id = $4 AND p.ordinal BETWEEN $5 AND $6
), line AS MATERIALIZED (
    SELECT p.*, row_number() OVER (PARTITION BY p.invoice_id ORDER BY s.code, share.n) AS number, s.id AS service_id,
           plan.name || ' · ' || run.period || share.days AS description, share.base, plan.tax_code, plan.tax_rate,
           round(share.base * plan.tax_rate, $3::int)::numeric(18,4) AS tax
    FROM run CROSS JOIN planned p JOIN service s ON s.customer_id = p.customer_id
    CROSS JOIN LATERAL ({{lines}}) AS share LEFT JOIN plan ON plan.code = share.plan_code
    WHERE {SOLD_THEN} AND share.base > 0
), bill AS MATERIALIZED (
    SELECT ordinal, customer_id, policy, invoice_id, sequence, count(number) AS lines,
           coalesce(sum(base), 0)::numeric(18,4) AS base, coalesce(sum(tax), 0)::numeric(18,4) AS tax,
           coalesce(sum(base + tax), 0)::numeric(18,4) AS total,
           json_agg(json_build_object('description', description, 'quantity', '1.0000', 'base', base::text, 'tax_code', tax_code,
               'tax_rate', tax_rate::text, 'tax', tax::text, 'total', (base + tax)::text) ORDER BY number)
               FILTER (WHERE number IS NOT NULL) AS line_data
    FROM (SELECT * FROM line UNION ALL SELECT p.*, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM planned p) AS all_lines
    GROUP BY ordinal, customer_id, policy, invoice_id, sequence
), numbered AS MATERIALIZED (
    SELECT b.*, policy.due_date, policy.due_ends_at, run.fiscal_series_id, run.period, run.issue_date, run.currency, run.authorization_code,
           run.range, run.expires, run.prefix || lpad(b.sequence::text, greatest(run.digits, length(b.sequence::text)), '0') AS number
    FROM run CROSS JOIN bill b JOIN policy ON policy.code = b.policy
), written AS (
    INSERT INTO invoice (id, customer_id, run_id, origin, origin_key, fiscal_series_id, sequence, number, period, issue_date, due_date,
        due_ends_at, base, tax, total, balance, reported, currency, state, version, voided_at, void_reason)
    SELECT invoice_id, customer_id, $4, 'run', 'run', fiscal_series_id, sequence, number, period, issue_date, due_date,
        due_ends_at, base, tax, total, total, 0, currency, CASE WHEN lines = 0 THEN 'VOIDED' ELSE 'OPEN' END, 1,
        CASE WHEN lines = 0 THEN $7::timestamptz END, CASE WHEN lines = 0 THEN 'Sin servicios por facturar al emitir.' END
    FROM numbered ORDER BY ordinal
), written_lines AS (
    INSERT INTO invoice_line (invoice_id, number, service_id, description, quantity, base, tax_code, tax_rate, tax, total, currency)
    SELECT invoice_id, number, service_id, description, 1, base, tax_code, tax_rate, tax, base + tax, run.currency
    FROM run CROSS JOIN line ORDER BY invoice_id, number
), posted AS (
    INSERT INTO posting (customer_id, invoice_id, debit, credit, amount, currency, posted_at)
    SELECT customer_id, invoice_id, 'RECEIVABLE', t.credit, t.amount, currency, $7
    FROM numbered CROSS JOIN LATERAL (VALUES ('REVENUE', base), ('TAX', tax)) AS t(credit, amount) WHERE t.amount > 0 ORDER BY ordinal
), told AS (
    INSERT INTO outbox ({COLUMNS})
    SELECT ($10 || lpad(to_hex(ordinal), 12, '0'))::uuid, '{InvoiceIssued.TYPE}', 'invoice/' || invoice_id, 1, customer_id::text, $7, $8,
        json_build_object('invoice_id', invoice_id, 'customer_id', customer_id, 'number', number, 'origin', 'run', 'period', period,
            'issue_date', issue_date, 'due_date', due_date, 'base', base::text, 'tax', tax::text, 'total', total::text,
            'balance', total::text, 'currency', currency, 'fiscal_code', authorization_code, 'fiscal_range', range,
            'fiscal_expires', expires, 'lines', line_data)::text
    FROM numbered WHERE lines > 0 ORDER BY ordinal
)
SELECT count(*) AS planned, count(*) FILTER (WHERE lines > 0) AS invoices, coalesce(sum(total), 0) AS total FROM numbered
"""
ISSUE = _ISSUE.format(lines=f"SELECT s.plan_code, ({SHARE})::numeric(18,4) AS base, '' AS days, 0 AS n")
# $19: lines that were priced apart, by service.
ISSUE_APART = _ISSUE.format(
    lines=f"""SELECT coalesce(x.plan, s.plan_code) AS plan_code, coalesce(x.base, {SHARE})::numeric(18,4) AS base,
        coalesce(x.days, '') AS days, coalesce(x.n, 0) AS n
    FROM jsonb_to_recordset(coalesce($19::jsonb -> s.id::text, '[{{}}]')) AS x(plan text, base numeric, days text, n int)"""
)

PREPAID = """
SELECT DISTINCT p.customer_id FROM billing_run_customer p JOIN payment m ON m.customer_id = p.customer_id
WHERE p.run_id = $1 AND p.ordinal BETWEEN $2 AND $3 AND m.unallocated > 0 AND m.state IN ('REPORTED', 'CONFIRMED')
"""
DONE = "UPDATE billing_chunk SET done_at = $3, invoices = $4, total = $5 WHERE run_id = $1 AND number = $2"


async def issue_chunk(
    session: AsyncSession,
    *,
    run_id: UUID,
    operator: Operator,
    policies: Mapping[str, PolicyTerms],
    prices: Mapping[str, Price],
    calendar: BusinessCalendar,
    now: datetime,
) -> bool:
    """Claim the next free chunk of a run and issue it (VIP-3: due dates from each customer's policy; `prices` are the functions of the
    plans that have one). False when no chunk is free. Raises BadPrice, and whatever such a function raises."""
    await execute(session, BY_INDEX)
    claimed = await rows(session, CLAIM, run_id)
    if not claimed:
        return False
    chunk = claimed[0]
    run = await session.get_one(BillingRun, run_id)
    span = (run_id, chunk.first_ordinal, chunk.last_ordinal)
    await execute(session, LOCK, *span)
    arguments = _arguments(run, span, operator, policies, calendar, now)
    apart = await priced_apart(session, prices, (arguments[0], arguments[1], arguments[2]), span)
    found = (await rows(session, *((ISSUE, *arguments) if apart is None else (ISSUE_APART, *arguments, apart))))[0]
    if found.planned != (planned := chunk.last_ordinal - chunk.first_ordinal + 1):
        raise RuntimeError(f"chunk {chunk.number} of run {run_id} planned {planned} customers and found {found.planned}")
    ahead = [row.customer_id for row in await rows(session, PREPAID, *span)]
    await use_left_over(session, ahead, now=now, order=operator.payment_order)
    await execute(session, DONE, run_id, chunk.number, now, found.invoices, found.total)
    ring(session)
    return True


def _arguments(
    run: BillingRun,
    span: tuple[UUID, int, int],
    operator: Operator,
    policies: Mapping[str, PolicyTerms],
    calendar: BusinessCalendar,
    now: datetime,
) -> list[Any]:
    """The arguments of ISSUE, in its order."""
    period = Period.parse(run.period)
    rates = {tax.code: tax.rate for tax in operator.taxes}
    plans = operator.plans
    dues = [terms.due(run.issue_date) for terms in policies.values()]
    return [
        *(period.first_day, period.last_day, operator.money_digits),
        *span,
        *(now, current_traceparent(), id_prefix(), id_prefix()),
        *([plan.code for plan in plans], [plan.name for plan in plans], [plan.tax for plan in plans], [rates[plan.tax] for plan in plans]),
        *(list(policies), dues, [calendar.end_of_day(due) for due in dues], operator.default_policy),
    ]
