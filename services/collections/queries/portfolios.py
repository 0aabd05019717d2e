"""Reads of portfolios: how large they are, who stands in for whom, how they would be divided, and who had which customer."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Account, Distribution, DistributionMove, PortfolioChange, PortfolioCover
from shared.arranging import Arranging
from shared.db import rows
from shared.errors import NotFound
from shared.sorting import Order, Placed, Sorting, amount, identity, instant, text

COUNTS = """
SELECT agent, policy, status, count(*) AS customers FROM account
WHERE $1::text IS NULL OR agent = $1 GROUP BY agent, policy, status ORDER BY agent NULLS FIRST, policy, status
"""
PORTFOLIOS = Arranging("agent", "policy", customers=lambda each: sum(each.by_status.values()))
CHANGES = Sorting(
    "-assigned_at",
    identity("portfolio_change.id"),
    assigned_at=instant("portfolio_change.assigned_at"),
    customer_name=text("account.search_name"),
    previous=text("portfolio_change.previous", empty=True),
    agent=text("portfolio_change.agent"),
    assigned_by=text("portfolio_change.assigned_by"),
)
COVERS = Sorting(
    "from_at",
    identity("portfolio_cover.id"),
    from_at=instant("portfolio_cover.from_at"),
    until=instant("portfolio_cover.until"),
    agent=text("portfolio_cover.agent"),
    covered_by=text("portfolio_cover.covered_by"),
    made_at=instant("portfolio_cover.made_at"),
    ended_at=instant("portfolio_cover.ended_at", empty=True),
)
MOVES = Sorting(
    "customer_id",
    identity("distribution_move.account_id"),
    customer_id=identity("distribution_move.account_id"),
    customer_name=text("account.search_name"),
    previous=text("distribution_move.previous", empty=True),
    agent=text("distribution_move.agent"),
    amount=amount("distribution_move.amount"),
)


@dataclass(frozen=True)
class PortfolioPart:
    """The accounts of one agent (None: of nobody) under one policy: how many are in each status."""

    agent: str | None
    policy: str
    by_status: dict[str, int]


async def portfolios(session: AsyncSession, *, agent: str | None = None) -> list[PortfolioPart]:
    """All portfolios, or one agent's; the accounts of nobody first."""
    found: dict[tuple[str | None, str], PortfolioPart] = {}
    for row in await rows(session, COUNTS, agent):
        view = found.setdefault((row.agent, row.policy), PortfolioPart(row.agent, row.policy, {}))
        view.by_status[row.status] = row.customers
    return list(found.values())


async def changes(
    session: AsyncSession, order: Order, *, agent: str | None = None, customer_id: UUID | None = None
) -> list[Placed[tuple[PortfolioChange, str]]]:
    """Who came into whose portfolio, with the customers' names; `agent` gave or got it."""
    query = select(PortfolioChange, Account.name).join(Account, col(Account.id) == PortfolioChange.customer_id)
    if agent is not None:
        query = query.where((col(PortfolioChange.agent) == agent) | (col(PortfolioChange.previous) == agent))
    if customer_id is not None:
        query = query.where(col(PortfolioChange.customer_id) == customer_id)
    return await order.select(session, query)


async def covers(session: AsyncSession, order: Order, *, now: datetime, over: bool = False) -> list[Placed[PortfolioCover]]:
    """Who stands in for whom, now or later, and (`over`) who did."""
    query = select(PortfolioCover)
    if not over:
        query = query.where(col(PortfolioCover.ended_at).is_(None), col(PortfolioCover.until) > now)
    return await order.select(session, query)


async def covered_by(session: AsyncSession, person: str, *, now: datetime) -> list[str]:
    """The agents for whom this person stands in at this instant."""
    query = select(PortfolioCover.agent).where(
        col(PortfolioCover.covered_by) == person,
        col(PortfolioCover.from_at) <= now,
        col(PortfolioCover.until) > now,
        col(PortfolioCover.ended_at).is_(None),
    )
    return sorted(set((await session.execute(query)).scalars().all()))


@dataclass(frozen=True)
class Share:
    """What an agent has of a policy: now, and once a distribution is applied."""

    agent: str | None
    customers: int
    amount: Decimal
    customers_after: int
    amount_after: Decimal


@dataclass(frozen=True)
class DistributionView:
    """A distribution: what each agent has before and after, and how many customers change hands."""

    distribution: Distribution
    shares: list[Share]
    moves: int


SHARES = """
WITH moves AS (SELECT account_id, previous, agent, amount FROM distribution_move WHERE distribution_id = $1),
steps AS (
    SELECT agent, 1 AS customers, monthly_amount AS amount, 1 AS after, monthly_amount AS amount_after FROM account WHERE policy = $2
    UNION ALL SELECT previous, 0, 0, -1, -amount FROM moves WHERE $3
    UNION ALL SELECT agent, 0, 0, 1, amount FROM moves WHERE $3
    UNION ALL SELECT previous, 1, amount, 0, 0 FROM moves WHERE NOT $3
    UNION ALL SELECT agent, -1, -amount, 0, 0 FROM moves WHERE NOT $3
)
SELECT agent, sum(customers) AS customers, sum(amount) AS amount, sum(after) AS after, sum(amount_after) AS amount_after FROM steps
GROUP BY agent ORDER BY agent NULLS FIRST
"""


async def view_distribution(session: AsyncSession, distribution_id: UUID) -> DistributionView:
    """A distribution with what it does to everybody's portfolio. Raises NotFound."""
    found = await session.get(Distribution, distribution_id)
    if found is None:
        raise NotFound(f"No existe el reparto {distribution_id}.", remedy="Haga uno con POST /portfolios/distributions.")
    ahead = found.applied_at is None  # before it is applied the accounts are as they were, afterwards as they are to be
    told = await rows(session, SHARES, found.id, found.policy, ahead)
    shares = [Share(row.agent, row.customers, row.amount, row.after, row.amount_after) for row in told]
    counted = select(func.count()).select_from(DistributionMove).where(col(DistributionMove.distribution_id) == found.id)
    return DistributionView(found, shares, (await session.execute(counted)).scalar_one())


async def moves_of(session: AsyncSession, distribution_id: UUID, order: Order) -> list[Placed[tuple[DistributionMove, str]]]:
    """Who changes hands by a distribution, with the customers' names."""
    query = select(DistributionMove, Account.name).join(Account, col(Account.id) == DistributionMove.account_id)
    return await order.select(session, query.where(col(DistributionMove.distribution_id) == distribution_id))
