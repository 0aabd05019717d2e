"""Money: nothing is lost, nothing is invented, and there is one way of rounding."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.money import Amount, Money, PositiveAmount, allocate, format_money, round_money

amounts = st.decimals(min_value="-99999999", max_value="99999999", places=4)
weights = st.lists(st.decimals(min_value="0", max_value="10000", places=2), min_size=1, max_size=30).filter(lambda found: sum(found) > 0)


@given(amounts, weights, st.integers(min_value=0, max_value=4))
def test_the_parts_add_up_to_the_total(total: Decimal, shares: list[Decimal], digits: int) -> None:
    total = round_money(total, digits)
    parts = allocate(total, shares, digits)
    assert sum(parts) == total and len(parts) == len(shares)
    cent = Decimal(1).scaleb(-digits)
    for part, share in zip(parts, shares, strict=True):
        exact = total * share / sum(shares)
        assert abs(part - exact) < cent, "nobody is more than a cent away from its share"
        assert part == round_money(part, digits) and part * total >= 0
        assert share > 0 or part == 0 or abs(part) == cent


@given(amounts, weights)
def test_equal_shares_differ_by_a_cent_at_most(total: Decimal, shares: list[Decimal]) -> None:
    parts = allocate(round_money(total, 2), [Decimal(1)] * len(shares), 2)
    assert max(parts) - min(parts) <= Decimal("0.01")
    assert parts == sorted(parts, key=abs, reverse=True), "left-over cents go to the first"


@given(amounts, st.integers(min_value=0, max_value=4))
def test_rounding_is_to_the_nearest_and_once(amount: Decimal, digits: int) -> None:
    rounded = round_money(amount, digits)
    assert abs(rounded - amount) <= Decimal(1).scaleb(-digits) / 2
    assert round_money(rounded, digits) == rounded
    assert round_money(-amount, digits) == -rounded


@pytest.mark.parametrize(
    ("given_", "wanted"), [("0.125", "0.13"), ("-0.125", "-0.13"), ("2.675", "2.68"), ("1.005", "1.01"), ("1.0049", "1.00")]
)
def test_halves_go_away_from_zero(given_: str, wanted: str) -> None:
    assert round_money(Decimal(given_), 2) == Decimal(wanted)


@pytest.mark.parametrize(
    ("total", "shares", "says"),
    [("10.00", [], "weights"), ("10.00", ["0", "0"], "weights"), ("10.00", ["1", "-1"], "weights"), ("10.001", ["1"], "decimal places")],
)
def test_what_cannot_be_split(total: str, shares: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        allocate(Decimal(total), [Decimal(each) for each in shares], 2)


def test_another_currency_is_never_added_or_compared() -> None:
    dollars, lempiras = Money(Decimal(10), "USD"), Money(Decimal(10), "HNL")
    assert (dollars + dollars).amount == 20 and (dollars - dollars).amount == 0 and dollars <= dollars and not dollars < dollars
    for operation in (lambda: dollars + lempiras, lambda: dollars - lempiras, lambda: dollars < lempiras, lambda: dollars <= lempiras):
        with pytest.raises(ValueError, match="HNL is not USD"):
            operation()


def test_money_for_eyes() -> None:
    assert format_money(Decimal("1234.565"), "USD", "es_HN", "$#,##0.00") == "$1,234.57"
    assert format_money(Decimal("-0.005"), "USD", "es_HN", "$#,##0.00") == "-$0.01"
    assert format_money(Decimal("0.125"), "USD", "es_HN", "$#,##0.00") == "$0.13", "the formatting library alone would say 0.12"


class Body(BaseModel):
    amount: Amount


def test_amounts_travel_as_text() -> None:
    assert Body(amount=Decimal("1E+3")).model_dump_json() == '{"amount":"1000"}'
    assert Body.model_validate_json('{"amount":"0.10"}').amount == Decimal("0.10")
    assert Body.model_json_schema()["properties"]["amount"]["type"] == "string"


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "1.23456", "123456789012345678", "", "doce", None])
def test_what_is_no_amount(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Amount).validate_python(wrong)


@pytest.mark.parametrize("wrong", ["0", "-1"])
def test_what_is_not_positive(wrong: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(PositiveAmount).validate_python(wrong)
