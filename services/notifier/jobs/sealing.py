"""Secrets that an older key closed, or none, are closed with the newest: when a worker starts, and now and then, for another process may
still have had the older key. Then that key may go."""

import time
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.operations.webhooks import seal_again
from services.notifier.queries.webhooks import stale_secrets
from shared.jobs import Job, JobContext
from shared.log import get_logger
from shared.sealing import Seal

log = get_logger("notifier.sealing")
LOOK_SECONDS = 600.0  # machine time


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """Now, if there is such a secret; hardly ever anybody looks."""
    seal: Seal = context.resources["seal"]
    if time.monotonic() < seal.rests_until:
        return None
    if await stale_secrets(session, seal):
        return context.now
    seal.rests_until = time.monotonic() + LOOK_SECONDS
    return None


async def run(context: JobContext) -> int:
    """Close them again. Answers how many subscriptions it was."""
    seal: Seal = context.resources["seal"]
    async with context.database.transaction() as session:
        again = await seal_again(session, seal)
    seal.rests_until = time.monotonic() + LOOK_SECONDS
    log.info("secrets sealed with the newest key", key=seal.newest, webhooks=again)
    return again


JOB = Job("sealing", next_due, run)
