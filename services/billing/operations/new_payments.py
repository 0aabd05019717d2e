"""A payment as it comes in: what it says, what speaks against it, and its row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from babel.numbers import get_currency_precision
from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.rules.ledger import Ledger, PaymentAccount
from services.billing.rules.states import InvoiceState
from shared.db import Fetched, execute, new_id, rows
from shared.errors import Conflict, FieldError, Invalid, NotFound, Problem, Refused
from shared.log import current_traceparent
from shared.money import round_money

ONCE = "PAGO-1"
NAMED = "SELECT id, customer_id, number, state FROM invoice WHERE id = ANY($1::uuid[])"
# Which of the payments $1 with channels $2 and references $3 are there already. One look per payment, however many there are.
TAKEN = """
SELECT t.id AS asked, p.id, p.customer_id, c.name FROM unnest($1::uuid[], $2::text[], $3::text[]) AS t(id, channel, reference)
CROSS JOIN LATERAL (
    SELECT id, customer_id FROM payment
    WHERE lower(channel) = lower(t.channel) AND lower(reference) = lower(t.reference) AND state IN ('REPORTED', 'CONFIRMED') LIMIT 1
) AS p JOIN customer c ON c.id = p.customer_id
"""
INSERT = """
INSERT INTO payment (id, customer_id, currency, paid_on, import_id, moved_from, channel, reference, amount, reported_at, reported_by, state,
    unallocated, version, settled_at, settled_by)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::date[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::numeric[],
    $10::timestamptz[], $11::text[], $12::text[], $13::numeric[], $14::int[], $15::timestamptz[], $16::text[])
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class NewPayment:
    """A payment as it comes in. `paid_on` is the day in the payer's or the bank's books; `invoice_id` is what the payer named,
    `moved_from` the payment of another customer as which it was booked before, `reported_at` when that was if it is not now."""

    customer_id: UUID
    channel: str
    reference: str
    amount: Decimal
    currency: str
    paid_on: date
    reported_by: str
    invoice_id: UUID | None = None
    import_id: UUID | None = None
    moved_from: UUID | None = None
    reported_at: datetime | None = None
    id: UUID = field(default_factory=new_id)
    traceparent: str | None = field(default_factory=current_traceparent)


async def refusals(
    session: AsyncSession, payments: Sequence[NewPayment], ledgers: Mapping[UUID, Ledger], today: date
) -> dict[UUID, Problem]:
    """Why each of these payments is not taken; of two with one reference the second is not."""
    columns = [[each.id for each in payments], [each.channel for each in payments], [each.reference for each in payments]]
    taken = {row.asked: row for row in await rows(session, TAKEN, *columns)}
    wanted = [each.invoice_id for each in payments if each.invoice_id is not None]
    invoices = {row.id: row for row in await rows(session, NAMED, wanted)} if wanted else {}
    found: dict[UUID, Problem] = {}
    seen: set[tuple[str, str]] = set()
    for each in payments:
        name = (each.channel.lower(), each.reference.lower())
        ledger = ledgers.get(each.customer_id)
        problem = (
            (NotFound(f"No existe el cliente {each.customer_id}.") if ledger is None else _wrong_values(each, ledger.currency, today))
            or _wrong_invoice(each, invoices)
            or _known_reference(each, taken.get(each.id))
            or (at_once() if name in seen else None)
        )
        if problem is not None:
            found[each.id] = problem
        seen.add(name)
    return found


def at_once() -> Conflict:
    """Two requests report the same money, and the other one holds its row."""
    return Conflict("La misma referencia se está registrando en este momento.", remedy="Consulte los pagos del cliente antes de repetir.")


def _wrong_values(payment: NewPayment, currency: str, today: date) -> Problem | None:
    errors = []
    if payment.currency != currency:
        errors.append(FieldError(field="amount.currency", message=f"El cliente paga en {currency}, no en {payment.currency}.", rule=ONCE))
    if payment.amount <= 0:
        errors.append(FieldError(field="amount.amount", message="El importe de un pago es mayor que cero.", rule=ONCE))
    elif payment.amount != round_money(payment.amount, get_currency_precision(payment.currency)):
        errors.append(
            FieldError(field="amount.amount", message=f"El importe tiene más decimales que la moneda {payment.currency}.", rule=ONCE)
        )
    if payment.paid_on > today:
        errors.append(FieldError(field="paid_on", message=f"La fecha del pago es posterior a hoy ({today}).", rule=ONCE))
    return Invalid("El pago no se registra.", errors=errors) if errors else None


def _wrong_invoice(payment: NewPayment, invoices: Mapping[UUID, Fetched]) -> Problem | None:
    if payment.invoice_id is None:
        return None
    invoice = invoices.get(payment.invoice_id)
    if invoice is None:
        return NotFound(f"No existe la factura {payment.invoice_id}.")
    if invoice.customer_id != payment.customer_id:
        return Refused(ONCE, f"La factura {invoice.number} es de otro cliente.", remedy="Indique una factura del cliente, o ninguna.")
    if invoice.state != InvoiceState.OPEN:
        state = "pagada" if invoice.state == InvoiceState.PAID else "anulada"
        remedy = "Registre el pago sin factura: irá a la más antigua que esté abierta."
        return Refused(ONCE, f"La factura {invoice.number} está {state}.", remedy=remedy)
    return None


def _known_reference(payment: NewPayment, known: Fetched | None) -> Problem | None:
    if known is None:
        return None
    whose = "" if known.customer_id == payment.customer_id else f", a nombre de {known.name}"
    return Refused(
        ONCE,
        f"La referencia {payment.reference} del canal {payment.channel} ya está registrada (pago {known.id}{whose}).",
        remedy="Consulte ese pago; si es otro depósito, regístrelo con su propia referencia.",
    )


async def insert_payments(session: AsyncSession, payments: Sequence[NewPayment], accounts: Mapping[UUID, PaymentAccount]) -> None:
    """Write new payments as their ledgers have them by now. Raises Conflict when somebody was faster."""
    table = []
    for each in payments:
        account = accounts[each.id]
        came = (each.id, each.customer_id, each.currency, each.paid_on, each.import_id, each.moved_from, each.channel, each.reference)
        by_now = (account.state.value, account.unallocated, account.version, account.settled_at, account.settled_by)
        table.append((*came, each.amount, account.reported_at, each.reported_by, *by_now))
    if table and await execute(session, INSERT, *map(list, zip(*table, strict=True))) != len(table):
        raise at_once()
