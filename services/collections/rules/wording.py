"""Amounts, days and instants in the words of the operator's people. Days and hours are those of the operator's time zone."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date

from services.collections.rules.states import SYSTEM
from shared.money import format_money
from shared.operator import Operator

SHORT_DAY = "EEEE d 'de' MMMM"
LONG_DAY = "EEEE d 'de' MMMM 'de' y"


@lru_cache(maxsize=10_000)
def _amount(amount: Decimal, currency: str, locale: str, pattern: str) -> str:
    return format_money(amount, currency, locale, pattern)


@lru_cache(maxsize=10_000)
def _day(when: date, pattern: str, locale: str) -> str:
    return format_date(when, pattern, locale=locale)


@lru_cache(maxsize=10_000)
def _month(period: str, locale: str) -> str:
    return format_date(date.fromisoformat(f"{period}-01"), "MMMM 'de' y", locale=locale)


@lru_cache(maxsize=10_000)
def _moment(instant: datetime, zone: str, locale: str) -> str:
    local = instant.astimezone(ZoneInfo(zone))
    return f"{_day(local.date(), SHORT_DAY, locale)} a las {local:%H:%M}"


def money(operator: Operator, amount: Decimal, currency: str | None = None) -> str:
    """`$1,234.50`; the operator's currency unless another one is named."""
    return _amount(amount, currency or operator.currency, operator.locale, operator.money_pattern)


def day(operator: Operator, when: date) -> str:
    """`viernes 27 de marzo`."""
    return _day(when, SHORT_DAY, operator.locale)


def month(operator: Operator, period: str) -> str:
    """A period written `2026-03` as `marzo de 2026`."""
    return _month(period, operator.locale)


def moment(operator: Operator, instant: datetime) -> str:
    """`viernes 27 de marzo a las 09:15`."""
    return _moment(instant, operator.time_zone, operator.locale)


def dated(operator: Operator, instant: datetime) -> str:
    """`viernes 27 de marzo de 2026 a las 09:15`, for what may be read years later."""
    local = instant.astimezone(operator.zone)
    return f"{_day(local.date(), LONG_DAY, operator.locale)} a las {local:%H:%M}"


def until(operator: Operator, instant: datetime) -> str:
    """A last instant: `el viernes 27 de marzo a las 09:15`, and for a midnight `el viernes 27 de marzo, hasta que termine el día`."""
    local = instant.astimezone(operator.zone)
    if local.time() == time.min:
        return f"el {day(operator, (local - timedelta(days=1)).date())}, hasta que termine el día"
    return f"el {moment(operator, instant)}"


def span(duration: timedelta) -> str:
    """`3 días y 2 horas`, `24 horas`, `3 horas y 20 minutos`, `menos de un minuto`. Days are counted from two on: people say 24 horas."""
    minutes = int(duration.total_seconds() // 60)
    days, hours, left = (minutes // 1440, minutes % 1440 // 60, 0) if minutes >= 2880 else (0, minutes // 60, minutes % 60)
    parts = [counted(count, name) for count, name in ((days, "día"), (hours, "hora"), (left, "minuto")) if count]
    return " y ".join(parts) or "menos de un minuto"


def counted(count: int, name: str) -> str:
    """`1 cuota`, `2 cuotas`; for names whose plural takes an s."""
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def listed(names: Sequence[str]) -> str:
    """`a, b y c`."""
    if len(names) < 2:
        return "".join(names)
    last = names[-1]
    joint = "e" if last[:1].casefold() == "i" or last[:2].casefold() == "hi" else "y"
    return f"{', '.join(names[:-1])} {joint} {last}"


def who(operator: Operator, person: str | None) -> str:
    """A person's name; the code itself for a stranger."""
    if person is None:
        return "nadie"
    if person == SYSTEM:
        return "el sistema"
    known = operator.person(person)
    return known.name if known else person
