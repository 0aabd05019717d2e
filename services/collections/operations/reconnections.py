"""Orders to switch a service on again (VIP-20 … VIP-22)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Suspension
from services.collections.operations import orders
from services.collections.operations.assessing import settle
from services.collections.operations.commands import open_account
from services.collections.rules.cuts import unfinished
from services.collections.rules.verdicts import reconnect_verdict
from shared.auth import Principal
from shared.operator import Operator


async def request_reconnection(
    session: AsyncSession, *, customer_id: UUID, basis: str, actor: Principal, operator: Operator, now: datetime
) -> Suspension:
    """Order the reconnection for what was negotiated: payment, promise, payment_plan or review. Answers the suspension that it ends.
    Raises NotFound, and Refused when nothing is cut or the basis is not there."""
    opened = await open_account(session, customer_id, operator=operator, now=now)
    reconnect_verdict(opened.facts, opened.terms, now, basis=basis).require()
    cut = unfinished(opened.facts)
    assert cut is not None
    orders.order_reconnection(opened.changes, opened.facts, cut, basis=basis, agent=actor.person)
    await settle(session, opened.changes)
    return await session.get_one(Suspension, cut.id, populate_existing=True)
