"""The sample book is what its script writes, and holds what it promises."""

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from services.billing.operations.terms import book_terms
from services.billing.rules.book import BookReader, CustomerRow
from services.billing.rules.cells import Fault, columns_of
from services.billing.rules.csv_text import find_sheet, records
from services.billing.rules.mapping import CustomerMapping
from shared.operator.files import Mistake, read_source
from tests.support.sample_book import BOOKS, Book, files, with_tax
from tests.support.service import operator


@pytest.fixture(scope="module")
def read() -> tuple[list[CustomerRow], list[Fault]]:
    """The whole book, read with its mapping: good rows, and everything that was noted."""
    mistakes: list[Mistake] = []
    source = read_source(BOOKS, "clientes.mapping.yaml", mistakes)
    assert source is not None and not mistakes
    mapping = CustomerMapping.model_validate(source.value)
    lines = (BOOKS / "clientes.csv").read_text(encoding="utf-8-sig").splitlines(keepends=True)
    sheet = find_sheet(lines, set(columns_of(mapping)), ";")
    reader = BookReader(mapping, sheet, book_terms(operator()))
    found = [reader.read(record) for record in records(iter(lines[sheet.first_line - 1 :]), sheet)]
    return [row for row, _ in found if row], [fault for _, faults in found for fault in faults]


@pytest.mark.parametrize("name", ["clientes.csv", "pagos_banco.csv"])
def test_files_are_what_the_script_writes(name: str) -> None:
    assert (BOOKS / name).read_bytes() == files()[name].encode(), "run: python -m tests.support.sample_book"


def test_size_and_segments(read: tuple[list[CustomerRow], list[Fault]]) -> None:
    good, _ = read
    assert len(good) == len({row.external_id for row in good}) == 293
    states = Counter(row.opening_status for row in good)
    assert states == {
        "ACTIVO": 250, "CLIENTE VIP": 38, "SUSPENDIDO CLIENTE VIP": 1, "SUSPENDIDO POR MORA": 1, "PLAN DE PAGO COBROS": 1, "INVESTIGAR": 1,
        "CORTESIA": 1,
    }  # fmt: skip
    assert {row.policy for row in good} == {"vip", "residencial"}


def test_broken_rows_say_why(read: tuple[list[CustomerRow], list[Fault]]) -> None:
    _, faults = read
    errors = [(each.column, each.reason.split(".")[0]) for each in faults if each.severity == "ERROR"]
    assert errors == [
        ("Nombre o razón social", "El valor falta"),
        ("Plan", "El mapeo no dice qué significa este valor"),
        ("Inicio de contrato", "No es una fecha de las formas %d/%m/%Y"),
        ("Precio", "No es un importe con «,» decimal"),
        ("Precio", "El importe es negativo"),
        ("Fin de contrato", "El contrato termina antes de empezar (2020-01-01)"),
        ("(fila)", "La fila tiene 37 celdas y el encabezado 39"),
    ]
    notices = {(each.column, each.value) for each in faults if each.severity == "NOTICE"}
    assert notices == {("Correo administrativo", "no tiene"), ("Gestor de cobros", "Pedro Fuera"), ("Estado", "CORTESIA")}


def test_every_reason_to_be_vip_is_there(read: tuple[list[CustomerRow], list[Fault]]) -> None:
    def services(row: CustomerRow) -> Iterator[dict[str, Any]]:
        yield from json.loads(row.services)

    good, _ = read
    vips = [row for row in good if row.policy == "vip"]
    assert {each["kind"] for row in vips for each in services(row)} >= {"dedicated", "corporate", "wholesale", "business"}
    assert any(row.is_isp for row in vips) and any(row.special_negotiation for row in vips)
    assert {each["delivery"] for row in vips for each in services(row)} == {"own", "third_party"}
    assert {row.agent for row in vips} == {"ana.martinez", "carlos.rivera", "lucia.flores"}
    assert all(row.contract_end for row in vips)
    assert all(row.tax_id and len(row.tax_id) == 14 for row in good)


def test_opening_state(read: tuple[list[CustomerRow], list[Fault]]) -> None:
    good, _ = read
    owing = {row.external_id: json.loads(row.openings) for row in good if row.openings != "[]"}
    assert len(owing) == 7 and max(map(len, owing.values())) == 2
    billed_already = [row.external_id for row in good if row.last_billed == "2026-03"]
    assert billed_already == [code for code, owed in owing.items() if owed[0]["period"] == "2026-03"] != []
    assert sum(row.last_billed is None for row in good) == 2


def test_the_bank_sees_exactly_what_march_costs() -> None:
    customers = Book().customers()
    payers = [each for each in customers if each.pays]
    assert all(sum(amount for _, amount in each.pays) == each.march for each in payers)
    silent_vips = [each for each in customers if each.cells["Fin de contrato"] and not each.pays]
    assert len(silent_vips) >= 12, "the month's story needs people who do not pay by themselves"
    assert with_tax(Decimal("24.90")) == Decimal("28.64")
