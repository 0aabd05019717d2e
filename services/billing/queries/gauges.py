"""What billing's /metrics shows beside the frame's own: cheap to count at any size."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models.invoices import UNJUDGED
from shared.db import rows

GAUGES = f"""
SELECT 'billing_imports' AS name, lower(state) AS kind, count(*) AS value FROM import_batch GROUP BY state
UNION ALL SELECT 'billing_runs', lower(state), count(*) FROM billing_run GROUP BY state
UNION ALL SELECT 'billing_chunks', 'open', count(*) FROM billing_chunk WHERE done_at IS NULL
UNION ALL SELECT 'billing_invoices', 'not_yet_due', count(*) FROM invoice WHERE {UNJUDGED}
UNION ALL SELECT 'billing_payments', 'left_over', count(*) FROM payment WHERE unallocated > 0 AND state IN ('REPORTED', 'CONFIRMED')
"""


async def gauges(session: AsyncSession) -> Mapping[tuple[str, str], float]:
    """Gauge and kind → how many."""
    return {(row.name, row.kind): float(row.value) for row in await rows(session, GAUGES)}
