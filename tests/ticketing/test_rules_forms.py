"""Forms: what is asked for under which condition, what the system filled in, what each kind of field takes."""

from datetime import date
from typing import Any

import pytest

from services.ticketing.rules.capture import Form, Named, Written, read_form
from services.ticketing.rules.wording import as_read
from shared.operator.forms import CaptureField, form_mistake
from tests.support.service import operator

TODAY = date(2026, 4, 13)
SERVICE = "019d2f6e-5f0b-7c7a-9a35-0a8b0f6f4b54"
LETTER: dict[str, Any] = {
    "id": "019d2f6e-7f0b-7c7a-9a35-0a8b0f6f4b56",
    "name": "carta.pdf",
    "media_type": "application/pdf",
    "size": 9,
    "sha256": "ab",
}
NAMED = Named(frozenset({"corporativo_50"}), {SERVICE: "Corporativo 50 · hotel"}, {LETTER["id"]: LETTER})


def field(name: str = "campo", **values: Any) -> CaptureField:
    return CaptureField.model_validate({"name": name, "label": name.capitalize(), **values})


def read(*fields: CaptureField, outcome: str | None = None, known: dict[str, Any] | None = None, **given: Any) -> Written:
    return read_form(Form(fields, "VIP-27", TODAY, known or {}), given, None, NAMED, outcome)


@pytest.mark.parametrize(
    ("values", "given", "kept"),
    [
        ({"kind": "money"}, {"amount": "12.50", "currency": "USD"}, {"amount": "12.50", "currency": "USD"}),
        ({"kind": "plan"}, "corporativo_50", "corporativo_50"),
        ({"kind": "service"}, SERVICE, {"id": SERVICE, "label": "Corporativo 50 · hotel"}),
        ({"kind": "service"}, None, {"id": SERVICE, "label": "Corporativo 50 · hotel"}),
        ({"kind": "file"}, LETTER["id"], LETTER),
        ({"kind": "date", "latest": "today"}, "2026-04-13", "2026-04-13"),
        ({"kind": "date", "earliest": "today"}, "2026-04-13", "2026-04-13"),
    ],
)
def test_a_value_is_kept_in_its_form(values: dict[str, Any], given: Any, kept: Any) -> None:
    found = read(field(**values), campo=given)
    assert (found.values, found.missing, found.wrong) == ({"campo": kept}, [], [])


@pytest.mark.parametrize(
    ("values", "given", "says"),
    [
        ({"kind": "money"}, "12.50", "importe con su moneda"),
        ({"kind": "money"}, {"amount": "12.50", "currency": "usd"}, "mayúsculas"),
        ({"kind": "money"}, {"amount": 12.5, "currency": "USD"}, "como texto"),
        ({"kind": "number"}, "12,50", 'escríbalo con punto, por ejemplo "12.50"'),
        ({"kind": "yes_no"}, "no", "debe ser true (sí) o false (no)"),
        ({"kind": "items"}, [{"serial": "SN1"}], 'falta code, description; por ejemplo {"code": "ONT"'),
        ({"kind": "signature"}, {"identity": "1"}, 'falta name; por ejemplo {"name": "Julia Paz"'),
        ({"kind": "plan"}, "corporativo_5", "¿quiso decir «corporativo_50»?"),
        ({"kind": "plan"}, ["corporativo_50"], "no existe ese plan"),
        ({"kind": "service"}, "019d2f6e-0000-7c7a-9a35-0a8b0f6f4b54", "no es un servicio activo del cliente"),
        ({"kind": "file"}, "carta.pdf", "no es un documento guardado"),
        ({"kind": "date", "latest": "today"}, "2026-04-14", "posterior a hoy (2026-04-13)"),
        ({"kind": "date", "earliest": "today"}, "2026-04-12", "anterior a hoy (2026-04-13)"),
    ],
)
def test_a_mistake_is_named(values: dict[str, Any], given: Any, says: str) -> None:
    found = read(field(**values), campo=given)
    assert found.values == {}
    assert [error.field for error in found.wrong] == ["captured.campo"]
    assert says in found.wrong[0].message


def test_a_field_is_asked_for_by_the_outcome_by_earlier_fields_and_by_what_is_known() -> None:
    form = (
        field("acuerdo", kind="choice", choices=["upgrade", "other"], when={"outcome": "recovered"}),
        field("plan", kind="plan", when={"outcome": "recovered", "acuerdo": {"not": "other"}}),
        field("zona", when={"delivery": "third_party"}),
    )
    known = {"delivery": ["own", "third_party"]}
    assert [error.field for error in read(*form, outcome="recovered", acuerdo="upgrade", known=known).missing] == [
        "captured.plan",
        "captured.zona",
    ]
    assert read(*form, outcome="recovered", acuerdo="other").missing == []
    assert read(*form, outcome="lost").missing == []
    strange = read(*form, outcome="lost", plan="corporativo_50").wrong
    assert [(error.field, error.message) for error in strange] == [("captured.plan", "este campo no corresponde a lo que eligió")]


def test_what_the_system_filled_in_is_confirmed_by_leaving_it_corrected_by_writing_and_asked_again_when_it_changed() -> None:
    balance = {"amount": "690.00", "currency": "USD"}
    asked = field("saldo", kind="money", fill="balance")
    filled = {"saldo": {"value": balance, "looked_up_at": "2026-04-13T15:00:00+00:00"}}

    def finish(now: Any, **given: Any) -> Written:
        return read_form(Form([asked], None, TODAY, {}, filled), given, None, Named(looked_up={"balance": now}))

    assert finish(balance).values == {"saldo": balance}
    corrected = {"amount": "700.00", "currency": "USD"}
    assert finish(balance, saldo=corrected).values == {"saldo": corrected}
    stale = finish({"amount": "0.00", "currency": "USD"})
    assert (stale.values, stale.missing) == ({}, [])
    assert "690.00 USD y ahora es 0.00 USD" in stale.wrong[0].message
    assert read_form(Form([asked], None, TODAY), {}, None, Named()).missing[0].field == "captured.saldo"


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ([field("a"), field("a")], "campos repetidos: a"),
        ([field("a", when={"b": "x"}), field("b")], "«a» espera a un campo que viene después: b"),
        ([field("a", when={"outcome": "lst"})], "«a» espera un resultado que el paso no tiene: lst"),
    ],
)
def test_a_form_that_cannot_be_meant(form: list[CaptureField], says: str) -> None:
    assert form_mistake(form, {"lost": object()}) == says


@pytest.mark.parametrize(
    ("values", "kept", "text"),
    [
        ({"kind": "date"}, "2026-04-10", "10 de abril de 2026"),
        ({"kind": "money"}, {"amount": "1380.00", "currency": "USD"}, "$1,380.00"),
        ({"kind": "plan"}, "corporativo_50", "Corporativo 50 Mbps"),
        ({"kind": "plan"}, "de_antes", "de_antes"),
        ({"kind": "choice", "choices": ["other"], "names": {"other": "Otro"}}, "other", "Otro"),
        ({"kind": "file"}, LETTER, "carta.pdf (9 bytes, sha256 ab)"),
        ({"kind": "yes_no"}, True, "sí"),
    ],
)
def test_people_read_words(values: dict[str, Any], kept: Any, text: str) -> None:
    assert as_read(operator(), field(**values), kept) == text
