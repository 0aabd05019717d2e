"""What a service costs in one month when its plan changes in the middle of it: by days, so that the parts add up to the rounded month."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from services.billing.rules.periods import Period
from services.billing.rules.prices import Price, SoldMonth, own_price
from shared.money import allocate, round_money


@dataclass(frozen=True)
class Change:
    """A plan from a day on. `applied`: the service's own row says it already."""

    effective_from: date
    from_plan: str
    from_amount: Decimal
    to_plan: str
    to_amount: Decimal
    applied: bool


@dataclass(frozen=True)
class Sold:
    """A service as it was and will be sold; `plan_code` and `monthly_amount` are what its row says today. `changes` by day and making."""

    id: UUID
    customer_id: UUID
    code: str
    plan_code: str
    monthly_amount: Decimal
    active_from: date
    active_to: date | None
    changes: Sequence[Change] = ()


@dataclass(frozen=True)
class Segment:
    """Days of one month, both included, on one plan; `amount` is what they cost before tax, rounded."""

    plan_code: str
    monthly_amount: Decimal
    first: date
    last: date
    amount: Decimal = Decimal(0)

    @property
    def days(self) -> int:
        """How many, the first and the last among them."""
        return (self.last - self.first).days + 1


def terms(sold: Sold) -> list[tuple[date, str, Decimal]]:
    """Every plan of a service with its first day. A plan between two changes is what the later one found; of the last one that is applied
    the row knows best (it may have been corrected since)."""
    found = []
    first, plans = sold.active_from, [(each.from_plan, each.from_amount) for each in sold.changes]
    for change, (plan, amount) in zip(sold.changes, plans, strict=True):
        found.append((first, plan, amount))
        first = change.effective_from
    last = sold.changes[-1] if sold.changes else None
    now = (sold.plan_code, sold.monthly_amount) if last is None or last.applied else (last.to_plan, last.to_amount)
    return [*found, (first, *now)]


def month_of(sold: Sold, period: Period, digits: int, prices: Mapping[str, Price]) -> list[Segment]:
    """The service's days of a month by plan, each with its amount; none where it was not sold.

    The month costs the sum of its days' shares, rounded once; the days get theirs of it by largest remainder. A plan with a price function
    is asked for its days instead.
    """
    days = _segments(sold, period)
    weights = [each.monthly_amount * each.days for each in days]
    whole = round_money(sum(weights, Decimal(0)) / period.days, digits)
    shares = allocate(whole, weights, digits) if any(weights) else weights
    return [
        Segment(each.plan_code, each.monthly_amount, each.first, each.last, _priced(sold, each, share, period, digits, prices))
        for each, share in zip(days, shares, strict=True)
    ]


def _segments(sold: Sold, period: Period) -> list[Segment]:
    begins = terms(sold)
    ends = [first - timedelta(days=1) for first, _, _ in begins[1:]] + [sold.active_to or date.max]
    found = []
    for (first, plan, amount), last in zip(begins, ends, strict=True):
        start = max(first, sold.active_from, period.first_day)
        end = min(last, sold.active_to or date.max, period.last_day)
        if start <= end:
            found.append(Segment(plan, amount, start, end))
    return found


def _priced(sold: Sold, days: Segment, usual: Decimal, period: Period, digits: int, prices: Mapping[str, Price]) -> Decimal:
    price = prices.get(days.plan_code)
    if price is None:
        return usual
    asked = SoldMonth(
        sold.id,
        sold.customer_id,
        sold.code,
        days.plan_code,
        days.monthly_amount,
        usual,
        sold.active_from if days.first == period.first_day else days.first,
        sold.active_to if days.last == period.last_day else days.last,
        period.first_day,
        period.last_day,
    )
    return round_money(own_price(price, asked), digits)
