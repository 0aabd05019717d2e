"""Posts: an event on its way to a subscriber. Written beside the event's other effects, claimed by a worker, tried, and what became of it.

# Note [One customer's events in their order]
A subscriber gets the events of one customer one at a time, in the order in which they came here: the next one waits until the one before
is delivered or given up. Claims are made under the subscription's row lock, so that no two workers together have more under way than
AT_ONCE. What a killed worker had is sent again with the same `webhook-id`: a subscriber may see an event twice, and knows it by that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.notifier.models import Webhook, WebhookAttempt, WebhookPost
from services.notifier.operations.webhooks import disable
from services.notifier.queries.webhooks import LEFT, waiting
from services.notifier.rules.webhooks import GONE, Answer, PostState, WebhookState, cloud_event, next_try, rest, wanted_by
from shared.clock import machine_now
from shared.db import Fetched, execute, ring, rows
from shared.events import Envelope
from shared.lease import LEASE, holds, prolong
from shared.operator import Operator

AT_ONCE = 4  # posts under way to one subscriber
KEEP = timedelta(days=30)  # business time that events can be replayed

# Which ones is known before anything is joined: with what PostgreSQL believes of a table that was small, each would be sought among all.
CLAIM = f"""
UPDATE webhook_post p SET state = 'SENDING', holder = $3, claimed_until = clock_timestamp() + $4::interval, attempts = attempts + 1,
    next_attempt_at = NULL
WHERE p.id = ANY(ARRAY(
    SELECT due.id FROM (SELECT $1::uuid AS id) AS w CROSS JOIN LATERAL (
        ({LEFT} ORDER BY d.id LIMIT $5)
        UNION ALL (SELECT id FROM ({waiting("$5", until="$2")}) AS waiting)
    ) AS due LIMIT $5))
RETURNING p.id, p.event_id, (SELECT e.body FROM webhook_event e WHERE e.id = p.event_id) AS body
"""
UNDER_WAY = f"SELECT count(*) AS n FROM webhook_post WHERE webhook_id = $1 AND state = 'SENDING' AND {holds('claimed_until')}"
FORGET = """
WITH old AS (SELECT id FROM webhook_event WHERE at < $1 ORDER BY at LIMIT 1000),
posts AS (DELETE FROM webhook_post p USING old WHERE p.event_id = old.id)
DELETE FROM webhook_event e USING old WHERE e.id = old.id
"""
WITH_WORK = f"""
SELECT w.id FROM webhook w CROSS JOIN LATERAL (
    ({LEFT} LIMIT 1) UNION ALL (SELECT id FROM ({waiting("1", until="$1")}) AS waiting) LIMIT 1
) AS work WHERE w.state = 'ACTIVE' AND (w.rests_until IS NULL OR w.rests_until <= $1) ORDER BY w.id
"""


async def webhooks_with_work(session: AsyncSession, now: datetime) -> list[UUID]:
    """The subscriptions to which something is to be sent now."""
    return [row.id for row in await rows(session, WITH_WORK, now)]


@dataclass(frozen=True)
class ClaimedPost:
    """A post that this worker has: where it goes, signed with which secrets (sealed, the newest first)."""

    id: int
    event_id: UUID
    body: str
    url: str
    secrets: Sequence[str]


@dataclass(frozen=True)
class PostTry:
    """What became of one try, and when (UTC, business)."""

    post_id: int
    answer: Answer
    at: datetime


KEEP_EVENTS = """
INSERT INTO webhook_event (id, type, at, body) SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[])
ON CONFLICT DO NOTHING
"""
QUEUE_POSTS = """
INSERT INTO webhook_post (webhook_id, event_id, key, state, attempts, next_attempt_at, detail)
SELECT hook, event, key, 'QUEUED', 0, $4, '' FROM unnest($1::uuid[], $2::uuid[], $3::text[]) WITH ORDINALITY AS t(hook, event, key, place)
ORDER BY place ON CONFLICT DO NOTHING
"""


async def enlist(session: AsyncSession, envelopes: Sequence[Envelope], now: datetime) -> None:
    """Queue events for those who subscribed to them; what is PAUSED or DISABLED gets its own later."""
    hooks = await rows(session, "SELECT id, types, customer_id FROM webhook")
    wanted = [(each, hook.id) for each in envelopes for hook in hooks if _wants(hook, each)]
    if not wanted:
        return
    events = list({each.id: each for each, _ in wanted}.values())
    await execute(
        session,
        KEEP_EVENTS,
        [each.id for each in events],
        [each.type for each in events],
        [each.time for each in events],
        [cloud_event(each) for each in events],
    )
    await execute(
        session,
        QUEUE_POSTS,
        [hook for _, hook in wanted],
        [each.id for each, _ in wanted],
        [each.key for each, _ in wanted],
        now,
    )
    ring(session, "webhooks")


def _wants(hook: Fetched, event: Envelope) -> bool:
    return wanted_by(hook.types, event.type) and (hook.customer_id is None or str(hook.customer_id) == event.key)


async def claim_posts(session: AsyncSession, webhook_id: UUID, *, holder: str, now: datetime) -> Sequence[ClaimedPost]:
    """Take what is due to one subscriber, as much as may be under way at once. See Note [One customer's events in their order]."""
    webhook = await _locked(session, webhook_id, skip=True)
    if webhook is None or webhook.state != WebhookState.ACTIVE or (webhook.rests_until is not None and webhook.rests_until > now):
        return []
    places = AT_ONCE if webhook.misses == 0 else 1  # who was not there is looked for with one post
    free = places - (await rows(session, UNDER_WAY, webhook_id))[0].n
    if free <= 0:
        return []
    found = await rows(session, CLAIM, webhook_id, now, holder, LEASE, free)
    return [ClaimedPost(row.id, row.event_id, row.body, webhook.url, _secrets(webhook)) for row in found]


async def _locked(session: AsyncSession, webhook_id: UUID, *, skip: bool = False) -> Webhook | None:
    """A subscription that nobody else changes until the commit; events may be queued for it meanwhile."""
    query = select(Webhook).where(Webhook.id == webhook_id).with_for_update(key_share=True, skip_locked=skip)
    return (await session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()


def _secrets(webhook: Webhook) -> list[str]:
    both = webhook.previous_secret and webhook.previous_until and webhook.previous_until > machine_now()
    return [webhook.secret, *([str(webhook.previous_secret)] if both else [])]


async def renew_post_claims(session: AsyncSession, *, holder: str) -> None:
    """This worker is alive: what it has stays its own."""
    await prolong(session, "webhook_post", "state = 'SENDING' AND holder = $1", holder)


async def record_posts(
    session: AsyncSession, operator: Operator, webhook_id: UUID, *, holder: str, tries: Sequence[PostTry], give_up: timedelta
) -> int:
    """Keep what became of some tries to one subscriber; turn it off when nothing has succeeded for `give_up`, or when it says that it is
    gone. What is another worker's by now, or was unsubscribed meanwhile, is left alone. Answers how many were kept."""
    webhook = await _locked(session, webhook_id)
    wanted = {each.post_id: each for each in tries}
    mine = select(WebhookPost).where(
        col(WebhookPost.id).in_(list(wanted)), WebhookPost.holder == holder, WebhookPost.state == PostState.SENDING
    )
    found: Sequence[Any] = (await session.execute(mine.order_by(col(WebhookPost.id)).with_for_update())).scalars().all()
    if webhook is None or not found:
        return 0
    done = [wanted[post.id] for post in found]
    at = max(each.at for each in done)
    _judge(webhook, done, at)
    for post in found:
        _settle(webhook, post, wanted[post.id])
        session.add(_attempt(post.id, wanted[post.id]))
    await session.flush()
    if webhook.state == WebhookState.ACTIVE and (reason := _helpless(webhook, done, at, give_up)):
        await disable(session, operator, webhook, reason, at)
    return len(found)


def _settle(webhook: Webhook, post: WebhookPost, done: PostTry) -> None:
    """A post after a try. One that met nobody waits as long as its subscriber rests, and that try does not count."""
    answer = done.answer
    post.status, post.detail, post.holder, post.claimed_until = answer.status, answer.detail, None, None
    if answer.taken:
        post.state, post.delivered_at = PostState.DELIVERED, done.at
        return
    if answer.missed:
        post.state, post.attempts, post.next_attempt_at = PostState.QUEUED, post.attempts - 1, webhook.rests_until
        return
    post.next_attempt_at = next_try(answer, post.attempts, str(post.event_id), done.at)
    post.state = PostState.QUEUED if post.next_attempt_at else PostState.FAILED


def _judge(webhook: Webhook, done: Sequence[PostTry], at: datetime) -> None:
    """What is known of a subscriber after a round of tries."""
    if any(each.answer.taken for each in done):
        webhook.failing_since = None
    elif webhook.failing_since is None:
        webhook.failing_since = min(each.at for each in done)
    missed = [each.answer for each in done if each.answer.missed]
    webhook.misses = webhook.misses + 1 if missed else 0
    webhook.rests_until = max(rest(each, webhook.misses, at) for each in missed) if missed else None


def _attempt(post_id: int, done: PostTry) -> WebhookAttempt:
    answer = done.answer
    return WebhookAttempt(
        post_id=post_id, at=done.at, status=answer.status, milliseconds=answer.milliseconds, detail=answer.detail, answer=answer.text
    )


def _helpless(webhook: Webhook, done: Sequence[PostTry], at: datetime, give_up: timedelta) -> str | None:
    """Why nothing more is sent to a subscriber (Spanish); None while there is hope."""
    if any(each.answer.status == GONE for each in done):
        return "El destino contestó 410: ya no quiere recibir nada."
    if webhook.failing_since is not None and at - webhook.failing_since >= give_up:
        return f"Ninguna entrega salió bien en {give_up.days} días."
    return None


async def forget_posts(session: AsyncSession, now: datetime) -> int:
    """Delete what is older than KEEP, a part at a time. Answers how many events went."""
    return await execute(session, FORGET, now - KEEP)
