"""What collections decided about customers, kept beside them."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import execute


async def remember_policies(session: AsyncSession, *, policies: Mapping[UUID, str]) -> None:
    """Keep each customer's policy; invoices that are out keep their due dates."""
    sql = "UPDATE customer c SET policy = t.policy FROM unnest($1::uuid[], $2::text[]) AS t(id, policy) WHERE c.id = t.id"
    await execute(session, sql, list(policies), list(policies.values()))


async def remember_agents(session: AsyncSession, *, agents: Mapping[UUID, str]) -> None:
    """Keep each customer's agent."""
    sql = "UPDATE customer c SET assigned_agent = t.agent FROM unnest($1::uuid[], $2::text[]) AS t(id, agent) WHERE c.id = t.id"
    await execute(session, sql, list(agents), list(agents.values()))
