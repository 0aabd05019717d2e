"""Disputes over HTTP: opened, accepted, rejected, looked up."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from services.billing.api.shapes import exact
from services.billing.models import Dispute
from services.billing.operations import disputes
from services.billing.queries.credits import DISPUTES, find, get_dispute
from services.billing.rules.states import DisputeState
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, set_etag, sorted_by
from shared.web.shapes import MoneyInput, MoneyShown, Words, example, money

router = command_router(tags=["disputes"])


class DisputeInput(Input):
    """How much of the invoice the customer does not agree with, with tax, and why."""

    model_config = example(amount={"amount": "51.75", "currency": "USD"}, reason="Dice que no tuvo servicio tres días")
    amount: MoneyInput
    reason: Words


class ResolutionInput(Input):
    """What was found."""

    model_config = example(resolution="Ingeniería confirma la falla del 3 al 5 de marzo")
    resolution: Words


class DisputeShown(BaseModel):
    """A dispute. While it is open nobody collects the amount; accepted, a credit note took it back."""

    model_config = example(
        id="019d2f6e-5f0b-7c7a-9a35-0a8b0f6f4b70",
        customer_id="019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50",
        invoice_id="019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51",
        state="OPEN",
        amount={"amount": "51.7500", "currency": "USD"},
        reason="Dice que no tuvo servicio tres días",
        opened_at="2026-03-10T16:20:00Z",
        opened_by="ana.martinez",
        resolved_at=None,
        resolved_by=None,
        resolution=None,
        credit_note_id=None,
        version=1,
    )
    id: UUID
    customer_id: UUID
    invoice_id: UUID
    state: DisputeState
    amount: MoneyShown
    reason: str
    opened_at: datetime
    opened_by: str
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None
    credit_note_id: UUID | None
    version: int


@router.post("/invoices/{invoice_id}/disputes", status_code=201)
async def open_dispute(
    invoice_id: UUID, body: DisputeInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> DisputeShown:
    """Keep that the customer does not agree with part of an invoice (FACT-4): collection stops for that amount only."""
    permits(actor, documents, "billing.disputes")
    dispute = await disputes.open_dispute(
        session,
        invoice_id=invoice_id,
        amount=exact(body.amount, documents),
        reason=body.reason,
        by=actor.person,
        operator=documents,
        now=now,
    )
    response.headers["Location"] = f"/billing/disputes/{dispute.id}"
    return await _tell(session, dispute.id, response)


@router.get("/disputes")
async def list_disputes(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(DISPUTES)],
    customer_id: UUID | None = None,
    invoice_id: UUID | None = None,
    state: DisputeState | None = None,
) -> Page[DisputeShown]:
    """Disputes in the order in which they were opened."""
    permits(actor, documents, "billing.read")
    found = await find(session, Dispute, order, customer_id=customer_id, invoice_id=invoice_id, state=state)
    return page(found, order, show=_show)


@router.get("/disputes/{dispute_id}")
async def show_dispute(dispute_id: UUID, response: Response, session: Session, actor: Actor, documents: Documents) -> DisputeShown:
    """A dispute and what was decided."""
    permits(actor, documents, "billing.read")
    return await _tell(session, dispute_id, response)


@router.post("/disputes/{dispute_id}/accept")
async def accept_dispute(
    dispute_id: UUID, body: ResolutionInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> DisputeShown:
    """The customer is right: a credit note takes the amount back."""
    return await _resolve(dispute_id, body, response, session, now, actor, documents, accepted=True)


@router.post("/disputes/{dispute_id}/reject")
async def reject_dispute(
    dispute_id: UUID, body: ResolutionInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> DisputeShown:
    """The amount is owed after all."""
    return await _resolve(dispute_id, body, response, session, now, actor, documents, accepted=False)


async def _resolve(
    dispute_id: UUID,
    body: ResolutionInput,
    response: Response,
    session: Session,
    now: Now,
    actor: Actor,
    documents: Documents,
    *,
    accepted: bool,
) -> DisputeShown:
    permits(actor, documents, "billing.credits")
    await disputes.resolve_dispute(
        session, dispute_id=dispute_id, accepted=accepted, resolution=body.resolution, by=actor.person, operator=documents, now=now
    )
    return await _tell(session, dispute_id, response)


async def _tell(session: Session, dispute_id: UUID, response: Response) -> DisputeShown:
    dispute = await get_dispute(session, dispute_id)
    set_etag(response, dispute.version)
    return _show(dispute)


def _show(dispute: Dispute) -> DisputeShown:
    fields = dispute.model_dump(include=set(DisputeShown.model_fields) - {"amount"})
    return DisputeShown(**fields, amount=money(dispute.amount, dispute.currency))
