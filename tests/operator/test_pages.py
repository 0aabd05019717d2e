"""The pages that tell how to write an operator's files: their examples hold together, every field is explained, mistakes are told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.fields import DOCUMENTS
from shared.operator import check_operator
from tests.support.another_operator import DOCS, PAGES, another_operator, examples


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return another_operator(tmp_path / "altiplano")


def test_the_examples_are_an_operator_in_order(folder: Path) -> None:
    operator, mistakes = check_operator(folder)
    assert [str(each) for each in mistakes] == []
    assert operator is not None and {"pymes", "gobierno"} == set(operator.policies)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_examples(page: str) -> None:
    assert len(examples(page)) >= 1


def field_names(schema: dict[str, Any]) -> Iterator[str]:
    for part in (schema, *schema.get("$defs", {}).values()):
        yield from part.get("properties", {})


@pytest.mark.parametrize(("title", "page"), list(zip(DOCUMENTS, PAGES, strict=True)))
def test_every_field_is_explained(title: str, page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    names = set(field_names(DOCUMENTS[title].model_json_schema(by_alias=True)))
    assert sorted(each for each in names if f"{each}:" not in text and f"`{each}" not in text and f".{each}`" not in text) == []


# What a stranger does wrong with the examples of the pages: file, what stood there, what is put, and what the check must say of it.
MISTAKES = [
    ("procedures/pymes_corte.yaml", "role: operaciones", "role: operacion", "«operacion» (¿quiso decir «operaciones»?)"),
    ("procedures/pymes_corte.yaml", "start: [proveedor, cortar]", "start: [cortar]", "pasos a los que nada lleva: proveedor"),
    ("procedures/pymes_corte.yaml", "joins: [proveedor]", "joins: [provedor]", "pasos que no existen: provedor"),
    ("procedures/pymes_corte.yaml", "closes: suspended", "closes: cortado", "resultados que `outcomes` no nombra: cortado"),
    ("procedures/pymes_corte.yaml", "action: network.suspend", "action: network.cut", "network.suspend"),
    ("procedures/pymes_corte.yaml", "kind: task   ", "kind: tarea  ", "debe ser uno de: 'task' o 'automatic'"),
    ("procedures/pymes_retiro.yaml", "outcome: lost}", "outcome: perdido}", "resultados que el paso no tiene: perdido"),
    ("procedures/traslado.yaml", "when: {edificio: true}", "when: {edificio: no}", "nunca vale no; puede ser: false, true"),
    ("procedures/pymes_retiro.yaml", "kind: file, label", "kind: archivo, label", "'file'"),
    ("procedures/pymes_retiro.yaml", "fill: contract_end", "fill: balance", "`fill: balance` llena un campo de `kind: money`"),
    ("procedures/pymes_retiro.yaml", "when: {tipo: cliente}", "when: {tipos: cliente}", "tipos"),
    ("policies/pymes.yaml", "before: PT48H", "before: 48 horas", "PT24H"),
    ("policies/pymes.yaml", "  day: PYM-2", "  day: PYM-22", "no existe regla «PYM-22»"),
    ("policies/pymes.yaml", "  hold: PYM-3\n", "", "a `rules` le falta: hold"),
    ("policies/pymes.yaml", "due: {days_after_issue: 15}", "due: {days_after_issue: 15, day_of_month: 5}", "uno de los dos"),
    ("policies/pymes.yaml", "percent: \"5\"", "percent: \"5%\"", "fees.late.percent"),
    ("policies/pymes.yaml", "notice: pymes_vence_pronto", "notice: pymes_factura", "aquí hace falta uno que salga con"),
    ("policies/pymes.yaml", "own: pymes_corte,", "own: pymes_reconexion,", "no tiene ningún paso con `action: network.suspend`"),
    ("policies/pymes.yaml", "reminders: ", "recordatorios: ", "recordatorios: este campo no existe"),
    ("policies/pymes.yaml", "procedure: pymes_retiro}", "procedure: pymes_retiros}", "(¿quiso decir «pymes_retiro»?)"),
    ("notices/pymes_factura.yaml", "template: pymes_factura", "template: factura_pymes", "falta templates/factura_pymes.txt.j2"),
    ("notices/pymes_factura.yaml", "invoice_dispatch_requested", "invoice_sent", "no existe el evento"),
    ("notices/pymes_vence_pronto.yaml", "reminder: vence_pronto", "reminder: vence", "nunca vale «vence»"),
    ("notices/pymes_plazo.yaml", "to: {desks_in: tell}", "to: {desks: [ventas]}", "no existe escritorio «ventas»"),
    ("templates/pymes_cobro.txt.j2", "event.amount", "event.total", "el evento no tiene «total»"),
    ("templates/pymes_cobro.txt.j2", "| day", "| dia", "no existe el filtro «dia» (¿quiso decir «day»?)"),
    ("templates/pymes_factura.txt.j2", "customer.name", "cliente.name", "no existe «cliente»"),
    ("templates/pymes_factura.txt.j2", "customer.name", "customer.services", "el cliente no tiene «services»"),
    ("templates/pymes_factura.txt.j2", "customer.name", "agent.phone", "el gestor no tiene «phone»"),
]  # fmt: skip


@pytest.mark.parametrize("paper", ["invoice.typ", "credit_note.typ", "dossier.typ", "work_order.typ"])
def test_a_paper_that_cannot_be_printed_is_told_before_somebody_asks_for_it(folder: Path, paper: str) -> None:
    (folder / "templates" / paper).unlink()
    (found,) = [str(each) for each in check_operator(folder)[1]]
    assert found.startswith(f"templates/{paper}:") and "falta esta plantilla" in found


@pytest.mark.parametrize(("name", "stood", "put", "says"), MISTAKES, ids=[f"{each[0].split('/')[1]}-{each[2][:24]}" for each in MISTAKES])
def test_a_strangers_mistake_is_told(folder: Path, name: str, stood: str, put: str, says: str) -> None:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert stood in text, f"{name} has no {stood!r}"
    path.write_text(text.replace(stood, put, 1), encoding="utf-8")
    found = [str(each) for each in check_operator(folder)[1]]
    assert any(each.startswith(f"{name}:") and says in each for each in found), "\n".join(found) or "the mistake was not seen"
