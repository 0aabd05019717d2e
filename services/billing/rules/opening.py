"""How a customer of the book stood when it came to us: its status, what it owed, what was its own, the last month billed."""

from datetime import date
from decimal import Decimal
from typing import Any

from services.billing.rules.cells import Block, Compiler, Formats, Row, limited
from services.billing.rules.mapping import CustomerMapping
from services.billing.rules.periods import Period
from services.billing.rules.states import Severity
from services.billing.rules.terms import BookTerms
from services.billing.rules.values import BadValue, to_json
from shared.money import round_money


class OpeningReader:
    """Reads the opening state of one record after the other."""

    def __init__(self, mapping: CustomerMapping, compiler: Compiler, terms: BookTerms) -> None:
        self._terms, self._as_of, self._formats = terms, mapping.as_of, Formats(mapping, terms.currency)
        self._opening = compiler.block(mapping.opening)
        self._invoices = [compiler.block(each) for each in mapping.opening.invoices]

    def read(self, row: Row, external_id: str | None) -> dict[str, Any]:
        """The fields of CustomerRow that tell of the opening. Amounts owed are invoices; a negative balance is the customer's credit."""
        block = self._opening
        status = row.take(block["status"], limited(60))
        policy = self._policy(row, status)
        last = row.take(block["last_billed"], self._formats.month)
        owed = [each for one in self._invoices if (each := self._invoice(row, one, external_id, policy, last)) is not None]
        self._refuse_repeated(row, owed)
        balance = row.take(block["balance"], self._exact) or Decimal(0)
        if balance > 0 and not owed:
            owed = self._balance_alone(row, external_id, policy, last, balance)
        return {
            "opening_status": status,
            "policy": policy,
            "last_billed": str(last) if last else None,
            "openings": to_json(owed),
            "opening_credit": -min(balance, Decimal(0)),
        }

    def _policy(self, row: Row, status: str | None) -> str:
        """The policy that knows the status; the default one, with a notice, where none does."""
        found = self._terms.policy_with(status)
        if status and found is None:
            row.fault(
                self._opening["status"], status, "Ninguna política conoce este estado; el cliente queda con la política por omisión.",
                "Agregue una conversión al estado que corresponda.", Severity.NOTICE,
            )  # fmt: skip
        return found or self._terms.default_policy

    def _invoice(self, row: Row, block: Block, external_id: str | None, policy: str, last: Period | None) -> dict[str, Any] | None:
        amount, balance = row.take(block["amount"], self._owed_amount), row.take(block["balance"], self._owed_amount)
        balance = amount if balance is None else balance
        if not balance:
            return None
        if amount is not None and balance > amount:
            reason = f"El saldo es mayor que el importe de la factura ({amount})."
            row.fault(block["balance"], balance, reason, "Corrija el saldo o el importe.")
        issued, due = row.take(block["issue_date"], self._formats.day), row.take(block["due_date"], self._formats.day)
        if issued and due and due < issued:
            row.fault(block["due_date"], due, f"La factura vence antes de emitirse ({issued}).", "Corrija las fechas de la factura.")
        known = issued or due
        period = row.take(block["period"], self._formats.month) or (Period.of(known) if known else last)
        if period is None:
            remedy = "Mapee `period`, `issue_date`, `due_date` o `last_billed`."
            row.fault(block["period"], "", "No se sabe de qué mes es la factura.", remedy)
            return None
        number = row.take(block["number"], limited(60)) or f"SALDO-{external_id}-{period}"
        return self._owed(number, period, issued, due, amount or balance, balance, policy)

    def _balance_alone(self, row: Row, external_id: str | None, policy: str, last: Period | None, balance: Decimal) -> list[dict[str, Any]]:
        period = last or (Period.of(self._as_of) if self._as_of else None)
        if period is None:
            remedy = "Mapee `last_billed`, o ponga `as_of` en el mapeo."
            row.fault(self._opening["balance"], balance, "No se sabe de qué mes es el saldo.", remedy)
            return []
        return [self._owed(f"SALDO-{external_id}", period, None, None, balance, balance, policy)]

    def _exact(self, text: str) -> Decimal:
        """An amount that can be paid: no parts of a cent."""
        value = self._formats.money(text)
        if value != round_money(value, self._terms.digits):
            raise BadValue(f"Tiene más decimales que la moneda {self._terms.currency}.", "Redondee el importe en el archivo.")
        return value

    def _owed_amount(self, text: str) -> Decimal:
        self._formats.not_negative(text)
        return self._exact(text)

    def _owed(
        self, number: str, period: Period, issued: date | None, due: date | None, amount: Decimal, balance: Decimal, policy: str
    ) -> dict[str, Any]:
        issued = issued or min(period.first_day, due or period.first_day)
        due = due or self._terms.policies[policy].due(issued)
        dates = {"period": str(period), "issued": issued.isoformat(), "due": due.isoformat()}
        return {"number": number, **dates, "amount": str(amount), "balance": str(balance)}

    def _refuse_repeated(self, row: Row, owed: list[dict[str, Any]]) -> None:
        seen = [(each["number"], each["period"]) for each in owed]
        for number, period in sorted({each for each in seen if seen.count(each) > 1}):
            reason = f"La factura {number} de {period} está dos veces en la fila."
            row.fault("(saldo inicial)", number, reason, "Deje una, o dele a cada una su número.")
