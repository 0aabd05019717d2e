"""The billing run on the clock: planned on the operator's day and hour, issued chunk by chunk, closed when every chunk is done."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.adapters.price_functions import price_functions
from services.billing.operations import issuing, runs
from services.billing.operations.terms import policy_terms
from services.billing.queries.runs import Standing, run_standing
from services.billing.rules.periods import Period
from shared.background import in_the_background
from shared.calendar import BusinessCalendar
from shared.db import Database, rows
from shared.errors import Problem
from shared.jobs import Job, JobContext
from shared.log import get_logger
from shared.operator import Operator

log = get_logger("billing.runs")
AGAIN = timedelta(days=1)
FOLLOW_SECONDS = 0.2
BEHIND = "SELECT min(id) AS first FROM outbox WHERE EXISTS (SELECT FROM outbox OFFSET $1)"


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """At once while a run is under way, else when the next month starts (see `due_month`)."""
    standing = await run_standing(session)
    if standing.running is not None:
        return context.now
    due = due_month(standing, context.operator, context.now)
    return due[1] if due else None


async def run(context: JobContext) -> int:
    """Start what is due, issue every free chunk, close the run. Answers how many steps it did."""
    async with context.database.transaction() as session:
        standing = await run_standing(session)
    run_id = standing.running
    if run_id is None:
        due = due_month(standing, context.operator, context.now)
        if due is None or due[1] > context.now:
            return 0
        run_id = await _start(context, due[0])
    return await issue(context, run_id) if run_id else 0


async def issue(context: JobContext, run_id: UUID) -> int:
    """Issue the chunks that nobody else issues, then close the run if all are done. Any number of workers may do this at once."""
    policies, prices, calendar = policy_terms(context.operator), price_functions(context.operator), BusinessCalendar(context.operator)
    steps, followed = 0, True
    async with in_the_background(context.database) as quiet:
        while True:
            async with quiet.transaction() as session:
                if not await issuing.issue_chunk(
                    session, run_id=run_id, operator=context.operator, policies=policies, prices=prices, calendar=calendar, now=context.now
                ):
                    break
            steps += 1
            followed = followed and await _followed(quiet)
    async with context.database.transaction() as session:
        return steps + await runs.complete_run(session, run_id=run_id, now=context.now)


async def _followed(database: Database) -> bool:
    """Wait until the relay is no more than a chunk behind: issuing and telling at once would leave nothing of a small machine to those
    who pay meanwhile. False when nobody takes the events away; then there is nothing to wait for."""
    before: int | None = None
    while True:
        async with database.look() as session:
            first = (await rows(session, BEHIND, runs.LARGEST))[0].first
        if first is None:
            return True
        if first == before:
            return False
        before = first
        await asyncio.sleep(FOLLOW_SECONDS)


def due_month(standing: Standing, operator: Operator, now: datetime) -> tuple[Period, datetime] | None:
    """The next month to run and the instant (UTC) at which it starts; None without customers, or while an import is under way.

    A refused month is tried again a day later. The very first month is the current one while its invoices can still go out in time (VIP-5:
    day 2 at the latest), else the next: who brings customers in later in a month bills its rest by hand (our choice).
    """
    if not standing.customers or standing.importing:
        return None
    if standing.refused is not None and standing.refused_at is not None and standing.refused > (standing.latest or ""):
        return Period.parse(standing.refused), standing.refused_at + AGAIN
    if standing.latest is not None:
        period = Period.parse(standing.latest).next()
    else:
        today = BusinessCalendar(operator).local(now).date()
        latest_day = max([policy.invoice.send_by_day for policy in operator.policies.values()], default=2)
        this = Period.of(today)
        period = this if today.day <= max(latest_day, operator.billing_run.day) else this.next()
    return period, starts_at(period, operator)


def starts_at(period: Period, operator: Operator) -> datetime:
    """When a month's run starts (UTC): the operator's day and hour in the operator's zone."""
    zone = BusinessCalendar(operator).zone
    return datetime.combine(period.day(operator.billing_run.day), operator.billing_run.at, tzinfo=zone).astimezone(UTC)


async def _start(context: JobContext, period: Period) -> UUID | None:
    """Plan a month; what speaks against it is kept for people to see, and None is answered."""
    issue_date = BusinessCalendar(context.operator).local(context.now).date()
    try:
        async with context.database.transaction() as session:
            plan = await runs.start_run(
                session, period=period, operator=context.operator, issue_date=issue_date, requested_by="reloj", now=context.now
            )
        return plan.run_id
    except Problem as problem:
        log.warning("billing run refused", period=str(period), detail=problem.detail)
        async with context.database.transaction() as session:
            await runs.refuse_run(
                session, period=period, refusal=problem.detail, currency=context.operator.currency, issue_date=issue_date, now=context.now
            )
        return None


JOB = Job("billing_run", next_due, run)
