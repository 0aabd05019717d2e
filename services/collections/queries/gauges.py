"""The service's own figures for dashboards."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import rows

GAUGES = """
SELECT 'accounts' AS name, status AS label, count(*) AS value FROM account GROUP BY status
UNION ALL SELECT 'suspensions', lower(state), count(*) FROM suspension GROUP BY state
UNION ALL SELECT 'promises', lower(state), count(*) FROM promise GROUP BY state
UNION ALL SELECT 'holds', CASE WHEN service_id IS NULL THEN 'customer' ELSE 'service' END, count(*) FROM hold
    WHERE ended_at IS NULL GROUP BY 2
UNION ALL SELECT 'accounts_without_agent', policy, count(*) FROM account WHERE agent IS NULL GROUP BY policy
"""


async def gauges(session: AsyncSession) -> Mapping[tuple[str, str], float]:
    """Accounts by status, orders and promises by state, holds under way, and accounts that nobody looks after, by policy."""
    return {(row.name, row.label): float(row.value) for row in await rows(session, GAUGES)}
