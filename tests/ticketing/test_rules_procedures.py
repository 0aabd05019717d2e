"""A procedure that could come to a standstill is refused when the operator's files are read."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.operator import Procedure


def procedure(steps: list[dict[str, Any]], **more: Any) -> Procedure:
    return Procedure.model_validate(
        {
            "code": "prueba",
            "version": 1,
            "kind": "PRUEBA",
            "name": "Prueba",
            "rules": ["VIP-17"],
            "desk": "cobros",
            "start": ["a"],
            "steps": [{"name": each["code"], "kind": "task", "role": "cobros", **each} for each in steps],
            "outcomes": {"closed": "Terminado"},
            **more,
        }
    )


A = {"code": "a", "outcomes": {"done": {"label": "Listo", "opens": ["b"]}, "no": {"label": "No"}}}
B = {"code": "b", "outcomes": {"done": {"label": "Listo", "closes": "closed"}}}


def test_an_outcome_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(ValidationError, match="si «a» termina con «no» puede no quedar nada abierto"):
        procedure([A, B])


def test_an_ending_for_what_leads_nowhere_is_accepted() -> None:
    assert procedure([A, B], ends="closed").ends == "closed"


def test_an_ending_must_be_named() -> None:
    with pytest.raises(ValidationError, match="resultados que `outcomes` no nombra: fin"):
        procedure([A, B], ends="fin")


def test_a_join_that_can_never_be_satisfied_is_refused() -> None:
    joined = {**B, "joins": ["c"]}
    aside = {"code": "c", "outcomes": {"done": {"label": "Listo"}}}
    lost = {"code": "a", "outcomes": {"done": {"label": "Listo", "opens": ["b"]}, "no": {"label": "No", "opens": ["c"]}}}
    with pytest.raises(ValidationError, match="si «a» termina con «done» puede no quedar nada abierto"):
        procedure([lost, joined, aside], ends="closed")


def test_a_loop_is_no_standstill() -> None:
    back = {"code": "b", "outcomes": {"done": {"label": "Listo", "closes": "closed"}, "again": {"label": "Otra vez", "opens": ["a"]}}}
    only = {"code": "a", "outcomes": {"done": {"label": "Listo", "opens": ["b"]}}}
    assert procedure([only, back]).step("b").outcomes["again"].opens == ["a"]
