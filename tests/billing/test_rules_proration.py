"""A month by days: what its parts cost is what the month costs, to the cent."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.rules.periods import Period
from services.billing.rules.prices import SoldMonth
from services.billing.rules.proration import Change, Segment, Sold, month_of
from shared.money import round_money
from tests.support.rules import rule

MARCH = Period(2026, 3)
CENTS = st.integers(0, 1_000_000).map(lambda cents: Decimal(cents) / 100)
DAYS = st.integers(-40, 70).map(lambda days: date(2026, 3, 1) + timedelta(days=days))


def sold(amount: str | Decimal, *changes: Change, since: date = date(2025, 1, 1), until: date | None = None, plan: str = "a") -> Sold:
    return Sold(UUID(int=1), UUID(int=2), "internet", plan, Decimal(amount), since, until, changes)


def change(day: date, before: tuple[str, str | Decimal], after: tuple[str, str | Decimal], applied: bool = False) -> Change:
    return Change(day, before[0], Decimal(before[1]), after[0], Decimal(after[1]), applied)


def days(found: Sequence[Segment]) -> list[tuple[str, int, int, Decimal]]:
    return [(each.plan_code, each.first.day, each.last.day, each.amount) for each in found]


@rule("FACT-6")
def test_a_plan_that_changes_is_billed_by_days() -> None:
    upgraded = sold("450.00", change(date(2026, 3, 16), ("a", "450.00"), ("b", "780.00")))
    assert days(month_of(upgraded, MARCH, 2, {})) == [("a", 1, 15, Decimal("217.74")), ("b", 16, 31, Decimal("402.58"))]
    assert days(month_of(upgraded, MARCH.next(), 2, {})) == [("b", 1, 30, Decimal("780.00"))]
    assert days(month_of(upgraded, Period(2026, 2), 2, {})) == [("a", 1, 28, Decimal("450.00"))]


def test_the_left_over_cent_goes_to_the_largest_remainder() -> None:
    thirds = [change(date(2026, 4, 11), ("a", "100"), ("b", "100")), change(date(2026, 4, 21), ("b", "100"), ("c", "100"))]
    assert [each.amount for each in month_of(sold("100", *thirds), Period(2026, 4), 2, {})] == [
        Decimal("33.34"), Decimal("33.33"), Decimal("33.33"),
    ]  # fmt: skip


def test_of_two_changes_on_one_day_the_later_counts() -> None:
    twice = [change(date(2026, 3, 16), ("a", "31"), ("b", "62")), change(date(2026, 3, 16), ("b", "62"), ("c", "93"))]
    assert days(month_of(sold("31", *twice), MARCH, 2, {})) == [("a", 1, 15, Decimal("15.00")), ("c", 16, 31, Decimal("48.00"))]


def test_a_correction_of_the_row_counts_after_the_last_change_that_is_applied() -> None:
    corrected = sold("62", change(date(2026, 3, 16), ("a", "31"), ("b", "60"), applied=True), plan="b")
    assert [each.amount for each in month_of(corrected, MARCH, 2, {})] == [Decimal("15.00"), Decimal("32.00")]


def test_a_price_function_is_asked_for_its_days() -> None:
    asked: list[SoldMonth] = []

    def price(each: SoldMonth) -> Decimal:
        asked.append(each)
        return Decimal("1.005")

    found = month_of(sold("31", change(date(2026, 3, 16), ("a", "31"), ("b", "62"))), MARCH, 2, {"b": price})
    assert [each.amount for each in found] == [Decimal("15.00"), Decimal("1.01")]
    assert [(each.active_from, each.active_to, each.usual) for each in asked] == [(date(2026, 3, 16), None, Decimal("32.00"))]


@pytest.mark.parametrize(("since", "until"), [("2026-04-01", None), ("2025-01-01", "2026-02-28")])
def test_a_service_that_was_not_sold_costs_nothing(since: str, until: str | None) -> None:
    last = date.fromisoformat(until) if until else None
    assert month_of(sold("31", since=date.fromisoformat(since), until=last), MARCH, 2, {}) == []


@given(CENTS, st.lists(st.tuples(DAYS, CENTS), max_size=5), DAYS, st.none() | DAYS)
def test_whatever_changes_the_days_are_covered_once_and_add_up_to_the_rounded_month(
    first: Decimal, later: list[tuple[date, Decimal]], since: date, until: date | None
) -> None:
    changes, before = list[Change](), ("p0", first)
    for number, (day, amount) in enumerate(sorted(later), start=1):
        changes.append(change(day, before, (f"p{number}", amount)))
        before = (f"p{number}", amount)
    service = sold(first, *changes, since=since, until=until, plan="p0")
    found = month_of(service, MARCH, 2, {})
    covered = [each.first + timedelta(days=n) for each in found for n in range(each.days)]
    lived = [date(2026, 3, n) for n in range(1, 32)]
    assert covered == [day for day in lived if since <= day <= (until or date.max)]
    exact = sum((each.monthly_amount * each.days for each in found), Decimal(0)) / 31
    assert sum((each.amount for each in found), Decimal(0)) == round_money(exact, 2)
    assert all(abs(each.amount - each.monthly_amount * each.days / 31) < Decimal("0.01") for each in found)
