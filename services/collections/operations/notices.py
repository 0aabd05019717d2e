"""Notices of a coming cut to the desks (VIP-10)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Notice
from services.collections.operations import orders
from services.collections.operations.assessing import settle
from services.collections.operations.commands import permitted
from shared.auth import Principal
from shared.operator import Operator


async def request_notice(
    session: AsyncSession, *, customer_id: UUID, reason: str | None, actor: Principal, operator: Operator, now: datetime
) -> Notice:
    """Have the desks told by mail; the hours before the cut count from the last mail server's acceptance. Raises NotFound and Refused."""
    opened = await permitted(session, customer_id, "notice", actor=actor, operator=operator, now=now)
    made = await orders.send_notice(session, opened.changes, opened.facts, by=actor.person, reason=reason)
    await settle(session, opened.changes)
    return made
