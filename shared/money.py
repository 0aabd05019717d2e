"""Exact money: an amount with its currency, rounded in one place, split without losing a cent."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Annotated

from babel.numbers import format_currency, get_currency_precision
from pydantic import Field, PlainSerializer, WithJsonSchema


def _text(value: Decimal) -> str:
    return f"{value:f}"


# An amount in the API: a JSON string such as "1234.50", so that no float ever touches it; at most four decimal places.
AMOUNT_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^-?\d{1,14}(\.\d{1,4})?$", "examples": ["1234.50"]})
Amount = Annotated[
    Decimal,
    Field(max_digits=18, decimal_places=4, allow_inf_nan=False),
    PlainSerializer(_text, return_type=str, when_used="json"),
    AMOUNT_SCHEMA,
]
PLACES = Decimal("0.0001")
PositiveAmount = Annotated[Amount, Field(gt=0)]


def as_kept(amount: Decimal) -> Decimal:
    """An amount with the four places that its column has. Nothing is rounded: no more places are let in."""
    return amount.quantize(PLACES)


@dataclass(frozen=True, order=False)
class Money:
    """An amount of one currency. Adding another currency is an error, never a conversion."""

    amount: Decimal
    currency: str

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    def _same(self, other: "Money") -> Decimal:
        if other.currency != self.currency:
            raise ValueError(f"{other.currency} is not {self.currency}")
        return other.amount


def round_money(amount: Decimal, digits: int) -> Decimal:
    """Round to the currency's decimal places, halves away from zero, as PostgreSQL's round() does. The only rounding there is."""
    return amount.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


def allocate(total: Decimal, weights: Sequence[Decimal], digits: int) -> list[Decimal]:
    """Split a total by weights so that the parts add up to it exactly: largest remainders get the left-over cents, the first one on a tie.
    The total must be rounded already; weights must not be negative nor all zero."""
    whole = sum(weights, Decimal(0))
    if whole <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must not be negative nor all zero")
    cent = Decimal(1).scaleb(-digits)
    if total != total.quantize(cent):
        raise ValueError("the total has more decimal places than its currency")
    exact = [total * weight / whole for weight in weights]
    parts = [each.quantize(cent, rounding=ROUND_DOWN) for each in exact]
    left = int((total - sum(parts, Decimal(0))) / cent)
    step = cent if left >= 0 else -cent
    order = sorted(range(len(parts)), key=lambda at: (-abs(exact[at] - parts[at]), at))
    for at in order[: abs(left)]:
        parts[at] += step
    return parts


def format_money(amount: Decimal, currency: str, locale: str, pattern: str | None = None) -> str:
    """An amount for people's eyes, e.g. `$1,234.50`; it is rounded here first, because the formatting library rounds halves to even."""
    return format_currency(round_money(amount, get_currency_precision(currency)), currency, format=pattern, locale=locale)
