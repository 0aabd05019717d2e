"""One row of a CRM's book of customers as we keep it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from services.billing.rules import values
from services.billing.rules.cells import Block, Compiler, Fault, Formats, Row, limited
from services.billing.rules.csv_text import Record, Sheet, normal
from services.billing.rules.mapping import CustomerMapping
from services.billing.rules.opening import OpeningReader
from services.billing.rules.periods import months_before, term_end
from services.billing.rules.terms import BookTerms
from services.billing.rules.values import BadValue
from shared.spelling import plain

DELIVERIES = {
    "own": "own",
    "third_party": "third_party",
    "propio": "own",
    "propia": "own",
    "terceros": "third_party",
    "tercero": "third_party",
}


@dataclass(slots=True)
class CustomerRow:
    """A good row. None stands for what the row or the mapping leaves open. Lists are JSON texts, ready for the database."""

    line: int
    external_id: str
    name: str
    search_name: str
    tax_id: str | None
    is_isp: bool | None
    special_negotiation: str | None
    agent: str | None
    contract_number: str | None
    contract_kind: str | None
    contract_start: date | None
    contract_end: date | None
    contacts: str
    services: str
    opening_status: str | None
    policy: str
    last_billed: str | None
    openings: str
    opening_credit: Decimal
    hash: str


class BookReader:
    """Reads the records of one book with one mapping."""

    def __init__(self, mapping: CustomerMapping, sheet: Sheet, terms: BookTerms) -> None:
        self._mapping, self._terms = mapping, terms
        compiler = Compiler(mapping, sheet)
        self._customer = compiler.block(mapping.customer)
        self._contract = compiler.block(mapping.contract)
        self._contacts = [compiler.block(each) for each in mapping.contacts]
        self._services = [(compiler.condition(each.when), compiler.block(each)) for each in mapping.services]
        self._opening = OpeningReader(mapping, compiler, terms)
        self._formats = Formats(mapping, terms.currency)

    def read(self, record: Record) -> tuple[CustomerRow | None, list[Fault]]:
        """The row and its notices, or None and what is wrong with it."""
        row = Row(record)
        if row.unreadable():
            return None, row.faults
        customer = self._read_customer(row)
        contract = self._read_contract(row)
        contacts, services = self._read_contacts(row), self._read_services(row, contract["contract_start"])
        opening = self._opening.read(row, customer["external_id"])
        if row.broken:
            return None, row.faults
        lists: dict[str, Any] = {"contacts": values.to_json(contacts), "services": values.to_json(services)}
        # The opening state is taken once: a later file that differs only in it changes nothing.
        digest = blake2b(repr((customer, contract, lists, opening["last_billed"])).encode(), digest_size=16).hexdigest()
        return CustomerRow(line=record.line, **customer, **contract, **lists, **opening, hash=digest), row.faults

    def key(self, record: Record) -> str | None:
        """The customer's external id in a broken record, where that much of it can be read."""
        return None if record.problem else Row(record).take(self._customer["external_id"], limited(100))

    def _read_customer(self, row: Row) -> dict[str, Any]:
        block = self._customer
        row.take(block["currency"], self._currency)
        name = row.take(block["name"], limited(200), required=True)
        return {
            "external_id": row.take(block["external_id"], limited(100), required=True),
            "name": name,
            "search_name": plain(name or ""),
            "tax_id": row.take(block["tax_id"], limited(40)),
            "is_isp": row.take(block["is_isp"], self._formats.flag),
            "special_negotiation": row.take(block["special_negotiation"], limited(500)),
            "agent": row.take(block["agent"], self._agent, soft=True),
        }

    def _currency(self, text: str) -> str:
        if text.upper() != self._terms.currency:
            raise BadValue(f"La moneda no es {self._terms.currency}, la del operador.", "Convierta los importes a la moneda del operador.")
        return text.upper()

    def _agent(self, text: str) -> str:
        if text not in self._terms.agents:
            raise BadValue(
                "Ningún gestor del operador se llama así; el cliente queda sin gestor.",
                "Agregue la persona en operator.yaml, o una conversión.",
            )
        return text

    def _read_contract(self, row: Row) -> dict[str, Any]:
        block = self._contract
        start, end = row.take(block["start"], self._formats.day), row.take(block["end"], self._formats.day)
        elapsed, term = row.take(block["months_elapsed"], values.whole), row.take(block["term_months"], values.whole)
        as_of = self._mapping.as_of
        if start is None and elapsed is not None and as_of is not None:
            start = months_before(as_of, min(elapsed, 1200))
        if end is None and start is not None and term:
            end = term_end(start, min(term, 1200), as_of or start)
        if start and end and end < start:
            row.fault(block["end"], end, f"El contrato termina antes de empezar ({start}).", "Corrija las fechas del contrato.")
        return {
            "contract_number": row.take(block["number"], limited(60)),
            "contract_kind": row.take(block["kind"], limited(60)),
            "contract_start": start,
            "contract_end": end,
        }

    def _read_contacts(self, row: Row) -> list[dict[str, str | None]]:
        found = []
        for block in self._contacts:
            name = row.take(block["name"], limited(200), soft=True)
            email, phone = row.take(block["email"], values.email, soft=True), row.take(block["phone"], limited(60), soft=True)
            if name or email or phone:
                role = row.take(block["role"], limited(60), soft=True) or "principal"
                found.append(
                    {
                        "name": name or row.take(self._customer["name"], limited(200), soft=True) or "",
                        "role": role,
                        "email": email,
                        "phone": phone,
                    }
                )
        return found

    def _read_services(self, row: Row, contract_start: date | None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for number, (applies, block) in enumerate(self._services, start=1):
            if not applies(row.record.cells):
                continue
            service = self._read_service(row, block, str(number), contract_start)
            if service is None:
                continue
            if any(each["code"] == service["code"] for each in found):
                row.fault(
                    block["code"],
                    service["code"],
                    "El código del servicio se repite en la fila.",
                    "Dé a cada servicio su propio código.",
                )
            found.append(service)
        return found

    def _read_service(self, row: Row, block: Block, code: str, contract_start: date | None) -> dict[str, Any] | None:
        plan = row.take(block["plan"], self._plan)
        if plan is None:
            return None
        terms = self._terms.plans[plan]
        amount = row.take(block["amount"], self._formats.not_negative)
        start, end = row.take(block["active_from"], self._formats.day) or contract_start, row.take(block["active_to"], self._formats.day)
        if start and end and end < start:
            row.fault(block["active_to"], end, f"El servicio termina antes de empezar ({start}).", "Corrija las fechas del servicio.")
        return {
            "code": row.take(block["code"], limited(60)) or code,
            "plan": plan,
            "kind": terms.kind,
            "amount": str(terms.monthly_amount if amount is None else amount),
            "delivery": row.take(block["delivery"], _delivery) or "own",
            "login": row.take(block["login"], limited(100)),
            "node": row.take(block["node"], limited(100)),
            "from": start.isoformat() if start else None,
            "to": end.isoformat() if end else None,
        }

    def _plan(self, text: str) -> str:
        if text not in self._terms.plans:
            raise BadValue("El catálogo no tiene este plan.", "Agregue una conversión en el mapeo, o el plan en catalog/plans.yaml.")
        return text


def _delivery(text: str) -> str:
    found = DELIVERIES.get(normal(text))
    if found is None:
        raise BadValue("No se sabe si el servicio es propio o de terceros.", "Convierta el valor a `own` o `third_party` en el mapeo.")
    return found
