"""What the clock starts in collections: the review of every account at which something may change by time alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.operations.assessing import reassess
from shared.db import execute, rows
from shared.inbox import is_transient
from shared.jobs import Job, JobContext
from shared.log import get_logger

log = get_logger("collections.review")
CHUNK = 1_000
SET_ASIDE = timedelta(days=1)
NEXT = "SELECT next_review_at FROM account WHERE next_review_at IS NOT NULL ORDER BY next_review_at LIMIT 1"
DUE = "SELECT id FROM account WHERE next_review_at <= $1 ORDER BY next_review_at, id LIMIT $2 FOR UPDATE SKIP LOCKED"
STILL_DUE = "SELECT id FROM account WHERE id = $1 AND next_review_at <= $2 FOR UPDATE SKIP LOCKED"


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """When the next account is to be looked at."""
    found = await rows(session, NEXT)
    return found[0].next_review_at if found else None


async def run(context: JobContext) -> int:
    """Review what is due, chunk by chunk; any number of workers share the chunks. Answers how many accounts."""
    done = 0
    while reviewed := await _review_chunk(context):
        done += reviewed
    return done


async def _review_chunk(context: JobContext) -> int:
    """Review one chunk; where that fails, one account after the other, so that the one that cannot be reviewed holds up nobody else."""
    due: list[UUID] = []
    try:
        async with context.database.transaction() as session:
            due = await _review(session, context, await rows(session, DUE, context.now, CHUNK))
    except Exception as error:
        if is_transient(error):
            raise
        async with context.database.transaction() as session:
            due = [row.id for row in await rows(session, DUE, context.now, CHUNK)]
        for account_id in due:
            await _review_alone(context, account_id)
    return len(due)


async def _review(session: AsyncSession, context: JobContext, found: Sequence[Any]) -> list[UUID]:
    due = [row.id for row in found]
    if due:
        await reassess(session, due, operator=context.operator, now=context.now)
    return due


async def _review_alone(context: JobContext, account_id: UUID) -> None:
    """Review one account; one that cannot be is set aside for a day, for a person to look at."""
    try:
        async with context.database.transaction() as session:
            await _review(session, context, await rows(session, STILL_DUE, account_id, context.now))
    except Exception as error:
        if is_transient(error):
            raise
        log.error("account could not be reviewed", account=str(account_id), error=type(error).__name__, exc_info=True)
        async with context.database.transaction() as session:
            await execute(session, "UPDATE account SET next_review_at = $2 WHERE id = $1", account_id, context.now + SET_ASIDE)


JOBS = (Job("review", next_due, run),)
