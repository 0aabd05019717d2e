"""Plans that change on a coming day become those of their services when the day begins in the operator's zone."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.plans import apply_due
from services.billing.queries.plans import next_change
from shared.calendar import BusinessCalendar
from shared.jobs import Job, JobContext


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """When the next such day begins."""
    day = await next_change(session)
    return BusinessCalendar(context.operator).start_of_day(day) if day else None


async def run(context: JobContext) -> int:
    """Apply every change whose day has come. Answers of how many customers."""
    today, done = BusinessCalendar(context.operator).today(context.now), 0
    while True:
        async with context.database.transaction() as session:
            applied = await apply_due(session, today=today, now=context.now)
        if not applied:
            return done
        done += applied


JOB = Job("plan_changes", next_due, run)
