"""Reads of holds."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Account, Hold
from shared.sorting import Order, Placed, Sorting, identity, instant, text

HELD = Sorting(
    "until",
    identity("hold.id"),
    until=instant("hold.until"),
    customer_name=text("account.search_name"),
    owner=text("hold.owner"),
    placed_by=text("hold.placed_by"),
    placed_at=instant("hold.placed_at"),
    ended_at=instant("hold.ended_at", empty=True),
)


async def find_holds(
    session: AsyncSession,
    order: Order,
    *,
    now: datetime,
    running: bool = True,
    customer_id: UUID | None = None,
    owner: str | None = None,
    agent: str | None = None,
) -> list[Placed[tuple[Hold, str]]]:
    """Holds with the customers' names; only those under way unless said otherwise. `agent` is the customers'."""
    query = select(Hold, Account.name).join(Account, col(Account.id) == Hold.account_id)
    if running:
        query = query.where(col(Hold.ended_at).is_(None), col(Hold.until) > now)
    for column, value in ((Hold.account_id, customer_id), (Hold.owner, owner), (Account.agent, agent)):
        if value is not None:
            query = query.where(col(column) == value)
    return await order.select(session, query)
