"""Reads of billing runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.billing.models import BillingRun
from shared.db import rows
from shared.errors import NotFound

STANDING = """
SELECT (SELECT id FROM billing_run WHERE state = 'RUNNING' ORDER BY period LIMIT 1) AS running,
    (SELECT max(period) FROM billing_run WHERE state = 'COMPLETED') AS latest,
    (SELECT started_at FROM billing_run WHERE state = 'REFUSED' ORDER BY period DESC LIMIT 1) AS refused_at,
    (SELECT period FROM billing_run WHERE state = 'REFUSED' ORDER BY period DESC LIMIT 1) AS refused,
    EXISTS (SELECT FROM customer) AS customers,
    EXISTS (SELECT FROM import_batch WHERE state IN ('QUEUED', 'READING', 'MERGING') AND kind = 'customers') AS importing
"""

PROGRESS = """
SELECT count(*) AS chunks, count(done_at) AS done, coalesce(sum(invoices), 0)::int AS invoices,
    coalesce(sum(total), 0)::numeric(18,4) AS total
FROM billing_chunk WHERE run_id = $1
"""


@dataclass(frozen=True)
class Standing:
    """Where billing stands: the run under way, the last month completed, the month refused last and when."""

    running: UUID | None
    latest: str | None
    refused: str | None
    refused_at: datetime | None
    customers: bool
    importing: bool


@dataclass(frozen=True)
class RunProgress:
    """A run and how far it is; `total` in the run's currency."""

    run: BillingRun
    chunks: int
    chunks_done: int
    invoices: int
    total: str


async def run_standing(session: AsyncSession) -> Standing:
    """Where billing stands now."""
    found = (await rows(session, STANDING))[0]
    return Standing(found.running, found.latest, found.refused, found.refused_at, found.customers, found.importing)


async def get_run(session: AsyncSession, run_id: UUID) -> RunProgress:
    """A run and its progress. Raises NotFound."""
    run = await session.get(BillingRun, run_id, populate_existing=True)
    if run is None:
        raise NotFound(f"No existe la corrida de facturación {run_id}.")
    found = (await rows(session, PROGRESS, run_id))[0]
    return RunProgress(run, found.chunks, found.done, found.invoices, str(found.total))


async def runs_before(session: AsyncSession, *, before: str = "9999-99", limit: int = 50) -> Sequence[BillingRun]:
    """Runs, the newest month first; `before` is the last month seen."""
    query = select(BillingRun).where(col(BillingRun.period) < before).order_by(col(BillingRun.period).desc()).limit(limit)
    return (await session.execute(query)).scalars().all()
