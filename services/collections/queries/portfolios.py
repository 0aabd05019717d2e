"""Reads of portfolios."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import PortfolioChange
from shared.db import rows

COUNTS = """
SELECT agent, policy, status, count(*) AS customers FROM account
WHERE $1::text IS NULL OR agent = $1 GROUP BY agent, policy, status ORDER BY agent NULLS FIRST, policy, status
"""


@dataclass(frozen=True)
class PortfolioView:
    """The accounts of one agent (None: of nobody) under one policy: how many are in each status."""

    agent: str | None
    policy: str
    by_status: dict[str, int]


async def portfolios(session: AsyncSession, *, agent: str | None = None) -> list[PortfolioView]:
    """All portfolios, or one agent's; the accounts of nobody first."""
    found: dict[tuple[str | None, str], PortfolioView] = {}
    for row in await rows(session, COUNTS, agent):
        view = found.setdefault((row.agent, row.policy), PortfolioView(row.agent, row.policy, {}))
        view.by_status[row.status] = row.customers
    return list(found.values())


async def history_of(session: AsyncSession, customer_id: UUID) -> Sequence[PortfolioChange]:
    """In whose portfolio the account has been, the latest first."""
    query = select(PortfolioChange).where(PortfolioChange.customer_id == customer_id).order_by(col(PortfolioChange.assigned_at).desc())
    return (await session.execute(query)).scalars().all()
