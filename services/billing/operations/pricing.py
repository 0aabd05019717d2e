"""What of one chunk of a run is priced in Python: services of plans with a price function, and those whose plan changes."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.runs import SOLD_THEN
from services.billing.queries.plans import COLUMNS, with_changes
from services.billing.rules.periods import Period
from services.billing.rules.prices import Price
from services.billing.rules.proration import Segment, Sold, month_of
from services.billing.rules.values import to_json
from shared.db import rows

# A service whose row tells of today's plan alone: it changed since the month began, or is going to.
CHANGING = "SELECT FROM plan_change h WHERE (h.effective_from > $1::date OR h.applied_at IS NULL)"
ANY_CHANGING = f"SELECT EXISTS ({CHANGING}) AS found"
# $1 first day, $2 last day, $3 run, $4-$5 the chunk's ordinals, $6 the plans with a price function.
APART = f"""
SELECT {COLUMNS} FROM billing_run_customer p JOIN service s ON s.customer_id = p.customer_id
WHERE p.run_id = $3 AND p.ordinal BETWEEN $4 AND $5 AND {SOLD_THEN}
    AND (s.plan_code = ANY($6::text[]) OR EXISTS ({CHANGING} AND h.service_id = s.id))
"""


async def priced_apart(
    session: AsyncSession, prices: Mapping[str, Price], month: tuple[date, date, int], span: tuple[UUID, int, int]
) -> str | None:
    """JSON: service → its lines of the month (`plan`, `base`, `days`, `n`); None when the usual statement does for all.

    Raises BadPrice, and whatever the functions raise.
    """
    first, last, digits = month
    if not prices and not (await rows(session, ANY_CHANGING, first))[0].found:
        return None
    found = await with_changes(session, await rows(session, APART, first, last, *span, list(prices)))
    return to_json({str(each.id): _lines(each, Period.of(first), digits, prices) for each in found})


def _lines(sold: Sold, period: Period, digits: int, prices: Mapping[str, Price]) -> list[dict[str, str | int]]:
    days = month_of(sold, period, digits, prices)
    return [
        {"plan": each.plan_code, "base": f"{each.amount:f}", "days": days_told(each) if len(days) > 1 else "", "n": number}
        for number, each in enumerate(days)
    ]


def days_told(days: Segment) -> str:
    """` (del 16 al 31)`."""
    return f" (del {days.first.day} al {days.last.day})"
