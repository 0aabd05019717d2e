"""Notifier's reads."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifier.queries import messages, webhooks
from services.notifier.queries.messages import (
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
from shared.invariants import Broken, broken

__all__ = [
    "Known",
    "MessageView",
    "deliveries_of",
    "find_messages",
    "gauges",
    "get_delivery",
    "get_message",
    "invariants",
    "known_facts",
    "next_attempt",
    "printable_invoices",
    "riders_of",
]


async def gauges(session: AsyncSession) -> Mapping[tuple[str, str], float]:
    """Deliveries, messages, subscriptions and what is on its way to them, by state."""
    return {**await messages.gauges(session), **await webhooks.gauges(session)}


async def invariants(session: AsyncSession) -> list[Broken]:
    """The sentences that do not hold, each with some of the rows that break it; empty when all is well."""
    return await broken(session, messages.CHECKS | webhooks.CHECKS)
