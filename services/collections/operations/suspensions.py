"""Orders to cut a service (VIP-9 … VIP-14)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Suspension
from services.collections.operations import orders
from services.collections.operations.assessing import settle
from services.collections.operations.commands import permitted
from shared.auth import Principal
from shared.operator import Operator


async def request_suspension(
    session: AsyncSession, *, customer_id: UUID, reason: str | None, actor: Principal, operator: Operator, now: datetime
) -> Suspension:
    """Order the cut. Ticketing answers whether it was done. Raises NotFound, and Refused with everything that stands in the way."""
    opened = await permitted(session, customer_id, "suspend", actor=actor, operator=operator, now=now)
    made = orders.order_cut(opened.changes, opened.facts, agent=actor.person, reason=reason)
    await settle(session, opened.changes)
    return await session.get_one(Suspension, made)
