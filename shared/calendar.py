"""The business calendar: the operator's time zone, its country's holidays, its own days, its working hours.

# Note [Holidays are stored per year]
A law can move a holiday, and a deadline that somebody was told must not move with it. So the country's holidays are only the seed: a
service stores each year in its database the first time it needs it (`stored_holidays`), and calculates with what is stored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

import holidays
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.db import MessagingTable, execute, rows
from shared.operator import Operator

LOOK_AHEAD_DAYS = 3_660


class HolidayRow(MessagingTable, table=True):
    """A day on which nobody works, as this service has stored it for its year."""

    __tablename__ = "calendar_holiday"
    day: date = Field(primary_key=True)
    name: str


class HolidayYear(MessagingTable, table=True):
    """A year whose holidays are stored."""

    __tablename__ = "calendar_year"
    year: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})


@dataclass(frozen=True)
class BusinessCalendar:
    """Days and hours of one operator. Instants go in and out as UTC; days are the operator's."""

    zone: ZoneInfo
    weekend: frozenset[int]
    opens: time
    closes: time
    country: str
    own: Mapping[date, tuple[str, bool]]
    stored: Mapping[int, Mapping[date, str]]

    def __init__(self, operator: Operator, stored: Mapping[int, Mapping[date, str]] | None = None) -> None:
        hours = operator.working_hours
        values = {
            "zone": operator.zone,
            "weekend": frozenset(operator.weekend),
            "opens": hours.opens,
            "closes": hours.closes,
            "country": operator.country,
            "own": {each.date: (each.name, each.works) for each in operator.own_days},
            "stored": stored or {},
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    async def load(cls, session: AsyncSession, operator: Operator, years: Iterable[int]) -> Self:
        """The calendar with the stored holidays of these years; years that are not stored yet are stored now."""
        return cls(operator, await stored_holidays(session, operator.country, years))

    def local(self, instant: datetime) -> datetime:
        """An instant on the operator's clock."""
        return instant.astimezone(self.zone)

    def today(self, instant: datetime) -> date:
        """The operator's day at an instant."""
        return self.local(instant).date()

    def at(self, day: date, hour: time) -> datetime:
        """An hour of an operator's day, as UTC. An hour that the clock skips is taken as if it had not been skipped."""
        return datetime.combine(day, hour.replace(tzinfo=None), tzinfo=self.zone).astimezone(UTC)

    def start_of_day(self, day: date) -> datetime:
        """When the day begins (UTC)."""
        return self.at(day, time.min)

    def end_of_day(self, day: date) -> datetime:
        """When the day has ended (UTC): the first instant of the next one."""
        return self.start_of_day(day + timedelta(days=1))

    def next_at(self, hour: time, after: datetime) -> datetime:
        """When the operator's clock shows this hour next after an instant (UTC)."""
        day = self.today(after)
        tonight = self.at(day, hour)
        return tonight if tonight > after else self.at(day + timedelta(days=1), hour)

    def holiday(self, day: date) -> str | None:
        """Why nobody works on this day of the week's working days; None on an ordinary day."""
        if day in self.own:
            name, works = self.own[day]
            return None if works else name
        year = self.stored.get(day.year)
        return (year if year is not None else _seed(self.country, day.year)).get(day)

    def is_business_day(self, day: date) -> bool:
        """Does the operator work on this day?"""
        if day in self.own:
            return self.own[day][1]
        return day.weekday() not in self.weekend and self.holiday(day) is None

    def add_business_days(self, instant: datetime, days: int) -> datetime:
        """The end (UTC) of the n-th business day after the operator's day of `instant`, that day not counted (VIP-27)."""
        return self.end_of_day(self.nth_business_day(self.today(instant), days))

    def nth_business_day(self, day: date, days: int) -> date:
        """The n-th business day after `day`. Raises ValueError when the calendar has none within ten years."""
        limit = day + timedelta(days=LOOK_AHEAD_DAYS)
        while days > 0:
            day += timedelta(days=1)
            if day > limit:
                raise ValueError("the calendar has no business days")
            days -= self.is_business_day(day)
        return day

    def add_business_hours(self, instant: datetime, hours: float) -> datetime:
        """`hours` of working time later (UTC): outside the working hours the clock stands still."""
        left, at = timedelta(hours=hours), instant.astimezone(UTC)
        day = self.today(at)
        for _ in range(LOOK_AHEAD_DAYS):
            if self.is_business_day(day):
                begin, end = max(at, self.at(day, self.opens)), self.at(day, self.closes)
                if begin < end and end - begin >= left:
                    return begin + left
                left -= max(end - begin, timedelta(0))
            day += timedelta(days=1)
        raise ValueError("the calendar has no business days")


def _seed(country: str, year: int) -> dict[date, str]:
    """The country's holidays of a year as the library knows them, named in its own language."""
    return dict(holidays.country_holidays(country, years=year))


async def stored_holidays(session: AsyncSession, country: str, years: Iterable[int]) -> dict[int, dict[date, str]]:
    """The stored holidays of these years, seeding those that are not stored yet in this transaction."""
    wanted = sorted(set(years))
    new = await rows(session, "INSERT INTO calendar_year (year) SELECT unnest($1::int[]) ON CONFLICT DO NOTHING RETURNING year", wanted)
    seeds = {day: name for row in new for day, name in _seed(country, row.year).items()}
    if seeds:
        await execute(
            session,
            "INSERT INTO calendar_holiday (day, name) SELECT * FROM unnest($1::date[], $2::text[]) ON CONFLICT DO NOTHING",
            list(seeds),
            list(seeds.values()),
        )
    found: dict[int, dict[date, str]] = {year: {} for year in wanted}
    for row in await rows(
        session, "SELECT day, name FROM calendar_holiday WHERE extract(year FROM day)::int = ANY($1::int[]) ORDER BY day", wanted
    ):
        found[row.day.year][row.day] = row.name
    return found
