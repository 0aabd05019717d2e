"""What customers have in their favour over HTTP: seen, and given back."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from services.billing.api.shapes import Code, Reference, exact
from services.billing.models import Refund
from services.billing.operations.refunds import NewRefund, refund_credit
from services.billing.queries.credits import REFUNDS, find, get_credit
from shared.money import as_kept
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, sorted_by
from shared.web.shapes import MoneyInput, MoneyShown, Words, example, money

router = command_router(tags=["credits"])


class CreditShown(BaseModel):
    """What a customer has in its favour and goes to its next invoice. `available` is of confirmed payments and may be given back,
    `reported` of payments that are not confirmed yet."""

    model_config = example(available={"amount": "38.0000", "currency": "USD"}, reported={"amount": "0.0000", "currency": "USD"})
    available: MoneyShown
    reported: MoneyShown


class RefundInput(Input):
    """What was given back, how, under which reference, and why."""

    model_config = example(
        amount={"amount": "38.00", "currency": "USD"}, channel="transferencia", reference="TRF-5521", reason="Pagó dos veces en marzo"
    )
    amount: MoneyInput
    channel: Code
    reference: Reference
    reason: Words


class RefundShown(BaseModel):
    """Money that was given back to a customer."""

    model_config = example(
        id="019d2f6e-6f0b-7c7a-9a35-0a8b0f6f4b80",
        customer_id="019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50",
        amount={"amount": "38.0000", "currency": "USD"},
        channel="transferencia",
        reference="TRF-5521",
        reason="Pagó dos veces en marzo",
        refunded_at="2026-03-28T15:00:00Z",
        refunded_by="ines.reyes",
    )
    id: UUID
    customer_id: UUID
    amount: MoneyShown
    channel: str
    reference: str
    reason: str
    refunded_at: datetime
    refunded_by: str


@router.get("/customers/{customer_id}/credit")
async def show_credit(customer_id: UUID, session: Session, actor: Actor, documents: Documents) -> CreditShown:
    """What the customer has in its favour."""
    permits(actor, documents, "billing.read")
    found = await get_credit(session, customer_id)
    return CreditShown(available=money(found.available, found.currency), reported=money(found.reported, found.currency))


@router.post("/customers/{customer_id}/refunds", status_code=201)
async def refund(
    customer_id: UUID, body: RefundInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> RefundShown:
    """Record that the customer got back money that it had in its favour (PAGO-3)."""
    permits(actor, documents, "billing.credits")
    amount = exact(body.amount, documents)
    given = NewRefund(customer_id, amount, body.channel, body.reference, body.reason, actor.person)
    return _show(await refund_credit(session, refund=given, operator=documents, now=now))


@router.get("/refunds")
async def list_refunds(
    session: Session, actor: Actor, documents: Documents, order: Annotated[Order, sorted_by(REFUNDS)], customer_id: UUID | None = None
) -> Page[RefundShown]:
    """Refunds in the order in which they were recorded."""
    permits(actor, documents, "billing.read")
    return page(await find(session, Refund, order, customer_id=customer_id), order, show=_show)


def _show(refund: Refund) -> RefundShown:
    fields = refund.model_dump(include=set(RefundShown.model_fields) - {"amount"})
    return RefundShown(**fields, amount=money(as_kept(refund.amount), refund.currency))
