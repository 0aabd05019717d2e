"""The monthly billing run: planned in one transaction, issued in chunks by any number of workers, completed once.

# Note [No month twice, no gap]
The plan fixes who is billed and takes all its numbers as one block in its own transaction; place n of the plan has number first + n.
Each chunk is one transaction that locks its chunk row: a killed worker leaves an untouched chunk that the next one takes, so no number is
skipped or used twice and the row lock is all the lease there is. `uq_invoice_month` guards every customer's month besides.
A customer that has nothing to bill any more when its chunk comes gets its number as a voided invoice of zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.fiscal import sync_series, take_block
from services.billing.rules.periods import Period
from shared.db import execute, new_id, ring, rows
from shared.errors import Refused
from shared.events.billing import BillingRunCompleted
from shared.operator import Operator
from shared.outbox import publish

RULE = "FACT-1"
SMALLEST, LARGEST = 1_000, 5_000  # chunks, in customers
HELD = 200  # one of so many customers is held while a chunk is issued: who pays hardly ever has to wait for it

# A service's share of the month, rounded once (HALF_UP: PostgreSQL rounds halves away from zero). $1 first day, $2 last day, $3 digits.
SHARE = """round(CASE WHEN s.active_from <= $1::date AND (s.active_to IS NULL OR s.active_to >= $2::date) THEN s.monthly_amount
    ELSE s.monthly_amount * (least($2::date, coalesce(s.active_to, $2::date)) - greatest($1::date, s.active_from) + 1)
         / ($2::date - $1::date + 1) END, $3::int)"""
SOLD_THEN = "s.active_from <= $2::date AND (s.active_to IS NULL OR s.active_to >= $1::date)"

PLAN = f"""
INSERT INTO billing_run_customer (run_id, ordinal, customer_id, first)
SELECT $4, row_number() OVER (ORDER BY c.policy = ANY($5::text[]) DESC, c.id) - 1, c.id, c.policy = ANY($5::text[])
FROM customer c
WHERE (c.last_billed IS NULL OR c.last_billed < $6)
  AND NOT EXISTS (SELECT FROM invoice i WHERE i.customer_id = c.id AND i.period = $6 AND i.origin_key = 'run')
  AND EXISTS (SELECT FROM service s WHERE s.customer_id = c.id AND {SOLD_THEN} AND ({SHARE} > 0 OR s.plan_code = ANY($7::text[])
      OR EXISTS (SELECT FROM plan_change h WHERE h.service_id = s.id)))
"""

UNKNOWN_PLANS = f"""
SELECT s.plan_code, count(*) AS services FROM service s
WHERE {SOLD_THEN} AND s.monthly_amount > 0 AND $3::int IS NOT NULL AND s.plan_code <> ALL($4::text[]) GROUP BY 1 ORDER BY 1 LIMIT 10
"""

TAKEN = "UPDATE billing_run SET customers = $2, fiscal_series_id = $3, first_number = $4 WHERE id = $1"
CHUNKS = """
INSERT INTO billing_chunk (run_id, number, first_ordinal, last_ordinal, invoices, total)
SELECT $1, n, n * $2::int, least((n + 1) * $2::int, $3::int) - 1, 0, 0
FROM generate_series(0, ($3::int - 1) / $2::int) AS n WHERE $3::int > 0
"""

CLAIM = """
SELECT k.number, k.first_ordinal, k.last_ordinal FROM billing_chunk k
WHERE k.run_id = $1 AND k.done_at IS NULL ORDER BY k.number LIMIT 1 FOR UPDATE SKIP LOCKED
"""


@dataclass(frozen=True)
class RunPlan:
    """What was planned: how many customers get an invoice, and how many of them come first."""

    run_id: UUID
    customers: int


async def start_run(
    session: AsyncSession,
    *,
    period: Period,
    operator: Operator,
    issue_date: date,
    requested_by: str,
    now: datetime,
    chunk: int | None = None,
) -> RunPlan:
    """Plan a month: who is billed, in which order (VIP-5: those whose policy says so first), with which numbers.

    Raises Refused, and leaves nothing behind, when the month has not begun or was run before, while an import is under way, when a service
    has a plan that the catalogue does not know, and when no fiscal series suffices.
    """
    if period > Period.of(issue_date):
        raise Refused(RULE, f"El período {period} todavía no empieza.", remedy=f"Se factura desde el {period.first_day}.")
    run_id = await _claim_period(session, period, operator.currency, issue_date, requested_by, now)
    await _check_imports(session)
    sold = (period.first_day, period.last_day, operator.money_digits)
    await _check_plans(session, sold, [plan.code for plan in operator.plans])
    first = [code for code, policy in operator.policies.items() if policy.invoice.first]
    priced = [plan.code for plan in operator.plans if plan.price]
    customers = await execute(session, PLAN, *sold, run_id, first, str(period), priced)
    series = await sync_series(session, operator)
    block = take_block(series, count=customers, issue_date=issue_date) if customers else None
    await session.flush()
    await execute(session, TAKEN, run_id, customers, block.series.id if block else None, block.first if block else None)
    await execute(session, CHUNKS, run_id, chunk or chunk_size(customers), customers)
    ring(session)
    return RunPlan(run_id, customers)


def chunk_size(customers: int) -> int:
    """How many of a run's customers make a chunk: few enough that hardly anybody waits for it, enough to be worth a transaction."""
    return max(SMALLEST, min(LARGEST, customers // HELD))


async def _claim_period(session: AsyncSession, period: Period, currency: str, issue_date: date, requested_by: str, now: datetime) -> UUID:
    found = await rows(
        session,
        "INSERT INTO billing_run (id, period, state, issue_date, currency, customers, requested_by, requested_at, started_at, version) "
        "VALUES ($1, $2, 'RUNNING', $3, $4, 0, $5, $6, $6, 1) ON CONFLICT (period) DO UPDATE SET state = 'RUNNING', refusal = NULL, "
        "issue_date = excluded.issue_date, requested_by = excluded.requested_by, started_at = excluded.started_at "
        "WHERE billing_run.state = 'REFUSED' RETURNING id",
        new_id(),
        str(period),
        issue_date,
        currency,
        requested_by,
        now,
    )
    if not found:
        raise Refused(
            RULE,
            f"El período {period} ya tiene su corrida de facturación.",
            remedy="Consulte GET /billing/billing-runs; cada mes se corre una vez.",
        )
    return found[0].id  # type: ignore[no-any-return]


async def _check_imports(session: AsyncSession) -> None:
    found = await rows(
        session, "SELECT file_name FROM import_batch WHERE state IN ('QUEUED', 'READING', 'MERGING') AND kind = 'customers' LIMIT 1"
    )
    if found:
        raise Refused(RULE, f"Se está importando {found[0].file_name}.", remedy="Espere a que termine la importación y repita la corrida.")


async def _check_plans(session: AsyncSession, sold: tuple[date, date, int], known: Sequence[str]) -> None:
    found = await rows(session, UNKNOWN_PLANS, *sold, list(known))
    if found:
        missing = ", ".join(f"{row.plan_code} ({row.services} servicios)" for row in found)
        raise Refused(
            RULE, f"Hay servicios con planes que el catálogo no tiene: {missing}.", remedy="Agregue los planes en catalog/plans.yaml."
        )


async def refuse_run(session: AsyncSession, *, period: Period, refusal: str, currency: str, issue_date: date, now: datetime) -> None:
    """Keep why the clock could not start a month, so that people see it and it is tried again a day later."""
    await execute(
        session,
        "INSERT INTO billing_run (id, period, state, issue_date, currency, customers, refusal, requested_by, requested_at, started_at, "
        "version) VALUES ($1, $2, 'REFUSED', $3, $4, 0, $5, 'reloj', $6, $6, 1) ON CONFLICT (period) DO UPDATE "
        "SET refusal = excluded.refusal, started_at = excluded.started_at WHERE billing_run.state = 'REFUSED'",
        new_id(),
        str(period),
        issue_date,
        currency,
        refusal,
        now,
    )


async def complete_run(session: AsyncSession, *, run_id: UUID, now: datetime) -> bool:
    """Close a run whose chunks are all done, and tell it once; False while some are not, or when it was closed before."""
    found = await rows(
        session,
        "UPDATE billing_run r SET state = 'COMPLETED', completed_at = $2 WHERE id = $1 AND state = 'RUNNING' "
        "AND NOT EXISTS (SELECT FROM billing_chunk WHERE run_id = $1 AND done_at IS NULL) RETURNING period, currency, "
        "(SELECT coalesce(sum(invoices), 0) FROM billing_chunk WHERE run_id = $1) AS invoices, "
        "(SELECT coalesce(sum(total), 0) FROM billing_chunk WHERE run_id = $1) AS total",
        run_id,
        now,
    )
    if not found:
        return False
    event = BillingRunCompleted(
        run_id=run_id,
        period=found[0].period,
        invoices=found[0].invoices,
        total=Decimal(found[0].total),
        currency=found[0].currency,
        completed_at=now,
    )
    await publish(session, event, subject=f"billing_run/{run_id}", version=1, now=now)
    return True
