"""Notifier's reads."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.queries import messages, webhooks
from services.notifier.queries.messages import (
    MESSAGES,
    Known,
    MessageView,
    deliveries_of,
    find_messages,
    get_delivery,
    get_message,
    known_facts,
    next_attempt,
    printable_invoices,
    riders_of,
)
from shared.invariants import Sentences

__all__ = [
    "MESSAGES",
    "SENTENCES",
    "Known",
    "MessageView",
    "deliveries_of",
    "find_messages",
    "gauges",
    "get_delivery",
    "get_message",
    "known_facts",
    "next_attempt",
    "printable_invoices",
    "riders_of",
]

SENTENCES = Sentences(messages.CHECKS | webhooks.CHECKS)


async def gauges(session: AsyncSession) -> Mapping[tuple[str, str], float]:
    """Deliveries, messages, subscriptions and what is on its way to them, by state."""
    return {**await messages.gauges(session), **await webhooks.gauges(session)}
