"""Rows of a bank's file become payments: what was reported before is confirmed, what is new is reported and confirmed at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations import payments
from services.billing.operations.ledgers import lock_ledgers, store_ledgers
from services.billing.operations.new_payments import NewPayment
from services.billing.rules.bank import PaymentRow
from services.billing.rules.cells import Fault
from services.billing.rules.states import InvoiceState, PaymentState
from shared.db import Fetched, rows
from shared.money import round_money
from shared.outbox import Outgoing

CUSTOMERS = "SELECT id, external_id FROM customer WHERE external_id = ANY($1::text[]) AND ($2::text IS NULL OR external_source = $2)"
INVOICES = "SELECT id, number, customer_id, state FROM invoice WHERE number = ANY($1::text[])"
KNOWN = (
    "SELECT id, customer_id, channel, reference, amount FROM payment WHERE lower(reference) = ANY($1::text[]) "
    "AND state IN ('REPORTED', 'CONFIRMED') ORDER BY id"
)


@dataclass(frozen=True)
class Bank:
    """The file that rows come from: `customer_source` is the source of its customer ids (none: any), `digits`
    the currency's decimal places, `today` the operator's date, `order` its `payment_order`."""

    batch_id: UUID
    customer_source: str | None
    currency: str
    digits: int
    today: date
    by: str
    order: Sequence[str]


@dataclass
class Applied:
    """What became of a block of rows."""

    new: int = 0
    confirmed: int = 0
    unchanged: int = 0
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class Known:
    """A payment that is there already."""

    id: UUID
    customer_id: UUID
    channel: str
    amount: Decimal


class Unusable(Exception):
    """A row that cannot be applied: the column to name, its value, the reason and the remedy (Spanish)."""


@dataclass(frozen=True)
class Facts:
    """What the database knows about a block's rows: customers by external id, invoices by number, payments by lower-case reference."""

    customers: dict[str, list[UUID]]
    invoices: dict[str, list[Fetched]]
    known: dict[str, list[Known]]


async def apply_bank_rows(session: AsyncSession, *, bank: Bank, good: Sequence[PaymentRow], now: datetime) -> Applied:
    """Apply some rows of a bank's file in one transaction. A row that was applied before changes nothing."""
    applied = Applied()
    facts = await _facts(session, good, bank.customer_source)
    usable = list(_usable(good, bank, facts, applied))
    owners = {owner for _, owner, _ in usable}
    known_ids = [each.id for found in facts.known.values() for each in found if each.customer_id in owners]
    ledgers = await lock_ledgers(session, owners, known_ids, order=bank.order)
    new: list[NewPayment] = []
    events: list[Outgoing] = []
    for row, owner, invoice in usable:
        try:
            payment_id = _same(row, owner, facts)
        except Unusable as error:
            applied.faults.append(Fault(row.line, *error.args))
            continue
        ledger = ledgers[owner]
        if payment_id is None:
            made = _new(row, owner, invoice, bank)
            new.append(made)
            events += payments.report(ledger, made, now=now)
            facts.known.setdefault(row.reference.lower(), []).append(Known(made.id, owner, made.channel, made.amount))
            payment_id = made.id
            applied.new += 1
        elif ledger.payments[payment_id].state is PaymentState.CONFIRMED:
            applied.unchanged += 1
            continue
        else:
            applied.confirmed += 1
        events += payments.confirm(ledger, ledger.payments[payment_id], by=bank.by, now=now)
    await store_ledgers(session, ledgers.values(), new=new, told=events, now=now)
    return applied


def _usable(good: Sequence[PaymentRow], bank: Bank, facts: Facts, applied: Applied) -> Iterator[tuple[PaymentRow, UUID, UUID | None]]:
    """The rows that can be somebody's payment, with whose it is and the invoice; why the others cannot is kept in `applied`."""
    for row in good:
        try:
            _check(row, bank)
            yield (row, *_owner(row, facts))
        except Unusable as error:
            applied.faults.append(Fault(row.line, *error.args))


def _new(row: PaymentRow, owner: UUID, invoice: UUID | None, bank: Bank) -> NewPayment:
    return NewPayment(
        customer_id=owner,
        channel=row.channel,
        reference=row.reference,
        amount=row.amount,
        currency=bank.currency,
        paid_on=row.paid_on,
        reported_by=bank.by,
        invoice_id=invoice,
        import_id=bank.batch_id,
    )


async def _facts(session: AsyncSession, good: Sequence[PaymentRow], source: str | None) -> Facts:
    facts = Facts({}, {}, {})
    for row in await rows(session, CUSTOMERS, sorted({each.customer for each in good if each.customer}), source):
        facts.customers.setdefault(row.external_id, []).append(row.id)
    for row in await rows(session, INVOICES, sorted({each.invoice for each in good if each.invoice})):
        facts.invoices.setdefault(row.number, []).append(row)
    for row in await rows(session, KNOWN, sorted({each.reference.lower() for each in good})):
        facts.known.setdefault(row.reference.lower(), []).append(Known(row.id, row.customer_id, row.channel, row.amount))
    return facts


def _check(row: PaymentRow, bank: Bank) -> None:
    if row.paid_on > bank.today:
        raise Unusable("(fecha)", str(row.paid_on), f"La fecha del pago es posterior a hoy ({bank.today}).", "Corrija la fecha.")
    if row.amount != round_money(row.amount, bank.digits):
        raise Unusable("(importe)", str(row.amount), f"Tiene más decimales que la moneda {bank.currency}.", "Redondee el importe.")


def _owner(row: PaymentRow, facts: Facts) -> tuple[UUID, UUID | None]:
    """Whose payment it is, and the invoice it names if that is still open."""
    named = _only(facts.customers.get(row.customer, []), "(cliente)", row.customer) if row.customer else None
    if not row.invoice:
        assert named is not None
        return named, None
    candidates = [each for each in facts.invoices.get(row.invoice, []) if named is None or each.customer_id == named]
    if not candidates and row.invoice in facts.invoices:
        raise Unusable("(factura)", row.invoice, "La factura es de otro cliente.", "Corrija el cliente o la factura.")
    invoice = _only(candidates, "(factura)", row.invoice)
    return invoice.customer_id, invoice.id if invoice.state == InvoiceState.OPEN else None


def _only(found: Sequence[Any], column: str, value: str) -> Any:
    if not found:
        raise Unusable(column, value, "No existe en facturación.", "Corrija el valor, o importe antes el libro de clientes.")
    if len(found) > 1:
        raise Unusable(column, value, "Hay más de uno con este valor.", "Ponga `customer_source` en el mapeo, o indique la factura.")
    return found[0]


def _same(row: PaymentRow, owner: UUID, facts: Facts) -> UUID | None:
    """The payment that this row tells of, if it is there already: same reference, customer and amount, whatever the channel."""
    found = facts.known.get(row.reference.lower(), [])
    same = next((each for each in found if each.customer_id == owner and each.amount == row.amount), None)
    if same is None and any(each.channel.lower() == row.channel.lower() for each in found):
        raise Unusable(
            "(referencia)",
            row.reference,
            f"La referencia ya está registrada con otro cliente o importe (pago {found[0].id}).",
            "Consulte ese pago; si es otro depósito, dele su propia referencia.",
        )
    return same.id if same else None
