"""Prices by the operator's own functions for one chunk of a run: asked in Python for the services of the plans that have one, no others."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.runs import SHARE, SOLD_THEN
from services.billing.rules.prices import Price, SoldMonth, own_price
from shared.db import rows

# In the order of SoldMonth. $1 first day, $2 last day, $3 digits, $4 run, $5-$6 the chunk's ordinals, $7 the plans with a price function.
SOLD = f"""
SELECT s.id, s.customer_id, s.code, s.plan_code, s.monthly_amount, {SHARE} AS usual, s.active_from, s.active_to, $1::date, $2::date
FROM billing_run_customer p JOIN service s ON s.customer_id = p.customer_id
WHERE p.run_id = $4 AND p.ordinal BETWEEN $5 AND $6 AND s.plan_code = ANY($7::text[]) AND {SOLD_THEN}
"""


async def own_prices(
    session: AsyncSession, prices: Mapping[str, Price], month: tuple[date, date, int], span: tuple[UUID, int, int]
) -> str | None:
    """JSON: service → its price, not rounded; None without price functions. Raises BadPrice, and whatever the functions raise."""
    if not prices:
        return None
    found = map(SoldMonth._make, await rows(session, SOLD, *month, *span, list(prices)))
    return "{" + ",".join([f'"{sold.service_id}":{own_price(prices[sold.plan_code], sold):f}' for sold in found]) + "}"
