"""Prices of the operator's own: a plan may name a function that tells what one service costs in one month."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID


class SoldMonth(NamedTuple):
    """A service in the month that is billed. `active_from` and `active_to` (None: open) are its first and last day, `first_day` and
    `last_day` the month's; `usual` is what it would cost without the function: its share of the monthly amount, before tax, rounded."""

    service_id: UUID
    customer_id: UUID
    code: str
    plan_code: str
    monthly_amount: Decimal
    usual: Decimal
    active_from: date
    active_to: date | None
    first_day: date
    last_day: date


# The amount before tax in the operator's currency, zero or more; it is rounded once, afterwards. None: the usual one.
Price = Callable[[SoldMonth], Decimal | None]


class BadPrice(Exception):
    """A price function answered what is no price: the run stops before this chunk."""


def own_price(price: Price, sold: SoldMonth) -> Decimal:
    """What the function says. Raises BadPrice for an amount that is negative or no Decimal."""
    found = price(sold)
    if found is None:
        return sold.usual
    if not isinstance(found, Decimal) or not found.is_finite() or found < 0:
        raise BadPrice(f"the price function of plan {sold.plan_code} answered {found!r} for service {sold.service_id}")
    return found
