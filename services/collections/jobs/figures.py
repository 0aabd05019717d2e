"""The manager's figures are counted when somebody asks, and every night once somebody has."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.operations.figures import refresh
from services.collections.queries.figures import next_asked
from services.collections.rules.figures import counted_next
from shared.calendar import BusinessCalendar
from shared.jobs import Job, JobContext


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """When they were asked for, or the night after they were counted last; None as long as nobody wants them."""
    asked, counted = await next_asked(session)
    if asked is not None or counted is None:
        return asked
    return counted_next(BusinessCalendar(context.operator), counted)


async def run(context: JobContext) -> int:
    """Count them. Two workers may both do so: the later count stays."""
    async with context.database.transaction() as session:
        await refresh(session, operator=context.operator, now=context.now)
    return 1


JOB = Job("figures", next_due, run)
