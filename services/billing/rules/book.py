"""One row of a CRM's book of customers as we keep it."""

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from typing import Any

from services.billing.rules import values
from services.billing.rules.cells import Compiler, Fault, Getter, Row, limited
from services.billing.rules.csv_text import Record, Sheet, normal
from services.billing.rules.mapping import CustomerMapping
from services.billing.rules.periods import Period, months_before, term_end
from services.billing.rules.states import Severity
from services.billing.rules.terms import BookTerms
from services.billing.rules.values import BadValue

DELIVERIES = {
    "own": "own",
    "third_party": "third_party",
    "propio": "own",
    "propia": "own",
    "terceros": "third_party",
    "tercero": "third_party",
}
# The opening state is taken once: a later file that differs only in it changes nothing.
OPENING = frozenset({"opening_status", "policy", "openings", "opening_credit"})
Block = dict[str, Getter | None]


@dataclass(frozen=True)
class CustomerRow:
    """A good row. None stands for what the row or the mapping leaves open. Lists are JSON texts, ready for the database."""

    line: int
    external_id: str
    name: str
    search_name: str
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
        self._opening = compiler.block(mapping.opening)
        self._invoices = [compiler.block(each) for each in mapping.opening.invoices]
        self._money = partial(values.amount, decimal=mapping.decimal)
        self._day = partial(values.day, formats=mapping.dates)
        self._month = partial(values.month, formats=mapping.months, dates=mapping.dates)
        self._flag = partial(values.flag, yes=mapping.yes, no=mapping.no)

    def read(self, record: Record) -> tuple[CustomerRow | None, list[Fault]]:
        """The row and its notices, or None and what is wrong with it."""
        row = Row(record)
        if record.problem:
            row.fault(
                "(fila)",
                " | ".join(record.cells),
                record.problem,
                "Corrija la fila (comillas, separadores) y vuelva a importar el archivo.",
            )
            return None, row.faults
        customer = self._read_customer(row)
        contract = self._read_contract(row)
        contacts, services = self._read_contacts(row), self._read_services(row, contract["contract_start"])
        opening = self._read_opening(row, customer)
        if row.broken:
            return None, row.faults
        values_read: dict[str, Any] = {**customer, **contract, "contacts": _json(contacts), "services": _json(services), **opening}
        lasting = sorted(item for item in values_read.items() if item[0] not in OPENING)
        digest = blake2b(repr(lasting).encode(), digest_size=16).hexdigest()
        return CustomerRow(line=record.line, **values_read, hash=digest), row.faults

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
            "search_name": values.search_key(name or ""),
            "is_isp": row.take(block["is_isp"], self._flag),
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
        start, end = row.take(block["start"], self._day), row.take(block["end"], self._day)
        elapsed, term = row.take(block["months_elapsed"], values.whole), row.take(block["term_months"], values.whole)
        as_of = self._mapping.as_of
        if start is None and elapsed is not None and as_of is not None:
            start = months_before(as_of, min(elapsed, 1200))
        if end is None and start is not None and term:
            end = term_end(start, min(term, 1200), as_of or start)
        if start and end and end < start:
            row.fault(
                _label(block["end"]), str(end), f"El contrato termina antes de empezar ({start}).", "Corrija las fechas del contrato."
            )
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
                    _label(block["code"]),
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
        amount = row.take(block["amount"], self._positive)
        start, end = row.take(block["active_from"], self._day) or contract_start, row.take(block["active_to"], self._day)
        if start and end and end < start:
            row.fault(
                _label(block["active_to"]), str(end), f"El servicio termina antes de empezar ({start}).", "Corrija las fechas del servicio."
            )
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

    def _positive(self, text: str) -> Decimal:
        value: Decimal = self._money(text)
        if value < 0:
            raise BadValue("El importe es negativo.", "Escriba un importe de cero o más.")
        return value

    def _read_opening(self, row: Row, customer: dict[str, Any]) -> dict[str, Any]:
        block = self._opening
        status = row.take(block["status"], limited(60))
        policy = self._terms.policy_of(status)
        if status and policy is None:
            row.fault(
                _label(block["status"]), status, "Ninguna política conoce este estado; el cliente queda con la política por omisión.",
                "Agregue una conversión al estado que corresponda.", Severity.NOTICE,
            )  # fmt: skip
        last = row.take(block["last_billed"], self._month)
        owed = [each for one in self._invoices if (each := self._read_invoice(row, one, customer, policy, last)) is not None]
        balance = row.take(block["balance"], self._money) or Decimal(0)
        if balance > 0 and not owed:
            owed = self._balance_alone(row, customer, policy, last, balance)
        return {
            "opening_status": status,
            "policy": policy or self._terms.default_policy,
            "last_billed": str(last) if last else None,
            "openings": _json(owed),
            "opening_credit": -min(balance, Decimal(0)),
        }

    def _read_invoice(
        self, row: Row, block: Block, customer: dict[str, Any], policy: str | None, last: Period | None
    ) -> dict[str, Any] | None:
        amount, balance = row.take(block["amount"], self._positive), row.take(block["balance"], self._positive)
        balance = amount if balance is None else balance
        if not balance:
            return None
        if amount is not None and balance > amount:
            row.fault(
                _label(block["balance"]),
                str(balance),
                f"El saldo es mayor que el importe de la factura ({amount}).",
                "Corrija el saldo o el importe.",
            )
        issued, due = row.take(block["issue_date"], self._day), row.take(block["due_date"], self._day)
        known = issued or due
        period = row.take(block["period"], self._month) or (Period.of(known) if known else last)
        if period is None:
            row.fault(
                _label(block["period"]),
                "",
                "No se sabe de qué mes es la factura.",
                "Mapee `period`, `issue_date`, `due_date` o `last_billed`.",
            )
            return None
        number = row.take(block["number"], limited(60)) or f"SALDO-{customer['external_id']}-{period}"
        return self._owed(number, period, issued, due, amount or balance, balance, policy)

    def _balance_alone(
        self, row: Row, customer: dict[str, Any], policy: str | None, last: Period | None, balance: Decimal
    ) -> list[dict[str, Any]]:
        period = last or (Period.of(self._mapping.as_of) if self._mapping.as_of else None)
        if period is None:
            row.fault(
                _label(self._opening["balance"]),
                str(balance),
                "No se sabe de qué mes es el saldo.",
                "Mapee `last_billed`, o ponga `as_of` en el mapeo.",
            )
            return []
        return [self._owed(f"SALDO-{customer['external_id']}", period, None, None, balance, balance, policy)]

    def _owed(
        self, number: str, period: Period, issued: date | None, due: date | None, amount: Decimal, balance: Decimal, policy: str | None
    ) -> dict[str, Any]:
        terms = self._terms.policies[policy or self._terms.default_policy]
        issued = issued or min(period.first_day, due or period.first_day)
        due = due or terms.due(issued)
        dates = {"period": str(period), "issued": issued.isoformat(), "due": due.isoformat()}
        return {"number": number, **dates, "amount": str(amount), "balance": str(balance)}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _label(getter: Getter | None) -> str:
    return getter.label if getter else "(sin columna)"


def _delivery(text: str) -> str:
    found = DELIVERIES.get(normal(text))
    if found is None:
        raise BadValue("No se sabe si el servicio es propio o de terceros.", "Convierta el valor a `own` o `third_party` en el mapeo.")
    return found
