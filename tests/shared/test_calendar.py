"""The business calendar: the operator's days, its country's holidays as they were stored, its hours."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.calendar import BusinessCalendar, stored_holidays
from shared.db import Database, execute
from shared.operator.company import OwnDay
from tests.support.service import operator

calendar = BusinessCalendar(operator())
instants = st.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2029, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
dates = st.dates(min_value=date(2025, 1, 1), max_value=date(2029, 12, 31))


def at(text: str) -> datetime:
    """An hour of the operator's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=calendar.zone).astimezone(UTC)


def test_a_day_is_a_day_there() -> None:
    assert calendar.start_of_day(date(2026, 3, 27)) == datetime(2026, 3, 27, 6, tzinfo=UTC)
    assert calendar.end_of_day(date(2026, 3, 27)) == datetime(2026, 3, 28, 6, tzinfo=UTC)
    assert calendar.today(datetime(2026, 3, 28, 5, 59, tzinfo=UTC)) == date(2026, 3, 27)
    assert calendar.today(datetime(2026, 3, 28, 6, 0, tzinfo=UTC)) == date(2026, 3, 28)


@pytest.mark.parametrize("day", ["2026-01-01", "2026-04-02", "2026-04-03", "2026-04-14", "2026-05-01", "2026-09-15", "2026-12-25"])
def test_holidays_of_honduras(day: str) -> None:
    assert calendar.holiday(date.fromisoformat(day)) is not None
    assert not calendar.is_business_day(date.fromisoformat(day))


def test_the_morazan_week_moves_three_holidays_together() -> None:
    """By decree the holidays of October are kept on the week's Wednesday to Friday."""
    assert [day for day in range(5, 17) if calendar.holiday(date(2026, 10, day))] == [7, 8, 9]
    assert calendar.is_business_day(date(2026, 10, 12)), "the day that the week took its holiday from"


def test_weekends_and_ordinary_days() -> None:
    assert calendar.is_business_day(date(2026, 3, 27))
    assert not calendar.is_business_day(date(2026, 3, 28)) and not calendar.is_business_day(date(2026, 3, 29))


@pytest.mark.parametrize(
    ("given_", "days", "wanted"),
    [
        ("2026-03-27T15:00", 1, "2026-03-31T00:00"),  # Friday → the end of Monday
        ("2026-03-27T15:00", 3, "2026-04-02T00:00"),
        ("2026-03-31T09:00", 3, "2026-04-08T00:00"),  # over Maundy Thursday, Good Friday and the weekend
        ("2026-10-06T09:00", 1, "2026-10-13T00:00"),  # over the Morazán week
        ("2026-03-28T09:00", 1, "2026-03-31T00:00"),  # begun on a Saturday
    ],
)
def test_business_days(given_: str, days: int, wanted: str) -> None:
    assert calendar.add_business_days(at(given_), days) == at(wanted)


@pytest.mark.parametrize(
    ("given_", "hours", "wanted"),
    [
        ("2026-03-27T09:00", 2, "2026-03-27T11:00"),
        ("2026-03-27T16:00", 2, "2026-03-30T09:00"),  # one hour on Friday, one on Monday
        ("2026-03-27T20:00", 1, "2026-03-30T09:00"),
        ("2026-03-28T10:00", 9, "2026-03-30T17:00"),
        ("2026-04-01T16:30", 1, "2026-04-06T08:30"),  # over Easter
        ("2026-03-27T06:00", 0.5, "2026-03-27T08:30"),
    ],
)
def test_business_hours(given_: str, hours: float, wanted: str) -> None:
    assert calendar.add_business_hours(at(given_), hours) == at(wanted)


@given(dates, st.integers(min_value=0, max_value=40), st.integers(min_value=0, max_value=40))
def test_business_days_add_up(day: date, one: int, other: int) -> None:
    assert calendar.nth_business_day(calendar.nth_business_day(day, one), other) == calendar.nth_business_day(day, one + other)


@given(dates, st.integers(min_value=1, max_value=40))
def test_a_business_day_is_reached_and_counted_once(day: date, count: int) -> None:
    reached = calendar.nth_business_day(day, count)
    assert calendar.is_business_day(reached)
    assert sum(calendar.is_business_day(day + timedelta(days=n)) for n in range(1, (reached - day).days + 1)) == count


@given(instants, st.integers(min_value=1, max_value=60), st.integers(min_value=1, max_value=60))
def test_business_hours_add_up_and_end_in_working_time(instant: datetime, one: int, other: int) -> None:
    reached = calendar.add_business_hours(instant, one)
    local = calendar.local(reached)
    assert calendar.is_business_day(local.date()) and calendar.opens < local.time() <= calendar.closes
    assert calendar.add_business_hours(reached, other) == calendar.add_business_hours(instant, one + other)


@given(instants, instants, st.integers(min_value=1, max_value=20))
def test_who_starts_later_never_ends_earlier(one: datetime, other: datetime, hours: int) -> None:
    first, second = sorted((one, other))
    assert calendar.add_business_hours(first, hours) <= calendar.add_business_hours(second, hours)
    assert calendar.add_business_days(first, hours) <= calendar.add_business_days(second, hours)


def test_own_days_win_over_country_and_weekend() -> None:
    own = [
        OwnDay(date=date(2026, 3, 27), name="Aniversario"),
        OwnDay(date=date(2026, 3, 28), name="Inventario", works=True),
        OwnDay(date=date(2026, 4, 2), name="Jueves Santo con guardia", works=True),
    ]
    mine = BusinessCalendar(operator().model_copy(update={"own_days": own}))
    assert mine.holiday(date(2026, 3, 27)) == "Aniversario" and not mine.is_business_day(date(2026, 3, 27))
    assert mine.is_business_day(date(2026, 3, 28)) and mine.is_business_day(date(2026, 4, 2))
    assert mine.holiday(date(2026, 4, 2)) is None


def test_a_calendar_without_business_days_says_so() -> None:
    never = BusinessCalendar(operator().model_copy(update={"weekend": [0, 1, 2, 3, 4, 5, 6]}))
    with pytest.raises(ValueError, match="no business days"):
        never.nth_business_day(date(2026, 3, 1), 1)
    with pytest.raises(ValueError, match="no business days"):
        never.add_business_hours(at("2026-03-01T00:00"), 1)


async def test_stored_years_do_not_move(database: Callable[[str], Awaitable[Database]]) -> None:
    """What was stored counts, also after the library learns of another holiday."""
    billing = await database("billing")
    async with billing.transaction() as session:
        first = await stored_holidays(session, "HN", [2026, 2027])
    assert len(first[2026]) > 8 and date(2027, 1, 1) in first[2027]
    async with billing.transaction() as session:
        await execute(session, "DELETE FROM calendar_holiday WHERE day = $1", date(2026, 9, 15))
        await execute(session, "INSERT INTO calendar_holiday (day, name) VALUES ($1, $2)", date(2026, 9, 16), "Feriado movido")
    async with billing.transaction() as session:
        loaded = await BusinessCalendar.load(session, operator(), [2026, 2027])
    assert loaded.is_business_day(date(2026, 9, 15)) and loaded.holiday(date(2026, 9, 16)) == "Feriado movido"
    assert not calendar.is_business_day(date(2026, 9, 15)), "a calendar without stored years takes the country's"


async def test_two_that_store_a_year_at_once_store_it_once(database: Callable[[str], Awaitable[Database]]) -> None:
    billing = await database("billing")
    async with billing.transaction() as one:
        seen = await stored_holidays(one, "HN", [2026])
    async with billing.transaction() as other:
        assert await stored_holidays(other, "HN", [2026]) == seen


def test_an_hour_that_the_clock_skips_and_one_that_comes_twice() -> None:
    """Honduras has no summer time; an operator elsewhere may."""
    elsewhere = operator().model_copy(update={"time_zone": "America/Santiago", "country": "CL"})
    elsewhere.__dict__.pop("zone", None)  # computed once per operator
    chile = BusinessCalendar(elsewhere)
    assert chile.zone.key == "America/Santiago"
    assert chile.end_of_day(date(2026, 4, 4)) - chile.start_of_day(date(2026, 4, 4)) == timedelta(hours=25)
    for day in (date(2026, 4, 4), date(2026, 9, 6)):
        assert chile.end_of_day(day) == chile.start_of_day(day + timedelta(days=1))
        assert chile.at(day, time(12)).tzinfo is UTC
