"""Books and banks' files for tests: written to disk, imported as the command line does it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from services.billing.adapters.mapping_files import load_mapping
from services.billing.jobs.imports import run_file
from services.billing.models import ImportBatch
from services.billing.operations.new_payments import NewPayment
from services.billing.operations.payments import report_payment
from services.billing.queries.imports import FAULTS, faults_of
from shared.calendar import BusinessCalendar
from shared.db import Database
from tests.support.service import Served, operator

MAPPING = """
source: crm
as_of: 2026-02-28
customer: {external_id: id, name: nombre, tax_id: rtn, agent: gestor, is_isp: isp, special_negotiation: negociación}
contract: {number: contrato, start: inicio, end: fin}
contacts: [{name: contacto, email: correo, phone: teléfono}]
services:
  - code: {constant: internet}
    plan: plan
    amount: precio
    delivery: {column: entrega, default: own}
    login: usuario
    node: nodo
    active_from: alta
    active_to: baja
  - {code: {constant: telefonia}, plan: plan2, amount: precio2}
opening:
  status: estado
  last_billed: facturado
  balance: saldo
  invoices: [{number: factura, period: mes, issue_date: emitida, due_date: vence, amount: total, balance: debe}]
"""
COLUMNS = (
    "id", "nombre", "rtn", "gestor", "isp", "negociación", "contrato", "inicio", "fin", "contacto", "correo", "teléfono", "plan", "precio",
    "entrega", "usuario", "nodo", "alta", "baja", "plan2", "precio2", "estado", "facturado", "saldo", "factura", "mes", "emitida", "vence",
    "total", "debe",
)  # fmt: skip
BANK = """
kind: payments
source: banco
customer_source: crm
payment: {reference: referencia, amount: monto, date: fecha, customer: cliente, invoice: factura, currency: moneda}
"""
BANK_COLUMNS = ("fecha", "referencia", "cliente", "factura", "monto", "moneda")


def line(**cells: object) -> dict[str, object]:
    """A row of the book: an active residential customer of a full month unless told otherwise."""
    given: dict[str, object] = {"plan": "hogar_50", "inicio": "2025-01-01", "estado": "ACTIVO", "facturado": "2026-02"}
    given.update(cells)
    return {"nombre": f"Cliente {given['id']}", **given}


def vip(**cells: object) -> dict[str, object]:
    """A row of a VIP customer."""
    return line(**{"plan": "corporativo_100", "estado": "CLIENTE VIP", **cells})


@dataclass
class Book:
    """Files in a folder of the test."""

    folder: Path
    count: int = field(default=0)

    def write(self, text: str | bytes, name: str = "") -> Path:
        """A file as it is."""
        self.count += 1
        path = self.folder / (name or f"libro-{self.count}.csv")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def rows(self, rows: Sequence[dict[str, object]], columns: Sequence[str] = COLUMNS) -> Path:
        """A CSV of these rows."""
        lines = [",".join(columns)]
        lines += [",".join(f'"{row.get(name, "")}"' for name in columns) for row in rows]
        return self.write("\n".join(lines) + "\n")

    async def take(self, database: Database, path: Path, mapping: str = MAPPING, **options: Any) -> ImportBatch:
        """Import a file at once; answer the finished batch."""
        given = {"operator": operator(), "now": datetime.fromisoformat("2026-02-28T18:00:00+00:00"), "requested_by": "admin", **options}
        loaded = load_mapping(self.write(mapping, f"m-{self.count}.mapping.yaml"), given["operator"])
        return await run_file(database, path, mapping=loaded, **given)

    async def customers(self, billing: Served, *rows: dict[str, object], mapping: str = MAPPING) -> ImportBatch:
        """Import these rows into the service, at its business time; every row must be good."""
        batch = await self.take(billing.runtime.database, self.rows(rows), mapping, now=await billing.now())
        assert (batch.state, batch.failure, batch.rows_bad) == ("DONE", None, 0), await faults(billing, batch)
        return batch

    async def payments(self, billing: Served, *rows: dict[str, object], mapping: str = BANK) -> ImportBatch:
        """Import these rows of a bank."""
        return await self.take(billing.runtime.database, self.rows(rows, BANK_COLUMNS), mapping, now=await billing.now())


async def faults(billing: Served, batch: ImportBatch) -> list[tuple[int, str, str, str]]:
    """Line, column, value and reason of everything that was wrong with a file."""
    async with billing.runtime.database.transaction() as session:
        found = [each.item for each in await faults_of(session, batch.id, FAULTS.order(limit=1000))]
    return [(each.line, each.column_name, each.value, each.reason) for each in found]


async def customer_id(billing: Served, external_id: str) -> UUID:
    """A customer's id."""
    found: UUID = (await billing.sql("SELECT id FROM customer WHERE external_id = $1", external_id))[0].id
    return found


async def report(billing: Served, external_id: str, amount: str, reference: str, **options: Any) -> UUID:
    """Report a payment of a customer at the service's business time; answer its id."""
    now = await billing.now()
    today = BusinessCalendar(operator()).today(now)
    given = {"channel": "banco", "currency": "USD", "paid_on": today, "reported_by": "ana.martinez", **options}
    new = NewPayment(customer_id=await customer_id(billing, external_id), amount=Decimal(amount), reference=reference, **given)
    async with billing.runtime.database.transaction() as session:
        return (await report_payment(session, payment=new, today=today, now=now)).id


def local(day: str, hour: str = "08:00") -> datetime:
    """An hour in Honduras as an aware instant."""
    return datetime.fromisoformat(f"{day}T{hour}:00-06:00")
