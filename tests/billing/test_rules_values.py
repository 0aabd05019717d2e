"""Cells become values, or say why not."""

import contextlib
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.rules import values
from services.billing.rules.periods import Period
from services.billing.rules.values import BadValue


@pytest.mark.parametrize(
    ("text", "decimal", "expected"),
    [
        ("1234.50", ".", "1234.50"),
        ("1,234.50", ".", "1234.50"),
        ("1.234,50", ",", "1234.50"),
        ("1234,5", ",", "1234.5"),
        ("$ 1,234.50", ".", "1234.50"),
        ("US$45", ".", "45"),
        ("USD 45.00", ".", "45.00"),
        ("45.00 USD", ".", "45.00"),
        ("L. 1,200.00", ".", "1200.00"),
        ("Bs 146.28", ".", "146.28"),
        ("(12.50)", ".", "-12.50"),
        ("-12.50", ".", "-12.50"),
        ("12.50-", ".", "-12.50"),
        ("$-12.50", ".", "-12.50"),
        ("+7", ".", "7"),
        (".5", ".", "0.5"),
        ("1\u00a0234,50", ",", "1234.50"),
        ("0", ".", "0"),
    ],
)
def test_amounts_as_people_write_them(text: str, decimal: str, expected: str) -> None:
    assert values.amount(text, decimal) == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("sesenta", "."),
        ("1.234,50", "."),
        ("12,34", "."),
        ("1,23,456.00", "."),
        ("1.2.3", "."),
        ("1e5", "."),
        ("NaN", "."),
        ("Infinity", "."),
        ("٣", "."),
        ("0.00001", "."),
        ("123456789012345", "."),
        ("--5", "."),
    ],
)
def test_what_is_no_amount_is_refused_with_reason_and_remedy(text: str, decimal: str) -> None:
    with pytest.raises(BadValue) as caught:
        values.amount(text, decimal)
    assert caught.value.reason and caught.value.remedy


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("EUR 1,200.00", "USD"),
        ("1,200.00 EUR", "USD"),
        ("€ 300", "USD"),
        ("L. 300.00", "USD"),
        ("(Lps 300)", "USD"),
        ("Bs 5", "USD"),
        ("US$5", "HNL"),
    ],
)
def test_an_amount_in_other_money_is_never_taken_for_ours(text: str, currency: str) -> None:
    with pytest.raises(BadValue, match=currency):
        values.amount(text, ".", currency)


@pytest.mark.parametrize(
    ("text", "currency"), [("USD 12", "USD"), ("US$ 12", "USD"), ("$12", "USD"), ("L. 12", "HNL"), ("Bs. 12", "BOB"), ("12", "USD")]
)
def test_the_sign_of_our_own_money_is_read_over(text: str, currency: str) -> None:
    assert values.amount(text, ".", currency) == 12


@given(st.decimals(min_value=-(10**13), max_value=10**13, places=2), st.sampled_from([".", ","]), st.booleans())
def test_an_amount_written_in_either_style_is_read_back_exactly(amount: Decimal, decimal: str, grouped: bool) -> None:
    text = f"{amount:,.2f}" if grouped else f"{amount:.2f}"
    if decimal == ",":
        text = text.translate(str.maketrans(",.", ".,"))
    assert values.amount(text, decimal) == amount


@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_a_bad_value_and_nothing_else(text: str) -> None:
    with contextlib.suppress(BadValue):
        assert abs(values.amount(text, ".")) <= values.LARGEST


def test_dates_and_months_in_the_mappings_forms() -> None:
    forms = ("%Y-%m-%d", "%d/%m/%Y")
    assert values.day("28/02/2026", forms) == values.day("2026-02-28", forms) == date(2026, 2, 28)
    assert values.month("2026-02", ("%Y-%m",), forms) == values.month("28/02/2026", ("%Y-%m",), forms) == Period(2026, 2)
    for text in ("31/02/2026", "2026-13-01", "ayer", "9999-12-31", "0201-01-01"):
        with pytest.raises(BadValue):
            values.day(text, forms)


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("01-mar-2026", "%d-%b-%Y", date(2026, 3, 1)),
        ("15-ene-2025", "%d-%b-%Y", date(2025, 1, 15)),
        ("3-DIC-2025", "%d-%b-%Y", date(2025, 12, 3)),
        ("5 sept. 2025", "%d %b %Y", date(2025, 9, 5)),
        ("12 de agosto de 2025", "%d de %B de %Y", date(2025, 8, 12)),
        ("1 de septiembre de 2025", "%d de %B de %Y", date(2025, 9, 1)),
        ("12 August 2025", "%d %B %Y", date(2025, 8, 12)),
        ("Dec 3, 2025", "%b %d, %Y", date(2025, 12, 3)),
    ],
)
def test_months_are_read_by_their_spanish_names_too(text: str, form: str, expected: date) -> None:
    assert values.day(text, (form,)) == expected


def test_a_yes_in_the_files_own_words() -> None:
    assert values.flag("Sí", ("si", "sí"), ("no",)) is True
    assert values.flag("NO", ("si", "sí"), ("no",)) is False
    with pytest.raises(BadValue):
        values.flag("quizás", ("si",), ("no",))


def test_an_address_is_the_first_of_several() -> None:
    assert values.email("ana@uno.hn; beto@dos.hn") == "ana@uno.hn"
    for text in ("ana", "ana@uno", "@uno.hn", "ana@uno.hn>"):
        with pytest.raises(BadValue):
            values.email(text)
