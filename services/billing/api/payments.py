"""Payments over HTTP: reported, confirmed, rejected, looked up."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.api.shapes import Code, Reference
from services.billing.operations import corrections, payments
from services.billing.operations.new_payments import NewPayment
from services.billing.queries.invoices import PAYMENTS, PaymentView, find_payments, get_payment
from services.billing.rules.ledger import PaymentAccount
from services.billing.rules.states import PaymentState
from shared.auth import Principal
from shared.calendar import BusinessCalendar
from shared.errors import Problem
from shared.idempotency import Answer, Command
from shared.log import current_traceparent
from shared.money import Amount, as_kept
from shared.operator import Operator
from shared.web import (
    Actor,
    Asked,
    Documents,
    Input,
    Now,
    Order,
    Page,
    Session,
    command_router,
    created,
    page,
    permits,
    set_etag,
    sorted_by,
    together,
)
from shared.web.shapes import MoneyInput, MoneyShown, Words, example, money

router = command_router(tags=["payments"])


class PaymentInput(Input):
    """A payment that the customer says it made. `paid_on` is the day in the bank's books; without `invoice_id` it goes to the oldest."""

    model_config = example(
        customer_id="019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50",
        amount={"amount": "517.50", "currency": "USD"},
        channel="banco",
        reference="BR0000311",
        paid_on="2026-03-27",
        invoice_id="019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51",
    )
    customer_id: UUID
    amount: MoneyInput
    channel: Code
    reference: Reference
    paid_on: date
    invoice_id: UUID | None = None


class RejectInput(Input):
    """Why the money never came."""

    model_config = example(reason="El banco devolvió el cheque")
    reason: Words


class MoveInput(Input):
    """Whose payment it is, and how that was found."""

    model_config = example(customer_id="019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b99", reason="La transferencia es de Hotel Colonial")
    customer_id: UUID
    reason: Words


class AllocationShown(BaseModel):
    """The part of the payment that goes to one invoice; of one that counts no longer, what was believed."""

    invoice_id: UUID
    amount: Amount


class PaymentShown(BaseModel):
    """A payment. `unallocated` is what no open invoice took; it goes to the next one that is issued. `refunded` was given back.
    `moved_from` is the payment of another customer as which it was booked before; `reject_reason` tells why it does not count."""

    model_config = example(
        id="019d2f6e-3f0b-7c7a-9a35-0a8b0f6f4b52",
        customer_id="019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50",
        state="REPORTED",
        amount={"amount": "517.5000", "currency": "USD"},
        unallocated={"amount": "0.0000", "currency": "USD"},
        refunded={"amount": "0.0000", "currency": "USD"},
        channel="banco",
        reference="BR0000311",
        paid_on="2026-03-27",
        reported_at="2026-03-27T20:15:00Z",
        reported_by="ana.martinez",
        settled_at=None,
        settled_by=None,
        reject_reason=None,
        reversed_at=None,
        reversed_by=None,
        moved_from=None,
        version=1,
        allocations=[{"invoice_id": "019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51", "amount": "517.5000"}],
    )
    id: UUID
    customer_id: UUID
    state: PaymentState
    amount: MoneyShown
    unallocated: MoneyShown
    refunded: MoneyShown
    channel: str
    reference: str
    paid_on: date
    reported_at: datetime
    reported_by: str
    settled_at: datetime | None
    settled_by: str | None
    reject_reason: str | None
    reversed_at: datetime | None
    reversed_by: str | None
    moved_from: UUID | None
    version: int
    allocations: list[AllocationShown]


async def _report_together(
    session: AsyncSession, asked: Sequence[Asked[PaymentInput]], documents: Operator, now: datetime
) -> list[Answer | None]:
    """What `report_payment` does, for many: those that go through."""
    allowed = [each for each in asked if documents.may(each.actor.desks, "billing.payments")]
    new = [_new(each.body, each.actor, each.traceparent) for each in allowed]
    today = BusinessCalendar(documents).today(now)
    found = await payments.report_payments(session, payments=new, today=today, now=now, order=documents.payment_order, wait=False)
    answers: dict[Command, Answer] = {}
    for each, payment in zip(allowed, new, strict=True):
        if not isinstance(account := found[payment.id], Problem):
            answers[each.command] = created(_reported(payment, account), f"/billing/payments/{payment.id}", account.version)
    return [answers.get(each.command) for each in asked]


@router.post("/payments", status_code=201)
@together(PaymentInput, _report_together)
async def report_payment(
    body: PaymentInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> PaymentShown:
    """Report a payment: it counts at once (VIP-12, VIP-20), until it is confirmed or rejected."""
    permits(actor, documents, "billing.payments")
    new = _new(body, actor, current_traceparent())
    today = BusinessCalendar(documents).today(now)
    account = await payments.report_payment(session, payment=new, today=today, now=now, order=documents.payment_order)
    response.headers["Location"] = f"/billing/payments/{new.id}"
    set_etag(response, account.version)
    return _reported(new, account)


def _new(body: PaymentInput, actor: Principal, traceparent: str | None) -> NewPayment:
    return NewPayment(
        customer_id=body.customer_id,
        channel=body.channel,
        reference=body.reference,
        amount=body.amount.amount,
        currency=body.amount.currency,
        paid_on=body.paid_on,
        reported_by=actor.person,
        invoice_id=body.invoice_id,
        traceparent=traceparent,
    )


def _reported(new: NewPayment, account: PaymentAccount) -> PaymentShown:
    """A payment that was just reported, as it will be read."""
    parts = sorted(account.parts, key=lambda each: each.invoice_id)
    return PaymentShown(
        id=new.id,
        customer_id=new.customer_id,
        state=account.state,
        amount=money(as_kept(new.amount), new.currency),
        unallocated=money(as_kept(account.unallocated), new.currency),
        refunded=money(as_kept(account.refunded), new.currency),
        channel=new.channel,
        reference=new.reference,
        paid_on=new.paid_on,
        reported_at=account.reported_at,
        reported_by=new.reported_by,
        settled_at=None,
        settled_by=None,
        reject_reason=None,
        reversed_at=None,
        reversed_by=None,
        moved_from=None,
        version=account.version,
        allocations=[AllocationShown(invoice_id=each.invoice_id, amount=as_kept(each.amount)) for each in parts],
    )


@router.get("/payments")
async def list_payments(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(PAYMENTS)],
    customer_id: UUID | None = None,
    state: PaymentState | None = None,
) -> Page[PaymentShown]:
    """Payments in the order in which they were reported."""
    permits(actor, documents, "billing.read")
    return page(await find_payments(session, order, customer_id=customer_id, state=state), order, show=_show)


@router.get("/payments/{payment_id}")
async def show_payment(payment_id: UUID, response: Response, session: Session, actor: Actor, documents: Documents) -> PaymentShown:
    """A payment and where it went."""
    permits(actor, documents, "billing.read")
    return _tell(await get_payment(session, payment_id), response)


@router.post("/payments/{payment_id}/confirm")
async def confirm_payment(
    payment_id: UUID, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> PaymentShown:
    """The money is there."""
    permits(actor, documents, "billing.payments")
    await payments.confirm_payment(session, payment_id=payment_id, by=actor.person, now=now)
    return _tell(await get_payment(session, payment_id), response)


@router.post("/payments/{payment_id}/reject")
async def reject_payment(
    payment_id: UUID, body: RejectInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> PaymentShown:
    """The money never came: what the payment covered is owed again."""
    permits(actor, documents, "billing.payments")
    await payments.reject_payment(
        session, payment_id=payment_id, reason=body.reason, by=actor.person, now=now, order=documents.payment_order
    )
    return _tell(await get_payment(session, payment_id), response)


@router.post("/payments/{payment_id}/reverse")
async def reverse_payment(
    payment_id: UUID, body: RejectInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> PaymentShown:
    """The bank took a confirmed payment back (PAGO-2): what it paid is owed again, also on invoices that were paid."""
    permits(actor, documents, "billing.payments")
    await corrections.reverse_payment(session, payment_id=payment_id, reason=body.reason, by=actor.person, operator=documents, now=now)
    return _tell(await get_payment(session, payment_id), response)


@router.post("/payments/{payment_id}/move", status_code=201)
async def move_payment(
    payment_id: UUID, body: MoveInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> PaymentShown:
    """The payment was booked to the wrong customer (PAGO-2): there it counts no longer, and the right one gets it as a payment of its own,
    which is answered."""
    permits(actor, documents, "billing.payments")
    moved = await corrections.move_payment(
        session, payment_id=payment_id, to=body.customer_id, reason=body.reason, by=actor.person, operator=documents, now=now
    )
    response.headers["Location"] = f"/billing/payments/{moved}"
    return _tell(await get_payment(session, moved), response)


def _tell(view: PaymentView, response: Response) -> PaymentShown:
    set_etag(response, view.payment.version)
    return _show(view)


def _show(view: PaymentView) -> PaymentShown:
    payment = view.payment
    amounts = {name: money(getattr(payment, name), payment.currency) for name in ("amount", "unallocated", "refunded")}
    return PaymentShown(
        **payment.model_dump(include=set(PaymentShown.model_fields) - {*amounts, "allocations"}),
        **amounts,
        allocations=[AllocationShown(invoice_id=each.invoice_id, amount=each.amount) for each in view.allocations],
    )
