"""What the agents do, over all portfolios: for the manager who follows it up (VIP-31)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.rules.worklist import DONE, ORDER
from shared.db import rows

LOOKED_BACK = timedelta(days=90)  # a reconnection is found by its cut, which was ordered at most so long before
# Who did how much of what between two instants. What the system did is nobody's work.
DONE_WORK = """
SELECT agent AS person, kind, count(*) AS n FROM contact WHERE contacted_at >= $1 AND contacted_at < $2 GROUP BY 1, 2
UNION ALL SELECT agent, 'promise', count(*) FROM promise WHERE made_at >= $1 AND made_at < $2 GROUP BY 1
UNION ALL SELECT agent, 'payment_plan', count(*) FROM payment_plan
    WHERE agreed_at >= $1 AND agreed_at < $2 AND source = 'PERSON' GROUP BY 1
UNION ALL SELECT requested_by, 'notice', count(*) FROM suspension_notice
    WHERE requested_at >= $1 AND requested_at < $2 AND source = 'PERSON' GROUP BY 1
UNION ALL SELECT agent, 'suspension', count(*) FROM suspension
    WHERE requested_at >= $1 AND requested_at < $2 AND source = 'PERSON' GROUP BY 1
UNION ALL SELECT reconnection_by, 'reconnection', count(*) FROM suspension
    WHERE requested_at >= $3 AND reconnection_requested_at >= $1 AND reconnection_requested_at < $2
        AND reconnection_by <> ALL (ARRAY['sistema', 'ticketing']) GROUP BY 1
"""
LISTED = "SELECT agent AS person, urgency, count(*) AS n FROM worklist GROUP BY 1, 2"


@dataclass
class Activity:
    """One person's work: what was done between two instants by its kind (those of contacts, and promise … reconnection), and what its list
    holds now by the most urgent reason, apart from what is done for today."""

    person: str | None
    done: dict[str, int] = field(default_factory=dict)
    to_do: dict[str, int] = field(default_factory=dict)
    done_today: int = 0


async def activity(session: AsyncSession, since: datetime, until: datetime) -> Sequence[Activity]:
    """Everybody's work from `since` to `until` (not included), and everybody's list as it is now; the list of nobody first."""
    found: dict[str | None, Activity] = {}
    for row in await rows(session, DONE_WORK, since, until, since - LOOKED_BACK):
        found.setdefault(row.person, Activity(row.person)).done[row.kind] = row.n
    for row in await rows(session, LISTED):
        one = found.setdefault(row.person, Activity(row.person))
        if row.urgency >= DONE:
            one.done_today += row.n
        else:
            one.to_do[ORDER[row.urgency].value] = row.n
    return sorted(found.values(), key=lambda each: each.person or "")
