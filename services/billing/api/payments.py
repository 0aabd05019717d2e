"""Payments over HTTP: reported, confirmed, rejected, looked up."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, StringConstraints

from services.billing.api.shapes import Code
from services.billing.operations import payments
from services.billing.operations.payments import NewPayment
from services.billing.queries.invoices import PaymentView, find_payments, get_payment
from services.billing.rules.states import PaymentState
from shared.calendar import BusinessCalendar
from shared.money import Amount
from shared.web import Actor, Cursor, Documents, Input, Now, Page, Session, command_router, page, permits, set_etag
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
    reference: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    paid_on: date
    invoice_id: UUID | None = None


class RejectInput(Input):
    """Why the money never came."""

    model_config = example(reason="El banco devolvió el cheque")
    reason: Words


class AllocationShown(BaseModel):
    """The part of the payment that goes to one invoice; of a rejected payment, what was believed."""

    invoice_id: UUID
    amount: Amount


class PaymentShown(BaseModel):
    """A payment. `unallocated` is what no open invoice took; it goes to the next one that is issued."""

    model_config = example(
        id="019d2f6e-3f0b-7c7a-9a35-0a8b0f6f4b52",
        customer_id="019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50",
        state="REPORTED",
        amount={"amount": "517.5000", "currency": "USD"},
        unallocated={"amount": "0.0000", "currency": "USD"},
        channel="banco",
        reference="BR0000311",
        paid_on="2026-03-27",
        reported_at="2026-03-27T20:15:00Z",
        reported_by="ana.martinez",
        settled_at=None,
        settled_by=None,
        reject_reason=None,
        version=1,
        allocations=[{"invoice_id": "019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51", "amount": "517.5000"}],
    )
    id: UUID
    customer_id: UUID
    state: PaymentState
    amount: MoneyShown
    unallocated: MoneyShown
    channel: str
    reference: str
    paid_on: date
    reported_at: datetime
    reported_by: str
    settled_at: datetime | None
    settled_by: str | None
    reject_reason: str | None
    version: int
    allocations: list[AllocationShown]


@router.post("/payments", status_code=201)
async def report_payment(
    body: PaymentInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> PaymentShown:
    """Report a payment: it counts at once (VIP-12, VIP-20), until it is confirmed or rejected."""
    permits(actor, documents, "billing.payments")
    new = NewPayment(
        amount=body.amount.amount,
        currency=body.amount.currency,
        reported_by=actor.person,
        **body.model_dump(exclude={"amount"}),
    )
    await payments.report_payment(session, payment=new, today=BusinessCalendar(documents).today(now), now=now)
    response.headers["Location"] = f"/billing/payments/{new.id}"
    return _tell(await get_payment(session, new.id), response)


@router.get("/payments")
async def list_payments(
    session: Session,
    actor: Actor,
    documents: Documents,
    cursor: Cursor,
    customer_id: UUID | None = None,
    state: PaymentState | None = None,
) -> Page[PaymentShown]:
    """Payments in the order in which they were reported."""
    permits(actor, documents, "billing.read")
    after = cursor.after(UUID)
    found = await find_payments(session, customer_id=customer_id, state=state, after=after[0] if after else None, limit=cursor.limit + 1)
    return page(found, cursor, key=lambda each: (each.payment.id,), show=_show)


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
    await payments.reject_payment(session, payment_id=payment_id, reason=body.reason, by=actor.person, now=now)
    return _tell(await get_payment(session, payment_id), response)


def _tell(view: PaymentView, response: Response) -> PaymentShown:
    set_etag(response, view.payment.version)
    return _show(view)


def _show(view: PaymentView) -> PaymentShown:
    payment = view.payment
    amounts = {name: money(getattr(payment, name), payment.currency) for name in ("amount", "unallocated")}
    return PaymentShown(
        **payment.model_dump(include=set(PaymentShown.model_fields) - {*amounts, "allocations"}),
        **amounts,
        allocations=[AllocationShown(invoice_id=each.invoice_id, amount=each.amount) for each in view.allocations],
    )
