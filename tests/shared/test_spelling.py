"""Names compared as people spell them."""

import pytest

from shared.spelling import plain


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("  Ferretería   ÑANDÚ ", "ferreteria nandu"),
        ("CAFE\tEl  Carmen", "cafe el carmen"),
        ("José", "jose"),
        ("Jose\u0301", "jose"),
        ("\u00a0Nº\u00a05", "no 5"),
        ("Straße", "strasse"),
        ("", ""),
    ],
)
def test_names_are_the_same_without_accents_case_and_superfluous_blanks(written: str, wanted: str) -> None:
    assert plain(written) == wanted == plain(wanted)
