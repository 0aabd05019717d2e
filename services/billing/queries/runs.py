"""Reads of billing runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from services.billing.models import BillingRun, FiscalSeries
from services.billing.rules.fiscal import fiscal_number
from shared.arranging import Arranging
from shared.db import rows
from shared.errors import NotFound
from shared.operator import FiscalSeries as Granted
from shared.sorting import Order, Placed, Sorting, day, instant, number, text

RUNS = Sorting(
    "-period",
    text("billing_run.period", cast="bpchar"),
    period=text("billing_run.period", cast="bpchar"),
    state=text("billing_run.state"),
    issue_date=day("billing_run.issue_date"),
    customers=number("billing_run.customers"),
    requested_by=text("billing_run.requested_by"),
    started_at=instant("billing_run.started_at", empty=True),
    completed_at=instant("billing_run.completed_at", empty=True),
)
SERIES = Arranging("code", "document", "left", "expires")
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
    total: Decimal


@dataclass(frozen=True)
class SeriesStanding:
    """A fiscal series as it is printed, and how many of its numbers are left."""

    code: str
    document: str
    authorization_code: str
    first: str
    last: str
    next: str | None
    left: int
    expires: date


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
    return RunProgress(run, found.chunks, found.done, found.invoices, found.total)


async def find_runs(session: AsyncSession, order: Order) -> list[Placed[BillingRun]]:
    """Runs."""
    return await order.select(session, select(BillingRun))


async def series_standing(session: AsyncSession, granted: Sequence[Granted]) -> list[SeriesStanding]:
    """The operator's series in the order of its file; one that was never used has all its numbers left."""
    kept = (await session.execute(select(FiscalSeries))).scalars().all()
    used = {(each.code, each.authorization_code): each.next_number for each in kept}
    return [_standing(each, used.get((each.code, each.authorization_code), each.from_number)) for each in granted]


def _standing(series: Granted, following: int) -> SeriesStanding:
    def printed(sequence: int) -> str:
        return fiscal_number(series.prefix, series.digits, sequence)

    left = max(series.to_number - following + 1, 0)
    return SeriesStanding(
        code=series.code,
        document=series.document,
        authorization_code=series.authorization_code,
        first=printed(series.from_number),
        last=printed(series.to_number),
        next=printed(following) if left else None,
        left=left,
        expires=series.expires,
    )
