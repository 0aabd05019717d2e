"""Invoices whose day has ended become overdue."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.invoices import mark_overdue
from services.billing.queries.invoices import next_due_end
from shared.jobs import Job, JobContext


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """When the next day ends on which somebody still owes."""
    return await next_due_end(session)


async def run(context: JobContext) -> int:
    """Tell of every invoice whose day has ended. Answers how many."""
    done = 0
    while True:
        async with context.database.transaction() as session:
            told = await mark_overdue(session, now=context.now)
        if not told:
            return done
        done += told


JOB = Job("overdue", next_due, run)
