"""Months, due dates and shares of a month."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.billing.rules.periods import Period, billable_days, due_date, months_before, prorated, term_end
from tests.support.rules import rule

DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))
PERIODS = st.builds(Period.of, DAYS)


@given(PERIODS)
def test_a_period_is_read_as_it_is_written_and_is_followed_by_the_next_day(period: Period) -> None:
    assert Period.parse(str(period)) == period
    assert period.last_day + timedelta(days=1) == period.next().first_day


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "26-03", "2026-3", "2026/03", "", "2026-03-01", "²026-03"])
def test_what_is_no_period(text: str) -> None:
    with pytest.raises(ValueError):
        Period.parse(text)


@rule("VIP-3")
def test_payment_is_due_within_the_first_five_days() -> None:
    assert due_date(date(2026, 3, 1), day_of_month=5, days_after_issue=None) == date(2026, 3, 5)
    assert due_date(date(2026, 3, 5), day_of_month=5, days_after_issue=None) == date(2026, 3, 5)
    assert due_date(date(2026, 3, 6), day_of_month=5, days_after_issue=None) == date(2026, 4, 5)


@given(DAYS, st.integers(1, 31))
def test_a_due_day_is_never_before_the_issue_and_less_than_two_months_off(issued: date, day: int) -> None:
    due = due_date(issued, day_of_month=day, days_after_issue=None)
    assert issued <= due < issued + timedelta(days=62)
    assert due.day == day or due == Period.of(due).last_day


def test_a_due_date_needs_exactly_one_way() -> None:
    for ways in ({"day_of_month": None, "days_after_issue": None}, {"day_of_month": 5, "days_after_issue": 3}):
        with pytest.raises(ValueError):
            due_date(date(2026, 3, 1), **ways)


@given(PERIODS, DAYS, st.one_of(st.none(), DAYS))
def test_billable_days_are_counted_day_by_day(period: Period, start: date, end: date | None) -> None:
    days = [period.first_day + timedelta(days=n) for n in range(period.days)]
    assert billable_days(period, start, end) == sum(start <= day and (end is None or day <= end) for day in days)


@given(PERIODS, st.decimals(0, 10_000, places=2), st.data())
def test_the_shares_of_two_halves_of_a_month_are_the_whole_before_rounding(period: Period, monthly: Decimal, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, period.days))
    whole = prorated(monthly, first, period) + prorated(monthly, period.days - first, period)
    assert abs(whole - monthly) < Decimal("1e-20")


@given(DAYS, st.integers(0, 600))
def test_months_back_and_their_day(day: date, months: int) -> None:
    assume(day.year - months // 12 > 1960)
    found = months_before(day, months)
    assert (day.year - found.year) * 12 + day.month - found.month == months
    assert found.day == min(day.day, Period.of(found).days)


@given(DAYS, st.integers(1, 36), st.integers(0, 3000))
def test_a_renewed_contract_ends_beyond_today_by_less_than_a_term(start: date, months: int, later: int) -> None:
    as_of = start + timedelta(days=later)
    end = term_end(start, months, as_of)
    assert end is not None and as_of <= end < as_of + timedelta(days=31 * months + 31)


def test_a_year_from_march_ends_in_february() -> None:
    assert term_end(date(2025, 3, 1), 12, date(2025, 6, 1)) == date(2026, 2, 28)
    assert term_end(date(2025, 3, 1), 0, date(2025, 6, 1)) is None
