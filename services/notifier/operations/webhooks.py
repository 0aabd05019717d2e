"""Subscriptions: made, changed, given a new secret, asked to have something again, turned off when they fail for too long."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.models import Webhook, WebhookEvent, WebhookPost
from services.notifier.operations.messages import announce
from services.notifier.queries.webhooks import STALE
from services.notifier.rules.webhooks import TEST_TYPE, WebhookState, cloud_event
from shared.clock import machine_now
from shared.db import execute, lock, new_id, ring, rows
from shared.errors import Conflict, NotFound
from shared.events import Envelope
from shared.events.notifier import WebhookDisabled
from shared.operator import Operator
from shared.outbox import publish
from shared.sealing import Seal

OVERLAP = timedelta(hours=24)  # machine time that the secret before stays valid
TEST_TEXT = "Prueba de Reconecta: si lee esto, la suscripción funciona."
MOST = 100  # subscriptions: each event is compared with all of them
REPLAY = """
UPDATE webhook_post p SET state = 'QUEUED', next_attempt_at = $2, attempts = 0, delivered_at = NULL
FROM webhook_event e WHERE p.webhook_id = $1 AND e.id = p.event_id AND p.state IN ('DELIVERED', 'FAILED')"""


async def subscribe(
    session: AsyncSession,
    *,
    url: str,
    secret: str,
    types: Sequence[str],
    customer_id: UUID | None,
    description: str,
    by: str,
    now: datetime,
) -> Webhook:
    """Make a subscription; it gets what happens from now on. `secret` is sealed. Raises Conflict when there are too many."""
    [found] = await rows(session, "SELECT count(*) AS n FROM webhook")
    if found.n >= MOST:
        raise Conflict(f"Ya hay {MOST} suscripciones.", remedy="Borre una que ya no se use.")
    webhook = Webhook(
        url=url,
        types=sorted(set(types)),
        customer_id=customer_id,
        description=description,
        secret=secret,
        created_by=by,
        created_at=now,
    )
    session.add(webhook)
    await session.flush()
    return webhook


async def locked_webhook(session: AsyncSession, webhook_id: UUID) -> Webhook:
    """A subscription, to be changed. Raises NotFound."""
    return await lock(session, Webhook, webhook_id)


async def change(
    session: AsyncSession,
    webhook: Webhook,
    *,
    url: str | None = None,
    types: Sequence[str] | None = None,
    description: str | None = None,
    state: WebhookState | None = None,
) -> None:
    """Change what is given of a subscription (its row is locked). Whoever turns it on sends what was kept for it, too."""
    webhook.url = url or webhook.url
    webhook.types = sorted(set(types)) if types else webhook.types
    webhook.description = webhook.description if description is None else description
    webhook.version += 1
    webhook.state = state or webhook.state
    if state is WebhookState.ACTIVE:
        webhook.reason, webhook.failing_since, webhook.misses, webhook.rests_until = "", None, 0, None
        ring(session, "webhooks")
    await session.flush()


async def unsubscribe(session: AsyncSession, webhook_id: UUID) -> None:
    """Forget a subscription with everything that is on its way to it. Raises NotFound."""
    await lock(session, Webhook, webhook_id)
    await execute(session, "DELETE FROM webhook WHERE id = $1", webhook_id)


async def renew_secret(session: AsyncSession, webhook_id: UUID, secret: str) -> Webhook:
    """A new secret (sealed); the one before signs beside it for OVERLAP. Raises NotFound."""
    webhook = await lock(session, Webhook, webhook_id)
    webhook.previous_secret, webhook.previous_until = webhook.secret, machine_now() + OVERLAP
    webhook.secret = secret
    webhook.version += 1
    await session.flush()
    return webhook


async def seal_again(session: AsyncSession, seal: Seal) -> int:
    """Close with the newest key what an older one closed, and what was kept before there were any. Answers how many it was."""
    again = 0
    for row in await rows(session, STALE + " FOR UPDATE", seal.older):
        secret, previous = (text and _closed_again(seal, text) for text in (row.secret, row.previous_secret))
        await execute(session, "UPDATE webhook SET secret = $2, previous_secret = $3 WHERE id = $1", row.id, secret, previous)
        again += 1
    return again


def _closed_again(seal: Seal, text: str) -> str:
    opened = seal.open(text)
    return text if opened is None else seal.close(opened)


async def send_test(session: AsyncSession, webhook_id: UUID, now: datetime) -> tuple[WebhookPost, WebhookEvent]:
    """Queue an event that is about nothing. Raises NotFound, and Conflict while the subscription is turned off."""
    webhook = await lock(session, Webhook, webhook_id)
    _must_be_active(webhook)
    event_id = new_id()
    data = json.dumps({"webhook_id": str(webhook.id), "text": TEST_TEXT}, ensure_ascii=False)
    subject, key = f"webhook/{webhook.id}", str(webhook.id)
    envelope = Envelope(id=event_id, type=TEST_TYPE, source="notifier", subject=subject, sequence=1, key=key, time=now, data=data)
    body = cloud_event(envelope)
    event = WebhookEvent(id=event_id, type=TEST_TYPE, at=now, body=body)
    session.add(event)
    await session.flush()
    post = WebhookPost(webhook_id=webhook.id, event_id=event_id, key=f"test/{event_id}", next_attempt_at=now)
    session.add(post)
    await session.flush()
    ring(session, "webhooks")
    return post, event


async def replay_one(session: AsyncSession, webhook_id: UUID, event_id: UUID, now: datetime) -> None:
    """Send an event to a subscription once more, with the same id. Raises NotFound, and Conflict while it is on its way anyway."""
    webhook = await lock(session, Webhook, webhook_id)
    _must_be_active(webhook)
    again = await execute(session, REPLAY + " AND p.event_id = $3", webhook_id, now, event_id)
    if again:
        return ring(session, "webhooks")
    known = await rows(session, "SELECT FROM webhook_post WHERE webhook_id = $1 AND event_id = $2", webhook_id, event_id)
    if not known:
        raise NotFound(f"La suscripción no tiene el evento {event_id}.")
    raise Conflict("El evento ya está en camino.", remedy="Mire su próximo intento en la entrega.")


async def replay_range(session: AsyncSession, webhook_id: UUID, *, since: datetime, until: datetime, now: datetime) -> int:
    """Send again what happened from `since` until before `until` (aware) and is finished, delivered or not, in the order in which it went
    out first. Answers how many. Raises NotFound and Conflict."""
    webhook = await lock(session, Webhook, webhook_id)
    _must_be_active(webhook)
    found = await execute(session, REPLAY + " AND e.at >= $3 AND e.at < $4", webhook_id, now, since, until)
    ring(session, "webhooks")
    return found


def _must_be_active(webhook: Webhook) -> None:
    if webhook.state != WebhookState.ACTIVE:
        raise Conflict(f"La suscripción está {webhook.state}.", remedy="Actívela: PATCH con state ACTIVE.")


async def disable(session: AsyncSession, operator: Operator, webhook: Webhook, reason: str, now: datetime) -> None:
    """Send nothing more to a subscription (its row is locked), tell the house, and tell the desks of the operator's notices."""
    [waiting] = await rows(session, "SELECT count(*) AS n FROM webhook_post WHERE webhook_id = $1 AND state <> 'DELIVERED'", webhook.id)
    webhook.state, webhook.reason, webhook.rests_until = WebhookState.DISABLED, reason, None
    webhook.version += 1
    webhook.told += 1
    event = WebhookDisabled(
        webhook_id=webhook.id,
        description=webhook.description,
        host=urlsplit(webhook.url).hostname or "",
        failing_since=webhook.failing_since or now,
        reason=reason,
        waiting=waiting.n,
        disabled_at=now,
    )
    event_id = await publish(session, event, subject=f"webhook/{webhook.id}", version=webhook.told, now=now)
    await announce(session, operator=operator, events=[(event_id, event)], now=now)
