"""What is wrong with an input, in the words that people of an operator understand."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, field_validator

from shared.errors import FORMS, Conflict, FieldError, Invalid, Refused, nearest, spanish
from shared.web.problems import field_name


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")
    number: int

    @field_validator("number")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("debe ser par")
        return value


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        (int, "x", "no es un número entero"),
        (int, None, "no es un número entero"),
        (Decimal, "x", "no es un número decimal"),
        (Annotated[Decimal, Field(decimal_places=2)], "1.234", "tiene demasiados decimales: a lo sumo 2"),
        (Annotated[Decimal, Field(max_digits=3)], "1234", "tiene demasiadas cifras: a lo sumo 3"),
        (Annotated[Decimal, Field(gt=0)], "0", "debe ser mayor que 0"),
        (Annotated[Decimal, Field(ge=1)], "0", "debe ser al menos 1"),
        (Annotated[int, Field(lt=5)], "5", "debe ser menor que 5"),
        (Annotated[int, Field(le=5)], "6", "debe ser a lo sumo 5"),
        (Decimal, "NaN", "no es un número finito"),
        (str, 7, "debe ser texto"),
        (Annotated[str, Field(min_length=2)], "x", "es demasiado corto: al menos 2 carácter(es)"),
        (Annotated[str, Field(max_length=2)], "xyz", "es demasiado largo: a lo sumo 2 caracteres"),
        (bool, "x", "debe ser true o false"),
        (Literal["a", "b"], "c", "debe ser uno de: 'a' o 'b'"),
        (Colour, "green", "debe ser uno de: 'red' o 'blue'"),
        (Annotated[list[int], Field(min_length=1)], [], "tiene muy pocos elementos: al menos 1"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "tiene demasiados elementos: a lo sumo 1"),
        (list[int], "x", "debe ser una lista"),
        (dict[str, int], "x", "debe ser un objeto con campos"),
        (Form, "x", "debe ser un objeto con campos"),
        (Form, {}, "falta"),
        (Form, {"number": 2, "numero": 3}, "este campo no existe"),
        (Form, {"number": 3}, "debe ser par"),
        (UUID, "x", "no es un identificador (UUID)"),
        (AwareDatetime, "2026-03-01T08:00:00", "falta la zona horaria: escriba por ejemplo 2026-03-01T08:00:00-06:00"),
        (datetime, "mañana", "no es una fecha con hora: escriba 2026-03-01T08:00:00-06:00"),
        (datetime, "2026-03-01T08:00:00 00:00", "el + de la zona llegó como un espacio: en una dirección se escribe %2B"),
        (date, "31/02/2026", "no es una fecha: escriba 2026-03-01"),
        (date, "2026-02-30", "no es una fecha: escriba 2026-03-01"),
        (time, "8am", "no es una hora: escriba 08:00"),
        (timedelta, "un día", "no es una duración: escriba por ejemplo PT24H o P10D"),
        (bytes, 7, "no es un valor válido"),
    ],
)
def test_pydantic_speaks_spanish(kind: Any, given: object, wanted: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        TypeAdapter(kind).validate_python(given)
    assert spanish(dict(wrong.value.errors()[0])) == wanted


def test_json_that_is_none() -> None:
    with pytest.raises(ValidationError) as wrong:
        TypeAdapter(Form).validate_json("{")
    assert spanish(dict(wrong.value.errors()[0])) == "no es JSON válido"


def test_broken_json_is_the_bodys_mistake_and_an_items_index_stays() -> None:
    assert field_name(("body", 5)) == "body"
    assert field_name(("body", "instalments", 0, "due_at")) == "instalments.0.due_at"


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_form_is_said_by_an_example_and_never_as_a_pattern(form: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        TypeAdapter(Annotated[str, StringConstraints(pattern=form)]).validate_python("?")
    assert spanish(dict(wrong.value.errors()[0])) == FORMS[form]


@pytest.mark.parametrize(
    ("word", "known", "wanted"),
    [("vpi", {"vip", "residencial"}, " (¿quiso decir «vip»?)"), ("zzz", {"vip"}, ""), ("x", set(), "")],
)
def test_the_nearest_word(word: str, known: set[str], wanted: str) -> None:
    assert nearest(word, known) == wanted


def test_a_refusal_names_its_rule_and_what_would_help() -> None:
    refusal = Refused("VIP-10", "Faltan 3 horas.", remedy="Espere.", errors=[FieldError(field="reason", message="falta")])
    assert isinstance(refusal, Conflict) and (refusal.status, refusal.rule, refusal.remedy) == (409, "VIP-10", "Espere.")
    assert str(refusal) == "Faltan 3 horas." and refusal.errors[0].field == "reason"
    assert Invalid("x").status == 422 and Invalid("x").rule is None
