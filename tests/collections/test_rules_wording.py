"""Amounts, days and hours as the operator's people write them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collections.rules import wording
from tests.support.service import operator

INSTANT = datetime(2026, 3, 27, 15, 15, tzinfo=UTC)


def test_instants_are_told_on_the_operators_clock() -> None:
    assert wording.moment(operator(), INSTANT) == "viernes 27 de marzo a las 09:15"
    assert wording.dated(operator(), INSTANT) == "viernes 27 de marzo de 2026 a las 09:15"
    assert wording.day(operator(), date(2026, 3, 27)) == "viernes 27 de marzo"
    assert wording.month(operator(), "2026-03") == "marzo de 2026"


def test_a_midnight_as_a_last_instant_is_the_end_of_the_day_before() -> None:
    assert wording.until(operator(), datetime(2026, 4, 1, 6, tzinfo=UTC)) == "el martes 31 de marzo, hasta que termine el día"
    assert wording.until(operator(), INSTANT) == "el viernes 27 de marzo a las 09:15"


def test_amounts_are_rounded_before_they_are_shown() -> None:
    assert wording.money(operator(), Decimal("1234.505")) == "$1,234.51"


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (0, "menos de un minuto"),
        (0.5, "30 minutos"),
        (1, "1 hora"),
        (3.35, "3 horas y 21 minutos"),
        (24, "24 horas"),
        (47.5, "47 horas y 30 minutos"),
        (48, "2 días"),
        (49, "2 días y 1 hora"),
    ],
)
def test_spans_are_told_as_people_count_them(hours: float, words: str) -> None:
    assert wording.span(timedelta(hours=hours)) == words


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)))
def test_a_span_never_tells_more_than_there_is_nor_an_hour_less(given_span: timedelta) -> None:
    units = {"día": 1440, "hora": 60, "minuto": 1}
    words = wording.span(given_span)
    parts = [] if words == "menos de un minuto" else [each.split() for each in words.split(" y ")]
    told = timedelta(minutes=sum(int(count) * units[name.removesuffix("s")] for count, name in parts))
    assert told <= given_span < told + timedelta(hours=1)
    assert all((count == "1") == (not name.endswith("s")) for count, name in parts)


def test_lists_are_joined_as_spanish_does() -> None:
    assert wording.listed([]) == ""
    assert wording.listed(["marzo"]) == "marzo"
    assert wording.listed(["abril", "marzo", "mayo"]) == "abril, marzo y mayo"
    assert wording.listed(["Ventas", "Ingeniería"]) == "Ventas e Ingeniería"


def test_people_are_called_by_their_names() -> None:
    assert [wording.who(operator(), each) for each in ("ana.martinez", "sistema", None, "desconocida")] == [
        "Ana Martínez",
        "el sistema",
        "nadie",
        "desconocida",
    ]
