"""Payments: reported, confirmed, rejected. Each changes its customer's ledger under lock and tells what became of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from babel.numbers import get_currency_precision
from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.ledgers import lock_ledgers, store_ledgers
from services.billing.rules.allocation import Share
from services.billing.rules.ledger import Ledger, PaymentAccount
from services.billing.rules.states import InvoiceState, PaymentState
from shared.db import Fetched, execute, new_id, rows
from shared.errors import Conflict, FieldError, Invalid, NotFound, Problem, Refused
from shared.events.billing import Allocation, InvoicePaid, PaymentAllocated, PaymentConfirmed, PaymentRejected, PaymentReported
from shared.log import current_traceparent, traced
from shared.money import round_money
from shared.outbox import Outgoing, publish_many

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


@dataclass(frozen=True)
class NewPayment:
    """A payment as it comes in. `paid_on` is the day in the payer's or the bank's books; `invoice_id` is what the payer named."""

    customer_id: UUID
    channel: str
    reference: str
    amount: Decimal
    currency: str
    paid_on: date
    reported_by: str
    invoice_id: UUID | None = None
    import_id: UUID | None = None
    id: UUID = field(default_factory=new_id)
    traceparent: str | None = field(default_factory=current_traceparent)


async def report_payment(session: AsyncSession, *, payment: NewPayment, today: date, now: datetime) -> PaymentAccount:
    """Believe a payment that somebody reports (VIP-12, VIP-20): named invoice first, then the oldest. Answers where it went.

    Raises NotFound for an unknown customer, Invalid for a wrong amount, currency or day, Refused for a reference that is already there and
    for an invoice of another customer.
    """
    found = (await report_payments(session, payments=[payment], today=today, now=now, wait=True))[payment.id]
    if isinstance(found, Problem):
        raise found
    return found


async def report_payments(
    session: AsyncSession, *, payments: Sequence[NewPayment], today: date, now: datetime, wait: bool
) -> dict[UUID, PaymentAccount | Problem]:
    """The same for many, in their order. Answers for each where it went, or why it is not taken: of that one nothing is kept.

    Without `wait` a customer that somebody else holds is as good as unknown.
    """
    ledgers = await lock_ledgers(session, {each.customer_id for each in payments}, wait=wait)
    refused = await _refusals(session, payments, ledgers, today)
    good = [each for each in payments if each.id not in refused]
    events = []
    for each in good:
        with traced(each.traceparent):
            events += report(ledgers[each.customer_id], each, now=now)
    if good:
        await insert_payments(session, good, now=now)
        await store_ledgers(session, ledgers.values(), now=now)
        await publish_many(session, events, now=now)
    return {**refused, **{each.id: ledgers[each.customer_id].payments[each.id] for each in good}}


async def confirm_payment(session: AsyncSession, *, payment_id: UUID, by: str, now: datetime) -> None:
    """The money of a reported payment is there. Raises NotFound, and Conflict when it was settled before."""
    ledger, payment = await _locked(session, payment_id)
    events = confirm(ledger, payment, by=by, now=now)
    await store_ledgers(session, [ledger], now=now)
    await publish_many(session, events, now=now)


async def reject_payment(session: AsyncSession, *, payment_id: UUID, reason: str, by: str, now: datetime) -> None:
    """The money of a reported payment never came: what it covered is owed again. Raises NotFound; Conflict when already settled."""
    ledger, payment = await _locked(session, payment_id)
    refills = ledger.reject(payment, by=by, at=now, reason=reason)
    rejected = PaymentRejected(
        payment_id=payment.id,
        customer_id=ledger.customer_id,
        amount=payment.amount,
        currency=ledger.currency,
        reference=payment.reference,
        rejected_at=now,
        reason=reason,
        allocations=_parts(payment.parts),
        open_after=ledger.open,
    )
    events = [Outgoing(rejected, f"payment/{payment.id}", payment.version), *told_refills(ledger, refills, now=now)]
    await store_ledgers(session, [ledger], now=now)
    await publish_many(session, events, now=now)


async def use_left_over(session: AsyncSession, customer_ids: Collection[UUID], *, now: datetime) -> None:
    """Money that these customers' earlier payments had left over goes to what is open now."""
    if not customer_ids:
        return
    ledgers = await lock_ledgers(session, customer_ids)
    events = [event for ledger in ledgers.values() for event in told_refills(ledger, ledger.refill(), now=now)]
    await store_ledgers(session, ledgers.values(), now=now)
    await publish_many(session, events, now=now)


def report(ledger: Ledger, new: NewPayment, *, now: datetime) -> list[Outgoing]:
    """Put a new payment into its ledger; answer what to tell."""
    payment = PaymentAccount(new.id, new.channel, new.reference, new.amount, now, new.reported_by)
    ledger.report(payment, invoice=new.invoice_id)
    event = PaymentReported(
        payment_id=payment.id,
        customer_id=ledger.customer_id,
        amount=payment.amount,
        currency=ledger.currency,
        reference=payment.reference,
        channel=payment.channel,
        reported_at=now,
        reported_by=payment.reported_by,
        allocations=_parts(payment.parts),
        open_after=ledger.open,
    )
    return [Outgoing(event, f"payment/{payment.id}", payment.version)]


def confirm(ledger: Ledger, payment: PaymentAccount, *, by: str, now: datetime) -> list[Outgoing]:
    """Confirm a payment of a ledger; answer what to tell."""
    ledger.confirm(payment, by=by, at=now)
    event = PaymentConfirmed(
        payment_id=payment.id,
        customer_id=ledger.customer_id,
        amount=payment.amount,
        currency=ledger.currency,
        reference=payment.reference,
        confirmed_at=now,
        allocations=_parts(payment.parts),
        open_after=ledger.open,
    )
    return [Outgoing(event, f"payment/{payment.id}", payment.version), *told_paid(ledger, now=now)]


def told_refills(ledger: Ledger, refills: Sequence[tuple[PaymentAccount, list[Share]]], *, now: datetime) -> list[Outgoing]:
    """What to tell of money that was left over and went to invoices now."""
    events = []
    for payment, shares in refills:
        event = PaymentAllocated(
            payment_id=payment.id,
            customer_id=ledger.customer_id,
            currency=ledger.currency,
            confirmed=payment.state is PaymentState.CONFIRMED,
            allocations=_parts(shares),
            open_after=ledger.open,
            allocated_at=now,
        )
        events.append(Outgoing(event, f"payment/{payment.id}", payment.version))
    return events + told_paid(ledger, now=now)


def told_paid(ledger: Ledger, *, now: datetime) -> list[Outgoing]:
    """What to tell of invoices that confirmed money covers since this was last asked."""
    paid, ledger.paid = ledger.paid, []
    return [
        Outgoing(
            InvoicePaid(invoice_id=each.id, customer_id=ledger.customer_id, number=each.number, period=each.period, paid_at=now),
            f"invoice/{each.id}",
            each.version,
        )
        for each in paid
        if each.state is InvoiceState.PAID
    ]


async def insert_payments(session: AsyncSession, payments: Sequence[NewPayment], *, now: datetime) -> None:
    """Write new payments as they came in; `store_ledgers` then writes where they went. Raises Conflict when somebody was faster."""
    count = await execute(
        session,
        "INSERT INTO payment (id, customer_id, channel, reference, amount, unallocated, currency, state, paid_on, reported_at, "
        "reported_by, import_id, version) SELECT t.id, t.customer_id, t.channel, t.reference, t.amount, t.amount, t.currency, "
        "'REPORTED', t.paid_on, $10, t.reported_by, t.import_id, 0 "
        "FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::numeric[], $6::text[], $7::date[], $8::text[], $9::uuid[]) "
        "AS t(id, customer_id, channel, reference, amount, currency, paid_on, reported_by, import_id) "
        "ON CONFLICT DO NOTHING",
        [each.id for each in payments],
        [each.customer_id for each in payments],
        [each.channel for each in payments],
        [each.reference for each in payments],
        [each.amount for each in payments],
        [each.currency for each in payments],
        [each.paid_on for each in payments],
        [each.reported_by for each in payments],
        [each.import_id for each in payments],
        now,
    )
    if count != len(payments):
        raise _at_once()


def _parts(shares: Sequence[Share]) -> list[Allocation]:
    return [Allocation(invoice_id=each.invoice_id, amount=each.amount) for each in shares]


async def _locked(session: AsyncSession, payment_id: UUID) -> tuple[Ledger, PaymentAccount]:
    found = await rows(session, "SELECT customer_id FROM payment WHERE id = $1", payment_id)
    if not found:
        raise NotFound(f"No existe el pago {payment_id}.")
    ledger = (await lock_ledgers(session, [found[0].customer_id], [payment_id]))[found[0].customer_id]
    payment = ledger.payments[payment_id]
    if payment.state is not PaymentState.REPORTED:
        what = "confirmado" if payment.state is PaymentState.CONFIRMED else "rechazado"
        raise Conflict(f"El pago {payment.reference} ya está {what}.", remedy="Consulte el pago: dice quién lo decidió y cuándo.")
    return ledger, payment


async def _refusals(
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
            or (_at_once() if name in seen else None)
        )
        if problem is not None:
            found[each.id] = problem
        seen.add(name)
    return found


def _at_once() -> Conflict:
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
