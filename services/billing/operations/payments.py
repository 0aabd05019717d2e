"""Payments: reported, confirmed, rejected. Each changes its customer's ledger under lock and tells what became of it."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.ledgers import lock_ledgers, store_ledgers
from services.billing.operations.new_payments import NewPayment, refusals
from services.billing.rules.allocation import OLDEST_FIRST, Share
from services.billing.rules.ledger import Ledger, PaymentAccount, Refills
from services.billing.rules.states import InvoiceState, PaymentState
from shared.db import rows
from shared.errors import Conflict, NotFound, Problem
from shared.events.billing import Allocation, InvoicePaid, PaymentAllocated, PaymentConfirmed, PaymentRejected, PaymentReported
from shared.log import traced
from shared.outbox import Outgoing

SETTLED = {PaymentState.CONFIRMED: "confirmado", PaymentState.REJECTED: "rechazado", PaymentState.REVERSED: "revertido"}
SETTLED_BY = "Consulte el pago: dice quién lo decidió y cuándo."


async def report_payment(
    session: AsyncSession, *, payment: NewPayment, today: date, now: datetime, order: Sequence[str] = OLDEST_FIRST
) -> PaymentAccount:
    """Believe a payment that somebody reports (VIP-12, VIP-20). Answers to which invoices it went, in the operator's `payment_order`.

    Raises NotFound for an unknown customer, Invalid for a wrong amount, currency or day, Refused for a reference that is already there and
    for an invoice of another customer.
    """
    found = (await report_payments(session, payments=[payment], today=today, now=now, order=order, wait=True))[payment.id]
    if isinstance(found, Problem):
        raise found
    return found


async def report_payments(
    session: AsyncSession,
    *,
    payments: Sequence[NewPayment],
    today: date,
    now: datetime,
    wait: bool,
    order: Sequence[str] = OLDEST_FIRST,
) -> dict[UUID, PaymentAccount | Problem]:
    """The same for many, in their order. Answers for each where it went, or why it is not taken: of that one nothing is kept.

    Without `wait` a customer that somebody else holds is as good as unknown.
    """
    ledgers = await lock_ledgers(session, {each.customer_id for each in payments}, order=order, wait=wait)
    refused = await refusals(session, payments, ledgers, today)
    good = [each for each in payments if each.id not in refused]
    events = []
    for each in good:
        with traced(each.traceparent):
            events += report(ledgers[each.customer_id], each, now=now)
    if good:
        await store_ledgers(session, ledgers.values(), new=good, told=events, now=now)
    return {**refused, **{each.id: ledgers[each.customer_id].payments[each.id] for each in good}}


async def confirm_payment(session: AsyncSession, *, payment_id: UUID, by: str, now: datetime) -> None:
    """The money of a reported payment is there. Raises NotFound, and Conflict when it was settled before."""
    ledger, payment = await _locked(session, payment_id)
    events = confirm(ledger, payment, by=by, now=now)
    await store_ledgers(session, [ledger], told=events, now=now)


async def reject_payment(
    session: AsyncSession, *, payment_id: UUID, reason: str, by: str, now: datetime, order: Sequence[str] = OLDEST_FIRST
) -> None:
    """The money of a reported payment never came: what it covered is owed again. Raises NotFound; Conflict when already settled."""
    ledger, payment = await _locked(session, payment_id, order)
    refills = ledger.reject(payment, by=by, at=now, reason=reason)
    rejected = PaymentRejected(
        payment_id=payment.id,
        customer_id=ledger.customer_id,
        amount=payment.amount,
        currency=ledger.currency,
        reference=payment.reference,
        rejected_at=now,
        reason=reason,
        allocations=parts_told(payment.parts),
        open_after=ledger.open,
    )
    events = [Outgoing(rejected, f"payment/{payment.id}", payment.version), *told_refills(ledger, refills, now=now)]
    await store_ledgers(session, [ledger], told=events, now=now)


async def use_left_over(
    session: AsyncSession, customer_ids: Collection[UUID], *, now: datetime, order: Sequence[str] = OLDEST_FIRST
) -> None:
    """Money that these customers' earlier payments had left over goes to what is open now."""
    if not customer_ids:
        return
    ledgers = await lock_ledgers(session, customer_ids, order=order)
    events = [event for ledger in ledgers.values() for event in told_refills(ledger, ledger.refill(), now=now)]
    await store_ledgers(session, ledgers.values(), told=events, now=now)


def report(ledger: Ledger, new: NewPayment, *, now: datetime) -> list[Outgoing]:
    """Put a new payment into its ledger; answer what to tell."""
    payment = PaymentAccount(new.id, new.channel, new.reference, new.amount, new.reported_at or now, new.reported_by)
    ledger.report(payment, invoice=new.invoice_id)
    event = PaymentReported(
        payment_id=payment.id,
        customer_id=ledger.customer_id,
        amount=payment.amount,
        currency=ledger.currency,
        reference=payment.reference,
        channel=payment.channel,
        reported_at=payment.reported_at,
        reported_by=payment.reported_by,
        allocations=parts_told(payment.parts),
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
        allocations=parts_told(payment.parts),
        open_after=ledger.open,
    )
    return [Outgoing(event, f"payment/{payment.id}", payment.version), *told_paid(ledger, now=now)]


def told_refills(ledger: Ledger, refills: Refills, *, now: datetime) -> list[Outgoing]:
    """What to tell of money that was left over and went to invoices now."""
    events = []
    for payment, shares in refills:
        event = PaymentAllocated(
            payment_id=payment.id,
            customer_id=ledger.customer_id,
            currency=ledger.currency,
            confirmed=payment.state is PaymentState.CONFIRMED,
            allocations=parts_told(shares),
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


def parts_told(shares: Sequence[Share]) -> list[Allocation]:
    """The parts of a payment as events tell them."""
    return [Allocation(invoice_id=each.invoice_id, amount=each.amount) for each in shares]


async def _locked(session: AsyncSession, payment_id: UUID, order: Sequence[str] = OLDEST_FIRST) -> tuple[Ledger, PaymentAccount]:
    found = await rows(session, "SELECT customer_id FROM payment WHERE id = $1", payment_id)
    if not found:
        raise NotFound(f"No existe el pago {payment_id}.")
    ledger = (await lock_ledgers(session, [found[0].customer_id], [payment_id], order=order))[found[0].customer_id]
    payment = ledger.payments[payment_id]
    if payment.state is not PaymentState.REPORTED:
        raise Conflict(f"El pago {payment.reference} ya está {SETTLED[payment.state]}.", remedy=SETTLED_BY)
    return ledger, payment
