"""A credit note's amount divided by tax: exact, and never more than there is."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.billing.rules.crediting import Part, divide

CENTS = st.integers(0, 100_000).map(lambda cents: Decimal(cents) / 100)
PARTS = st.lists(st.tuples(CENTS, CENTS), min_size=1, max_size=5)


@given(PARTS, st.integers(1, 1_000_000))
def test_parts_add_up_and_none_exceeds_what_is_left(amounts: list[tuple[Decimal, Decimal]], cents: int) -> None:
    left = [Part(None, "Internet", str(at), Decimal("0.15"), base, tax) for at, (base, tax) in enumerate(amounts)]
    most = sum((each.total for each in left), Decimal(0))
    amount = min(Decimal(cents) / 100, most)
    if amount == 0:
        return
    found = divide(amount, left, 2)
    assert sum((each.total for each in found), Decimal(0)) == amount
    for each in found:
        of = left[int(each.tax_code)]
        assert 0 <= each.base <= of.base and 0 <= each.tax <= of.tax


def test_two_taxes_get_their_shares() -> None:
    left = [
        Part(None, "Internet", "isv15", Decimal("0.15"), Decimal("100.00"), Decimal("15.00")),
        Part(None, "Alquiler", "exento", Decimal(0), Decimal("23.00"), Decimal("0.00")),
    ]
    assert [(each.base, each.tax) for each in divide(Decimal("69.00"), left, 2)] == [
        (Decimal("50.00"), Decimal("7.50")), (Decimal("11.50"), Decimal("0.00")),
    ]  # fmt: skip
