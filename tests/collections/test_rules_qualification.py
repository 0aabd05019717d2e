"""Who qualifies for the segment of the operator's file, and the fact that says so."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collections.rules.qualification import Profile, findings, qualifies
from tests.support.rules import rule
from tests.support.service import operator


def profile(
    *services: tuple[str, str],
    amount: str = "39.90",
    currency: str = "USD",
    is_isp: bool = False,
    special_negotiation: str | None = None,
) -> Profile:
    return Profile(services or (("hogar_50", "residential"),), Decimal(amount), currency, is_isp, special_negotiation)


@rule("VIP-1")
@pytest.mark.parametrize(
    ("who", "criterion"),
    [
        (profile(("dedicado_20", "dedicated"), amount="400"), "plan"),
        (profile(("hogar_50", "residential"), ("corporativo_50", "corporate"), amount="489.90"), "plan"),
        (profile(is_isp=True), "isp"),
        (profile(("negocio_300", "business"), ("negocio_300", "business"), amount="500.01"), "amount"),
        (profile(special_negotiation="Acordada por la gerencia el 3 de enero"), "negotiation"),
    ],
)
def test_any_one_criterion_suffices(who: Profile, criterion: str) -> None:
    assert qualifies(operator(), who)
    assert [each.code for each in findings(operator(), who) if each.holds] == [criterion]


@rule("VIP-1")
def test_exactly_the_limit_is_not_above_it() -> None:
    assert not qualifies(operator(), profile(("negocio_300", "business"), amount="500.00"))


@rule("VIP-1")
def test_another_currency_is_not_compared() -> None:
    found = {each.code: each for each in findings(operator(), profile(amount="13000", currency="HNL"))}
    assert not found["amount"].holds
    assert "otra moneda" in found["amount"].fact


def test_each_criterion_names_the_fact_that_decided() -> None:
    facts = {each.code: each.fact for each in findings(operator(), profile(("dedicado_20", "dedicated"), amount="400"))}
    assert facts["plan"] == "Tiene Dedicado 20 Mbps."
    assert "400.00 por mes, y el límite es" in facts["amount"]
    assert facts["isp"] == "No está registrado como ISP."
    assert facts["negotiation"] == "No tiene una negociación especial registrada."


def test_a_blank_negotiation_is_none() -> None:
    assert not qualifies(operator(), profile(special_negotiation="   "))


def test_a_customer_without_services_does_not_qualify_by_plan() -> None:
    found = findings(operator(), Profile((), Decimal(0), "USD"))
    assert [each.holds for each in found] == [False] * 4
    assert found[0].fact == "No tiene servicios contratados."


@rule("VIP-1")
@given(
    st.lists(st.sampled_from(["residential", "business", "dedicated", "corporate"]), max_size=4),
    st.decimals("0", "2000", places=2),
    st.booleans(),
    st.one_of(st.none(), st.text(max_size=5)),
)
def test_the_answer_is_the_four_criteria_and_nothing_else(kinds: list[str], amount: Decimal, is_isp: bool, negotiation: str | None) -> None:
    who = Profile([("x", kind) for kind in kinds], amount, "USD", is_isp, negotiation)
    expected = bool({"dedicated", "corporate"} & set(kinds)) or is_isp or amount > 500 or bool((negotiation or "").strip())
    assert qualifies(operator(), who) is expected
