"""Billing runs and fiscal series over HTTP."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from services.billing.models import BillingRun
from services.billing.operations.runs import start_run
from services.billing.queries.runs import RUNS, SERIES, RunProgress, SeriesStanding, find_runs, get_run, series_standing
from services.billing.rules.periods import Period
from services.billing.rules.states import RunState
from shared.calendar import BusinessCalendar
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, arranged_whole, command_router, page, permits, sorted_by
from shared.web.shapes import MoneyShown, Month, example, money

router = command_router(tags=["billing runs"])


class RunInput(Input):
    """The month to bill."""

    model_config = example(period="2026-03")
    period: Month


class RunListed(BaseModel):
    """A month's run. A REFUSED one issued nothing, says why, and is tried again by the clock a day later or by POST at once."""

    model_config = example(
        id="019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51",
        period="2026-03",
        state="COMPLETED",
        issue_date="2026-03-01",
        customers=300,
        refusal=None,
        requested_by="reloj",
        started_at="2026-03-01T06:30:00Z",
        completed_at="2026-03-01T06:30:04Z",
    )
    id: UUID
    period: str
    state: RunState
    issue_date: date
    customers: int
    refusal: str | None
    requested_by: str
    started_at: datetime | None
    completed_at: datetime | None


class RunShown(RunListed):
    """A run and how far it is."""

    chunks: int
    chunks_done: int
    invoices: int
    total: MoneyShown


class SeriesShown(BaseModel):
    """An authorised range of numbers for one kind of document (`invoice`, `credit_note`). `expires` is the last day on which it may be
    used."""

    model_config = example(
        code="factura",
        document="invoice",
        authorization_code="3A9C41-7E0B52-4D8F13-A6C2E0-B91D47-08",
        first="000-001-01-00000001",
        last="000-001-01-05000000",
        next="000-001-01-00000301",
        left=4999700,
        expires="2027-12-31",
    )
    code: str
    document: str
    authorization_code: str
    first: str
    last: str
    next: str | None = Field(description="el próximo número; null cuando se agotó")
    left: int
    expires: date


@router.post("/billing-runs", status_code=202)
async def start(body: RunInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents) -> RunShown:
    """Bill a month now; the workers issue its invoices. The clock starts each month's run by itself (operator.yaml, `billing_run`)."""
    permits(actor, documents, "billing.invoices")
    issue_date = BusinessCalendar(documents).today(now)
    plan = await start_run(
        session, period=Period.parse(body.period), operator=documents, issue_date=issue_date, requested_by=actor.person, now=now
    )
    response.headers["Location"] = f"/billing/billing-runs/{plan.run_id}"
    return _show(await get_run(session, plan.run_id))


@router.get("/billing-runs")
async def list_runs(session: Session, actor: Actor, documents: Documents, order: Annotated[Order, sorted_by(RUNS)]) -> Page[RunListed]:
    """Runs, the newest month first."""
    permits(actor, documents, "billing.read")
    return page(await find_runs(session, order), order, show=_listed)


@router.get("/billing-runs/{run_id}")
async def show_run(run_id: UUID, session: Session, actor: Actor, documents: Documents) -> RunShown:
    """A run and how far it is."""
    permits(actor, documents, "billing.read")
    return _show(await get_run(session, run_id))


@router.get("/fiscal-series")
async def list_series(
    session: Session, actor: Actor, documents: Documents, sort: Annotated[str | None, arranged_whole(SERIES)]
) -> list[SeriesShown]:
    """The authorised ranges, and how much of each is left."""
    permits(actor, documents, "billing.read")
    return [_series(each) for each in SERIES.arrange(await series_standing(session, documents.fiscal_series), sort)]


def _listed(run: BillingRun) -> RunListed:
    return RunListed.model_validate(run, from_attributes=True)


def _show(progress: RunProgress) -> RunShown:
    return RunShown(
        **_listed(progress.run).model_dump(),
        chunks=progress.chunks,
        chunks_done=progress.chunks_done,
        invoices=progress.invoices,
        total=money(progress.total, progress.run.currency),
    )


def _series(series: SeriesStanding) -> SeriesShown:
    return SeriesShown.model_validate(series, from_attributes=True)
