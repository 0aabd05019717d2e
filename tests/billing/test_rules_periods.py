"""Months, due dates and terms."""

from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.billing.rules.periods import Period, due_date, months_before, term_end
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
