"""Events that are due to subscribers go out, each subscriber in a lane of its own: a slow one costs the others one time-out at most."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.adapters.posting import Poster, PostLine
from services.notifier.operations.posts import (
    ClaimedPost,
    PostTry,
    claim_posts,
    forget_posts,
    record_posts,
    renew_post_claims,
    webhooks_with_work,
)
from services.notifier.queries.webhooks import next_post
from services.notifier.rules.webhooks import Answer, headers
from shared.clock import machine_now
from shared.db import new_id
from shared.jobs import Job, JobContext
from shared.lease import prolonged
from shared.log import get_logger
from shared.sealing import Seal

log = get_logger("notifier.webhooks")
LANES = 20  # subscribers at once in this process
ROUNDS = 25  # of a lane in a run: then the others are looked at again
CLOSED = "El secreto con que se firma está cerrado con una clave que falta en RECONECTA_WEBHOOK_KEYS."


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """When the next event is sent; one under way counts as due."""
    return await next_post(session, context.now)


async def run(context: JobContext) -> int:
    """Send what is due. Answers how much was tried."""
    async with context.database.transaction() as session:
        found = await webhooks_with_work(session, context.now)
    if not found:
        return 0
    batch = Lanes(context, holder=str(new_id()), places=asyncio.Semaphore(LANES))
    async with prolonged(batch.renew):
        tried = await asyncio.gather(*(batch.lane(each) for each in found))
    async with context.database.transaction() as session:
        await forget_posts(session, context.now)
    return sum(tried)


@dataclass
class Lanes:
    """What this process sends in one run."""

    context: JobContext
    holder: str
    places: asyncio.Semaphore

    async def lane(self, webhook_id: UUID) -> int:
        """Send to one subscriber until nothing is due, or nobody is there."""
        poster: Poster = self.context.resources["webhooks"]
        async with self.places, poster.open() as line:
            return await self._rounds(line, webhook_id)

    async def _rounds(self, line: PostLine, webhook_id: UUID) -> int:
        done = 0
        for _ in range(ROUNDS):
            async with self.context.database.transaction() as session:
                claimed = await claim_posts(session, webhook_id, holder=self.holder, now=self.context.now)
            if not claimed:
                break
            tries = await asyncio.gather(*(self._post(line, webhook_id, each) for each in claimed))
            await self._record(webhook_id, tries)
            done += len(tries)
        return done

    async def _post(self, line: PostLine, webhook_id: UUID, post: ClaimedPost) -> PostTry:
        seal: Seal = self.context.resources["seal"]
        secret, *before = [seal.open(each) for each in post.secrets]
        if secret is None:
            answer = Answer(None, CLOSED)
        else:
            signed = headers(str(post.event_id), post.body, [secret, *filter(None, before)], machine_now())
            answer = await line.post(post.url, signed, post.body)
        if not answer.taken:
            log.warning("event not taken", webhook=str(webhook_id), event_id=str(post.event_id), status=answer.status, detail=answer.detail)
        return PostTry(post.id, answer, self.context.instant())

    async def _record(self, webhook_id: UUID, tries: list[PostTry]) -> None:
        give_up = timedelta(days=self.context.settings.webhook_give_up_days)
        async with self.context.database.transaction() as session:
            kept = await record_posts(session, self.context.operator, webhook_id, holder=self.holder, tries=tries, give_up=give_up)
        if kept < len(tries):
            log.warning("posts taken over", webhook=str(webhook_id), lost=len(tries) - kept)

    async def renew(self) -> None:
        """Stay the holder of what is under way."""
        async with self.context.database.transaction() as session:
            await renew_post_claims(session, holder=self.holder)


JOB = Job("webhooks", next_due, run)
