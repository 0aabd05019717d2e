"""Amounts, days and months as the operator's people and customers read them: its locale, its time zone, its money pattern."""

from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache

from babel.dates import format_date, format_time
from babel.numbers import format_decimal

from shared.money import format_money
from shared.operator.operator import Operator


def money(operator: Operator, amount: Decimal | str, currency: str) -> str:
    """`$1,234.50` in the operator's own currency, by its pattern; another currency is named."""
    pattern = operator.money_pattern if currency == operator.currency else "¤ #,##0.00"
    return format_money(Decimal(amount), currency, operator.locale, pattern)


def number(operator: Operator, value: Decimal | str) -> str:
    """A quantity without the zeros behind it: `1`, `2.5`."""
    return format_decimal(Decimal(value).normalize(), locale=operator.locale)


def percent(operator: Operator, rate: Decimal | str) -> str:
    """A fraction as `15 %`."""
    return f"{number(operator, Decimal(rate) * 100)} %"


def day(operator: Operator, value: date | str) -> str:
    """`5 de marzo de 2026`; an instant is that of the operator's day."""
    if isinstance(value, datetime):
        value = value.astimezone(operator.zone).date()
    found = date.fromisoformat(value) if isinstance(value, str) else value
    return _day(found, operator.locale)


@lru_cache(maxsize=1000)
def _day(value: date, locale: str) -> str:
    return format_date(value, "d 'de' MMMM 'de' y", locale=locale)


def weekday(operator: Operator, value: date | str) -> str:
    """`jueves 5 de marzo`: for days that are near."""
    if isinstance(value, datetime):
        value = value.astimezone(operator.zone).date()
    found = date.fromisoformat(value) if isinstance(value, str) else value
    return format_date(found, "EEEE d 'de' MMMM", locale=operator.locale)


def instant(operator: Operator, value: datetime | str) -> str:
    """`28 de marzo de 2026, 8:05 a. m.` on the operator's clock."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{day(operator, found)}, {hour(operator, found)}"


def hour(operator: Operator, value: time | datetime | str) -> str:
    """`8:05 a. m.`: an hour of the operator's day; of an instant, the one on the operator's clock."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value) if "T" in value else time.fromisoformat(value)
    zone = operator.zone if isinstance(value, datetime) else None
    return "\u00a0".join(format_time(value, "h:mm a", tzinfo=zone, locale=operator.locale).split())


def month(operator: Operator, period: str) -> str:
    """`marzo de 2026` for `2026-03`."""
    return format_date(date.fromisoformat(f"{period}-01"), "MMMM 'de' y", locale=operator.locale)
