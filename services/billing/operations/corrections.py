"""Payments that counted and count no longer: the bank took one back, or it was booked to the wrong customer."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import Customer
from services.billing.operations import payments
from services.billing.operations.charges import new_invoice, told_issued
from services.billing.operations.ledgers import lock_touched, store_ledgers
from services.billing.operations.new_payments import NewPayment
from services.billing.operations.payments import SETTLED, SETTLED_BY, parts_told, told_refills
from services.billing.rules.ledger import InvoiceAccount, Ledger, PaymentAccount, Refills
from services.billing.rules.periods import Period
from services.billing.rules.states import PaymentState
from shared.calendar import BusinessCalendar
from shared.db import execute, rows
from shared.errors import Conflict, NotFound, Refused
from shared.events.billing import PaymentReversed
from shared.operator import Operator
from shared.outbox import Outgoing, publish_many

RULE = "PAGO-2"
OPENING = "saldo inicial"  # the channel of credit that a customer brought along
FOUND = "SELECT customer_id, currency, channel, paid_on FROM payment WHERE id = $1"
OWE_REFUND = """
INSERT INTO posting (customer_id, invoice_id, payment_id, debit, credit, amount, currency, posted_at)
VALUES ($1, $2, $3, 'RECEIVABLE', 'CASH', $4, $5, $6)
"""


async def reverse_payment(session: AsyncSession, *, payment_id: UUID, reason: str, by: str, operator: Operator, now: datetime) -> None:
    """The bank took a confirmed payment back: what it paid is owed again, also on invoices that were paid, and what was refunded of it too.

    Raises NotFound, Conflict for one that was never confirmed or counts no longer, Refused for an opening balance.
    """
    customer_id = await _owner(session, payment_id)
    ledger = (await lock_touched(session, [customer_id], payment_id=payment_id, order=operator.payment_order))[customer_id]
    payment = ledger.payments[payment_id]
    if payment.state is PaymentState.REPORTED:
        remedy = "Rechácelo: POST /billing/payments/{payment_id}/reject."
        raise Conflict(f"El pago {payment.reference} solo está reportado.", remedy=remedy)
    _check_counts(payment)
    if payment.refunded:
        await _owe_refund(session, ledger, payment, operator, now)
    refills = ledger.reverse(payment, by=by, at=now, reason=reason)
    events = _told(ledger, payment, refills, reason=reason, now=now)
    await store_ledgers(session, [ledger], told=events, now=now)


async def move_payment(
    session: AsyncSession, *, payment_id: UUID, to: UUID, reason: str, by: str, operator: Operator, now: datetime
) -> UUID:
    """A payment was booked to the wrong customer: there it counts no longer, and the right one gets it as a payment of its own, reported
    when it was and confirmed if it was. Answers that payment's id.

    Raises NotFound, Conflict for one that counts no longer, Refused for the same customer, another currency, and money already refunded.
    """
    owner = await _owner(session, payment_id)
    if owner == to:
        raise Refused(RULE, "El pago ya es de este cliente.", remedy="Indique el cliente a quien corresponde.")
    ledgers = await lock_touched(session, [owner, to], payment_id=payment_id, order=operator.payment_order)
    if to not in ledgers:
        raise NotFound(f"No existe el cliente {to}.")
    wrong, right = ledgers[owner], ledgers[to]
    payment = wrong.payments[payment_id]
    _check_counts(payment)
    _check_movable(payment, wrong, right)
    confirmed = payment.state is PaymentState.CONFIRMED
    refills = wrong.reverse(payment, by=by, at=now, reason=reason)
    events = _told(wrong, payment, refills, reason=reason, now=now, moved_to=to)
    await store_ledgers(session, [wrong], now=now)
    new = await _again(session, payment, to, right.currency, by)
    events += payments.report(right, new, now=now)
    if confirmed:
        events += payments.confirm(right, right.payments[new.id], by=by, now=now)
    await store_ledgers(session, [right], new=[new], told=events, now=now)
    return new.id


async def _owner(session: AsyncSession, payment_id: UUID) -> UUID:
    found = await rows(session, FOUND, payment_id)
    if not found:
        raise NotFound(f"No existe el pago {payment_id}.")
    if found[0].channel == OPENING:
        remedy = "Corríjalo en el libro de origen, o devuélvalo con POST /billing/customers/{customer_id}/refunds."
        raise Refused(RULE, "Es el saldo que el cliente traía, no un pago.", remedy=remedy)
    owner: UUID = found[0].customer_id
    return owner


def _check_counts(payment: PaymentAccount) -> None:
    if not payment.state.counts:
        raise Conflict(f"El pago {payment.reference} ya está {SETTLED[payment.state]}.", remedy=SETTLED_BY)


def _check_movable(payment: PaymentAccount, wrong: Ledger, right: Ledger) -> None:
    if payment.refunded:
        raise Refused(
            RULE,
            f"De este pago ya se devolvieron {payment.refunded:.2f} {wrong.currency} al cliente.",
            remedy="Reviértalo, y registre el pago a quien corresponde.",
        )
    if right.currency != wrong.currency:
        raise Refused(RULE, f"El otro cliente paga en {right.currency}.", remedy="Revierta el pago y regístrelo en la moneda del cliente.")


async def _again(session: AsyncSession, payment: PaymentAccount, to: UUID, currency: str, by: str) -> NewPayment:
    """The same payment as one of another customer."""
    found = (await rows(session, FOUND, payment.id))[0]
    return NewPayment(
        customer_id=to,
        channel=payment.channel,
        reference=payment.reference,
        amount=payment.amount,
        currency=currency,
        paid_on=found.paid_on,
        reported_by=by,
        moved_from=payment.id,
        reported_at=payment.reported_at,
    )


def _told(
    ledger: Ledger, payment: PaymentAccount, refills: Refills, *, reason: str, now: datetime, moved_to: UUID | None = None
) -> list[Outgoing]:
    event = PaymentReversed(
        payment_id=payment.id,
        customer_id=ledger.customer_id,
        amount=payment.amount,
        currency=ledger.currency,
        reference=payment.reference,
        reversed_at=now,
        reason=reason,
        allocations=parts_told(payment.parts),
        open_after=ledger.open,
        moved_to=moved_to,
    )
    return [Outgoing(event, f"payment/{payment.id}", payment.version), *told_refills(ledger, refills, now=now)]


async def _owe_refund(session: AsyncSession, ledger: Ledger, payment: PaymentAccount, operator: Operator, now: datetime) -> None:
    """What was refunded of a payment that never was: the customer owes it, on an invoice without fiscal number."""
    customer = await session.get_one(Customer, ledger.customer_id)
    issued = BusinessCalendar(operator).today(now)
    invoice = new_invoice(customer, operator, f"refund:{payment.id}", Period.of(issued), issued)
    invoice.number = f"DEVUELTO-{payment.reference}"
    invoice.base = invoice.total = invoice.balance = payment.refunded
    session.add(invoice)
    await session.flush()
    await execute(session, OWE_REFUND, customer.id, invoice.id, payment.id, payment.refunded, ledger.currency, now)
    await publish_many(session, [told_issued(invoice, [])], now=now)
    ledger.invoices[invoice.id] = InvoiceAccount(
        invoice.id, invoice.number, invoice.period, issued, invoice.due_date, invoice.balance, invoice.reported, 1, origin="manual"
    )
