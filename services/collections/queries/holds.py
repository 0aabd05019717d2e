"""Reads of holds."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Account, Hold


async def find_holds(
    session: AsyncSession,
    *,
    now: datetime,
    running: bool = True,
    customer_id: UUID | None = None,
    owner: str | None = None,
    agent: str | None = None,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> Sequence[tuple[Hold, str]]:
    """Holds with the customers' names, those that end first before the others; only those under way unless said otherwise. `agent` is
    the customers'. `after` is when the last one seen ends, and its id."""
    query = select(Hold, Account.name).join(Account, col(Account.id) == Hold.account_id)
    query = query.order_by(col(Hold.until), col(Hold.id)).limit(limit)
    if running:
        query = query.where(col(Hold.ended_at).is_(None), col(Hold.until) > now)
    for column, value in ((Hold.account_id, customer_id), (Hold.owner, owner), (Account.agent, agent)):
        if value is not None:
            query = query.where(col(column) == value)
    if after is not None:
        query = query.where(tuple_(col(Hold.until), col(Hold.id)) > tuple_(*after))
    return [(hold, name) for hold, name in (await session.execute(query)).all()]
