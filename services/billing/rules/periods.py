"""Months as billing counts them: periods, due dates and terms."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, order=True)
class Period:
    """A calendar month in the operator's time zone, written `2026-03`."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Period":
        """Read `2026-03`. Raises ValueError for anything else."""
        year, dash, month = text.partition("-")
        if not (dash and len(year) == 4 and len(month) == 2 and year.isascii() and month.isascii() and year.isdigit() and month.isdigit()):
            raise ValueError(f"{text!r} is not a period like 2026-03")
        return cls(date(int(year), int(month), 1).year, int(month))

    @classmethod
    def of(cls, day: date) -> "Period":
        """The month of a day (of the operator's zone)."""
        return cls(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def days(self) -> int:
        """How many days it has."""
        return calendar.monthrange(self.year, self.month)[1]

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        return date(self.year, self.month, self.days)

    def next(self) -> "Period":
        return Period.of(self.last_day + timedelta(days=1))

    def day(self, number: int) -> date:
        """Day `number` of the month, or its last day where the month is shorter."""
        return date(self.year, self.month, min(number, self.days))


def due_date(issued: date, *, day_of_month: int | None, days_after_issue: int | None) -> date:
    """The last day on which payment is in time (VIP-3: within the first five days of the month).

    A day of the month is the first such day on or after the issue date: an invoice of March 1 is due on March 5, of March 10 on April 5.
    Raises ValueError unless exactly one of the two is given.
    """
    if (day_of_month is None) == (days_after_issue is None):
        raise ValueError("a due date needs either a day of the month or a number of days")
    if days_after_issue is not None:
        return issued + timedelta(days=days_after_issue)
    assert day_of_month is not None
    month = Period.of(issued)
    return month.day(day_of_month) if month.day(day_of_month) >= issued else month.next().day(day_of_month)


def months_before(day: date, months: int) -> date:
    """The same day `months` months earlier, or that month's last day where it is shorter."""
    index = day.year * 12 + day.month - 1 - months
    return Period(index // 12, index % 12 + 1).day(day.day)


def term_end(start: date, months: int, as_of: date) -> date | None:
    """When a contract of so many months ends, renewed by the same term as often as it takes to reach beyond `as_of`; None without a term.

    The end is the last day of the term: a year from March 1 ends on the last of February.
    """
    if months <= 0:
        return None
    terms = 1
    while (end := months_before(start, -months * terms) - timedelta(days=1)) < as_of:
        terms += 1
    return end
