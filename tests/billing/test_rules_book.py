"""One row of a book: what is read, what is a fault, what is only a notice."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.billing.adapters.mapping_files import load_mapping
from services.billing.operations.terms import book_terms
from services.billing.rules.book import BookReader, CustomerRow
from services.billing.rules.cells import Fault
from services.billing.rules.csv_text import find_sheet, records
from services.billing.rules.mapping import CustomerMapping
from services.billing.rules.states import Severity
from tests.billing.books import COLUMNS, MAPPING, line
from tests.support.service import operator


def read(folder: Path, mapping: str = MAPPING, **cells: Any) -> tuple[CustomerRow | None, list[Fault]]:
    """Read one row of a book, `id` C-1 unless told otherwise."""
    path = folder / "m.mapping.yaml"
    path.write_text(mapping)
    loaded = load_mapping(path)
    assert isinstance(loaded, CustomerMapping)
    row = line(**{"id": "C-1", **cells})
    lines = [",".join(COLUMNS) + "\n", ",".join(f'"{row.get(name, "")}"' for name in COLUMNS) + "\n"]
    sheet = find_sheet(lines, COLUMNS)
    return BookReader(loaded, sheet, book_terms(operator())).read(next(records(iter(lines[1:]), sheet)))


def good(folder: Path, mapping: str = MAPPING, **cells: Any) -> CustomerRow:
    row, faults = read(folder, mapping, **cells)
    assert row is not None, faults
    return row


def only_fault(folder: Path, mapping: str = MAPPING, **cells: Any) -> Fault:
    row, faults = read(folder, mapping, **cells)
    assert len(faults) == 1, faults
    assert (row is None) == (faults[0].severity is Severity.ERROR)
    return faults[0]


def services(row: CustomerRow) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(row.services)
    return found


def test_a_whole_row(tmp_path: Path) -> None:
    row = good(
        tmp_path, nombre="Tránsito Peña", gestor="ana.martinez", isp="sí", negociación="Acuerdo de 2019", contrato="CT-1", fin="2027-01-01",
        contacto="Norma", correo="norma@uno.hn", plan="dedicado_20", entrega="Terceros", usuario="u1", nodo="SPS-1",
        plan2="telefonia", precio2="0",
    )  # fmt: skip
    assert (row.external_id, row.search_name, row.is_isp, row.agent) == ("C-1", "transito pena", True, "ana.martinez")
    assert (row.contract_start, row.contract_end, row.last_billed, row.policy) == (
        date(2025, 1, 1), date(2027, 1, 1), "2026-02", "residencial",
    )  # fmt: skip
    internet, phone = services(row)
    assert (internet["delivery"], internet["amount"], internet["login"], internet["kind"]) == ("third_party", "400.00", "u1", "dedicated")
    assert (phone["code"], phone["amount"], phone["from"]) == ("telefonia", "0", "2025-01-01")
    assert json.loads(row.contacts) == [{"name": "Norma", "role": "principal", "email": "norma@uno.hn", "phone": None}]


def test_the_status_tells_the_policy(tmp_path: Path) -> None:
    assert good(tmp_path, estado="Cliente  VIP").policy == "vip"
    assert good(tmp_path, estado="SUSPENDIDO POR MORA").policy == "residencial"
    assert good(tmp_path, estado="").policy == "residencial"
    notice = only_fault(tmp_path, estado="EN TRÁMITE")
    assert (notice.severity, notice.column, notice.value) == (Severity.NOTICE, "estado", "EN TRÁMITE")


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ({"id": ""}, "id", "falta"),
        ({"nombre": " "}, "nombre", "falta"),
        ({"nombre": "x" * 201}, "nombre", "200"),
        ({"precio": "sesenta"}, "precio", "importe"),
        ({"precio": "-5"}, "precio", "negativo"),
        ({"plan": "hogar_51"}, "plan", "catálogo"),
        ({"entrega": "por paloma"}, "entrega", "propio"),
        ({"inicio": "ayer"}, "inicio", "fecha"),
        ({"fin": "2020-01-01"}, "fin", "antes de empezar"),
        ({"baja": "2024-12-31", "alta": "2025-01-01"}, "baja", "antes de empezar"),
        ({"isp": "quizás"}, "isp", "sí"),
        ({"facturado": "febrero"}, "facturado", "mes"),
        ({"saldo": "mucho"}, "saldo", "importe"),
        ({"saldo": "10.005"}, "saldo", "decimales"),
        ({"factura": "F-1", "total": "10.001"}, "total", "decimales"),
        ({"factura": "F-1", "total": "-10"}, "total", "negativo"),
        ({"factura": "F-1", "total": "10", "debe": "20"}, "debe", "mayor"),
        ({"factura": "F-1", "total": "10", "emitida": "2026-01-01", "vence": "2025-12-31"}, "vence", "antes de emitirse"),
        ({"factura": "F-1", "total": "10", "facturado": ""}, "mes", "qué mes"),
    ],
)
def test_a_wrong_cell_breaks_its_row_and_is_named(tmp_path: Path, cells: dict[str, Any], column: str, reason: str) -> None:
    found = only_fault(tmp_path, **cells)
    assert (found.severity, found.column, found.line) == (Severity.ERROR, column, 2)
    assert reason in found.reason
    assert found.remedy


@pytest.mark.parametrize(
    ("cells", "column"), [({"correo": "no-es-correo", "contacto": "Ana"}, "correo"), ({"gestor": "pedro.perez"}, "gestor")]
)
def test_a_wrong_contact_or_agent_is_left_out_with_a_notice(tmp_path: Path, cells: dict[str, Any], column: str) -> None:
    found = only_fault(tmp_path, **cells)
    assert (found.severity, found.column) == (Severity.NOTICE, column)


def test_all_that_is_wrong_with_a_row_is_told_at_once(tmp_path: Path) -> None:
    _, faults = read(tmp_path, precio="x", inicio="y", nombre="")
    assert sorted(each.column for each in faults) == ["inicio", "nombre", "precio"]


def test_an_open_invoice_is_taken_with_what_the_row_knows_of_it(tmp_path: Path) -> None:
    row = good(tmp_path, factura="A-9", emitida="2026-02-01", vence="2026-02-10", total="45.89", debe="20")
    assert json.loads(row.openings) == [
        {"number": "A-9", "period": "2026-02", "issued": "2026-02-01", "due": "2026-02-10", "amount": "45.89", "balance": "20"}
    ]


def test_a_balance_without_invoices_is_one_of_the_last_month_billed(tmp_path: Path) -> None:
    owed = json.loads(good(tmp_path, saldo="75.10", estado="CLIENTE VIP").openings)
    assert [(each["number"], each["period"], each["due"], each["balance"]) for each in owed] == [
        ("SALDO-C-1", "2026-02", "2026-02-05", "75.10")
    ]
    assert json.loads(good(tmp_path, saldo="0").openings) == []


def test_a_negative_balance_is_the_customers_credit(tmp_path: Path) -> None:
    row = good(tmp_path, saldo="-30.00")
    assert (json.loads(row.openings), row.opening_credit) == ([], Decimal("30.00"))


def test_the_fingerprint_is_that_of_what_lasts(tmp_path: Path) -> None:
    one = good(tmp_path, nombre="Ana")
    assert good(tmp_path, nombre="Ana", saldo="50", estado="SUSPENDIDO POR MORA").hash == one.hash
    assert good(tmp_path, nombre="Ana María").hash != one.hash
    assert good(tmp_path, nombre="Ana", precio="41").hash != one.hash


CONVERSIONS = """
source: otro
as_of: 2026-02-28
decimal: ","
dates: ["%d/%m/%Y"]
blanks: ["-", "s/d"]
customer: {external_id: id, name: [contacto, nombre], is_isp: {column: isp, convert: {Sí: "1", No: "0"}}}
contract: {months_elapsed: contrato, term_months: {column: fin, convert: {Anual: "12"}, otherwise: ""}}
services:
  - code: {constant: a}
    plan: {column: plan, convert: {Fiber optic: hogar_200, Nada: }}
    amount: precio
    when: {column: estado, in: [ACTIVO]}
  - code: {constant: b}
    plan: {constant: telefonia}
    amount: {column: precio2, default: "5"}
    when: {column: estado, not_in: [ACTIVO]}
"""


def test_conversions_defaults_conditions_and_terms(tmp_path: Path) -> None:
    given: dict[str, Any] = {"plan": "fiber  OPTIC", "precio": "1.200,50", "contrato": "14", "fin": "Anual", "isp": "No", "inicio": ""}
    row = good(tmp_path, CONVERSIONS, **given)
    assert (row.name, row.is_isp, row.contract_start, row.contract_end) == ("Cliente C-1", False, date(2024, 12, 28), date(2026, 12, 27))
    assert [(each["code"], each["plan"], each["amount"]) for each in services(row)] == [("a", "hogar_200", "1200.50")]
    other = good(tmp_path, CONVERSIONS, **{**given, "estado": "INACTIVO", "contacto": "s/d", "fin": "-"})
    assert [(each["code"], each["amount"], other.name) for each in services(other)] == [("b", "5", "Cliente C-1")]
    assert services(good(tmp_path, CONVERSIONS, **{**given, "plan": "nada"})) == []
    wrong = only_fault(tmp_path, CONVERSIONS, **{**given, "plan": "DSL"})
    assert (wrong.column, wrong.value) == ("plan", "DSL")
    assert "convert" in wrong.remedy


def test_the_same_service_code_twice_in_a_row(tmp_path: Path) -> None:
    mapping = MAPPING.replace("{constant: telefonia}, plan: plan2", "{constant: internet}, plan: plan2")
    found = only_fault(tmp_path, mapping, plan2="telefonia")
    assert "se repite" in found.reason
