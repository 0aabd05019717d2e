"""Webhooks: subscriptions, what is on its way to them, and when that is due."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.notifier.models import Webhook, WebhookAttempt, WebhookEvent, WebhookPost
from services.notifier.rules.webhooks import PostState, WebhookState
from shared.db import rows
from shared.errors import NotFound
from shared.lease import holds
from shared.sealing import Seal
from shared.sorting import Order, Placed, Sorting, identity, instant, number, text

WEBHOOKS = Sorting(
    "-id",
    identity("webhook.id"),
    id=identity("webhook.id"),
    url=text("webhook.url"),
    description=text("webhook.description"),
    state=text("webhook.state"),
    failing_since=instant("webhook.failing_since", empty=True),
    created_by=text("webhook.created_by"),
    created_at=instant("webhook.created_at"),
)
POSTS = Sorting(
    "-number",
    number("webhook_post.id"),
    number=number("webhook_post.id"),
    type=text("webhook_event.type"),
    happened_at=instant("webhook_event.at"),
    state=text("webhook_post.state"),
    attempts=number("webhook_post.attempts"),
    next_attempt_at=instant("webhook_post.next_attempt_at", empty=True),
    status=number("webhook_post.status", empty=True),
    delivered_at=instant("webhook_post.delivered_at", empty=True),
)
# No earlier post of the same customer to the same subscriber is still under way. Asked of one post after another, as they are due: as a
# NOT EXISTS it would join all that waits with all that waits, and a subscriber may have been away for days.
ITS_TURN = """(SELECT e.id FROM webhook_post e WHERE e.webhook_id = d.webhook_id AND e.key = d.key AND e.id < d.id
    AND e.state IN ('QUEUED', 'SENDING') ORDER BY e.id LIMIT 1) IS NULL"""
# What a killed worker had, of a subscription `w`.
LEFT = f"""SELECT d.id FROM webhook_post d WHERE d.webhook_id = w.id AND d.state = 'SENDING'
    AND NOT {holds("d.claimed_until")} AND {ITS_TURN}"""


def waiting(most: str, *, until: str = "'infinity'") -> str:
    """SQL: of a subscription `w` what is queued, the first due first, `most` of it, due `until` then. It is put in order before anybody is
    asked whose turn it is: PostgreSQL would ask all of them where it has not yet heard how many there are."""
    return f"""SELECT d.id, d.next_attempt_at FROM (
        SELECT id, webhook_id, key, next_attempt_at FROM webhook_post
        WHERE webhook_id = w.id AND state = 'QUEUED' AND next_attempt_at <= {until} ORDER BY next_attempt_at, id OFFSET 0
    ) AS d WHERE {ITS_TURN} ORDER BY d.next_attempt_at, d.id LIMIT {most}"""


# What an older key of ours closed ($1: their marks), or nobody.
STALE = """
SELECT id, secret, previous_secret FROM webhook WHERE strpos(secret, '.') = 0 OR split_part(secret, '.', 1) = ANY($1)
    OR strpos(previous_secret, '.') = 0 OR split_part(previous_secret, '.', 1) = ANY($1)"""
# What a worker has that may be alive is due now; what a killed one had, as soon as its subscriber rests no longer.
NEXT = f"""
SELECT min(d.at) AS at FROM webhook w CROSS JOIN LATERAL (
    (SELECT $1::timestamptz AS at FROM webhook_post s
        WHERE s.webhook_id = w.id AND s.state = 'SENDING' AND {holds("s.claimed_until")} LIMIT 1)
    UNION ALL (SELECT greatest($1, w.rests_until) FROM ({LEFT} LIMIT 1) AS left_behind)
    UNION ALL (SELECT greatest(next_attempt_at, w.rests_until) FROM ({waiting("1")}) AS waiting)
) AS d WHERE w.state = 'ACTIVE'
"""


async def next_post(session: AsyncSession, now: datetime) -> datetime | None:
    """When something is sent next (business time): now while something is under way."""
    return (await rows(session, NEXT, now))[0].at  # type: ignore[no-any-return]


async def stale_secrets(session: AsyncSession, seal: Seal) -> bool:
    """Is there a secret that the newest key has not closed, and could?"""
    return seal.newest is not None and (await rows(session, f"SELECT EXISTS ({STALE}) AS found", seal.older))[0].found is True


async def find_webhooks(session: AsyncSession, order: Order, *, state: WebhookState | None) -> list[Placed[Webhook]]:
    """Subscriptions."""
    query = select(Webhook)
    if state is not None:
        query = query.where(Webhook.state == state)
    return await order.select(session, query)


async def get_webhook(session: AsyncSession, webhook_id: UUID) -> Webhook:
    """A subscription. Raises NotFound."""
    found = await session.get(Webhook, webhook_id)
    if found is None:
        raise NotFound(f"No existe la suscripción {webhook_id}.")
    return found


async def find_posts(
    session: AsyncSession, webhook_id: UUID, order: Order, *, state: PostState | None, event_type: str | None
) -> list[Placed[tuple[WebhookPost, WebhookEvent]]]:
    """What was sent or is to be sent to a subscription."""
    query = select(WebhookPost, WebhookEvent).join(WebhookEvent, col(WebhookEvent.id) == col(WebhookPost.event_id))
    query = query.where(WebhookPost.webhook_id == webhook_id)
    if state is not None:
        query = query.where(WebhookPost.state == state)
    if event_type is not None:
        query = query.where(WebhookEvent.type == event_type)
    return await order.select(session, query)


async def get_post(session: AsyncSession, webhook_id: UUID, event_id: UUID) -> tuple[WebhookPost, WebhookEvent, Sequence[WebhookAttempt]]:
    """One event on its way to a subscription, with every try. Raises NotFound."""
    query = select(WebhookPost, WebhookEvent).join(WebhookEvent, col(WebhookEvent.id) == col(WebhookPost.event_id))
    found = (await session.execute(query.where(WebhookPost.webhook_id == webhook_id, WebhookPost.event_id == event_id))).first()
    if found is None:
        raise NotFound(f"La suscripción no tiene el evento {event_id}.")
    post, event = found
    tries = select(WebhookAttempt).where(WebhookAttempt.post_id == post.id).order_by(col(WebhookAttempt.id))
    return post, event, (await session.execute(tries)).scalars().all()


async def gauges(session: AsyncSession) -> Mapping[tuple[str, str], float]:
    """Subscriptions and posts by state."""
    found = {("webhooks", str(state)): 0.0 for state in WebhookState} | {("webhook_posts", str(state)): 0.0 for state in PostState}
    for table, kind in (("webhook", "webhooks"), ("webhook_post", "webhook_posts")):
        for row in await rows(session, f"SELECT state, count(*) AS n FROM {table} GROUP BY state"):
            found[kind, row.state] = float(row.n)
    return found


CHECKS = {
    "lo que un suscriptor recibió se contestó con 2xx en algún intento": """
        SELECT p.id FROM webhook_post p WHERE p.state = 'DELIVERED' AND NOT EXISTS (
            SELECT FROM webhook_attempt a WHERE a.post_id = p.id AND a.status BETWEEN 200 AND 299)""",
    "lo que espera a un suscriptor tiene próximo intento": """
        SELECT id FROM webhook_post WHERE (state = 'QUEUED') <> (next_attempt_at IS NOT NULL)""",
}
