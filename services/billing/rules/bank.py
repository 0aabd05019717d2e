"""One row of a bank's file of payments as we keep it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.billing.rules.cells import Compiler, Fault, Formats, Row, limited
from services.billing.rules.csv_text import Record, Sheet
from services.billing.rules.mapping import PaymentMapping
from services.billing.rules.values import BadValue


@dataclass(frozen=True)
class PaymentRow:
    """A good row: whose payment it is (external id, invoice number, or both), the bank's reference, and the day of the payment."""

    line: int
    customer: str | None
    invoice: str | None
    channel: str
    reference: str
    amount: Decimal
    paid_on: date


class BankReader:
    """Reads the records of one bank's file with one mapping."""

    def __init__(self, mapping: PaymentMapping, sheet: Sheet, currency: str) -> None:
        self._block = Compiler(mapping, sheet).block(mapping.payment)
        self._currency = currency
        self._formats = Formats(mapping, currency)

    def read(self, record: Record) -> tuple[PaymentRow | None, list[Fault]]:
        """The row, or None and what is wrong with it."""
        row = Row(record)
        if row.unreadable():
            return None, row.faults
        block = self._block
        row.take(block["currency"], self._same_currency)
        customer, invoice = row.take(block["customer"], limited(100)), row.take(block["invoice"], limited(60))
        if not customer and not invoice and not row.broken:
            row.fault("customer, invoice", "", "No se sabe de quién es el pago.", "Complete el cliente o el número de factura.")
        reference = row.take(block["reference"], limited(100), required=True)
        amount = row.take(block["amount"], self._positive, required=True)
        paid_on = row.take(block["date"], self._formats.day, required=True)
        channel = row.take(block["channel"], limited(60)) or "banco"
        if row.broken or reference is None or amount is None or paid_on is None:
            return None, row.faults
        return PaymentRow(record.line, customer, invoice, channel, reference, amount, paid_on), row.faults

    def _same_currency(self, text: str) -> str:
        if text.upper() != self._currency:
            raise BadValue(f"La moneda no es {self._currency}, la del operador.", "Registre el pago en la moneda del operador.")
        return text

    def _positive(self, text: str) -> Decimal:
        value = self._formats.money(text)
        if value <= 0:
            raise BadValue("El importe no es positivo.", "Un pago lleva un importe mayor que cero; una devolución no se importa.")
        return value
