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


A: dict[str, Any] = {"code": "a", "outcomes": {"done": {"label": "Listo", "opens": ["b"]}, "no": {"label": "No"}}}
B: dict[str, Any] = {"code": "b", "outcomes": {"done": {"label": "Listo", "closes": "closed"}}}


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


ASKED: dict[str, Any] = {
    "code": "a",
    "outcomes": {"done": {"label": "Listo", "opens": ["b"]}},
    "capture": [{"name": "si", "label": "Sí", "kind": "yes_no"}],
}


def test_a_combination_that_opens_nothing_is_refused() -> None:
    only = {**B, "when": {"delivery": "own"}}
    with pytest.raises(ValidationError, match=r"si «a» termina con «done» \(delivery: third_party\) puede no quedar nada abierto"):
        procedure([A | {"outcomes": {"done": A["outcomes"]["done"]}}, only])
    with pytest.raises(ValidationError, match=r"ningún paso puede abrirse al empezar \(delivery: third_party\)"):
        procedure([{**B, "code": "a", "when": {"delivery": "own"}}])
    assert procedure([{**B, "code": "a", "when": {"delivery": "own"}}], ends="closed").ends == "closed"


def test_an_answer_that_opens_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"si «a» termina con «done» \(si: false\) puede no quedar nada abierto"):
        procedure([ASKED, {**B, "when": {"si": "true"}}])
    both = {**ASKED, "outcomes": {"done": {"label": "Listo", "opens": ["b", "c"]}}}
    other = {**B, "code": "c", "when": {"si": "false"}}
    assert procedure([both, {**B, "when": {"si": "true"}}, other]).step("c").when == {"si": "false"}


def test_an_answer_that_may_be_left_out_must_lead_somewhere_too() -> None:
    both = {**ASKED, "outcomes": {"done": {"label": "Listo", "opens": ["b", "c"]}}}
    steps = [both, {**B, "when": {"si": "true"}}, {**B, "code": "c", "when": {"si": "false"}}]
    ran_out = {"hours": 5, "on_expiry": {"outcome": "done"}}
    with pytest.raises(ValidationError, match="si «a» termina con «done» puede no quedar nada abierto"):
        procedure([{**both, "deadline": ran_out}, *steps[1:]])
    optional = [{**ASKED["capture"][0], "required": False}]
    with pytest.raises(ValidationError, match="si «a» termina con «done» puede no quedar nada abierto"):
        procedure([{**both, "capture": optional}, *steps[1:]])


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ({"tecnologia": "fibra"}, "depende de «tecnologia», que no se anota como elección ni como sí o no; se conoce: cause, delivery, si"),
        ({"delivery": "propia"}, "«delivery» nunca vale propia; puede ser: own, third_party"),
        ({"si": ["sí", "no"]}, "«si» nunca vale no, sí; puede ser: false, true"),
    ],
)
def test_a_condition_on_what_is_never_known_is_refused(when: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as error:
        procedure([ASKED, {**B, "when": when}], ends="closed")
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"deadline": {"hours": 5, "on_expiry": {}}}, "indique `tell`, `outcome` o ambos"),
        ({"deadline": {"hours": 5, "on_expiry": {"outcome": "nunca"}}}, "resultados que el paso no tiene: nunca"),
        ({"work_order": {"name": "Orden", "appointment_for": ["hecho"]}}, "resultados que el paso no tiene: hecho"),
    ],
)
def test_what_follows_names_an_outcome_of_the_step(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as error:
        procedure([{**B, "code": "a", **more}])
    assert says in str(error.value)
