"""What the clock starts in collections: the review of every account at which something may change by time alone."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.operations.assessing import reassess
from shared.db import rows
from shared.worker import Job, JobContext

CHUNK = 1_000
NEXT = "SELECT next_review_at FROM account WHERE next_review_at IS NOT NULL ORDER BY next_review_at LIMIT 1"
DUE = "SELECT id FROM account WHERE next_review_at <= $1 ORDER BY next_review_at, id LIMIT $2 FOR UPDATE SKIP LOCKED"


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """When the next account is to be looked at."""
    found = await rows(session, NEXT)
    return found[0].next_review_at if found else None


async def run(context: JobContext) -> int:
    """Review what is due, chunk by chunk; any number of workers share the chunks. Answers how many accounts."""
    done = 0
    while True:
        async with context.database.transaction() as session:
            due = [row.id for row in await rows(session, DUE, context.now, CHUNK)]
            if due:
                await reassess(session, due, operator=context.operator, now=context.now)
        if not due:
            return done
        done += len(due)


JOBS = (Job("review", next_due, run),)
