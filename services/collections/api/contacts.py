"""Sending the month's invoice and everything that is said to a customer, written down (VIP-3, VIP-5 … VIP-8)."""

from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import AwareDatetime, BaseModel, StringConstraints

from services.collections.api.access import LISTS, WORK
from services.collections.models import Contact, ContactKind
from services.collections.operations import contacts, dispatches
from services.collections.rules.wording import who
from shared.operator import Operator
from shared.web import Actor, Documents, Input, Now, Session, command_router, permits
from shared.web.shapes import Words

router = command_router(tags=["gestiones"])


class ContactInput(Input):
    """A contact that took place now. `invoice_id`: which invoice it was about, else the latest that the customer owes."""

    kind: ContactKind
    channel: Annotated[str, StringConstraints(min_length=2, max_length=60)]
    said: Words
    invoice_id: UUID | None = None

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "kind": "receipt_confirmed",
                    "channel": "teléfono",
                    "said": "Doña Berta confirma que recibió la factura de marzo y que pagará el día 5.",
                }
            ]
        }
    }


class ContactView(BaseModel):
    """A contact as it is kept."""

    id: UUID
    customer_id: UUID
    kind: ContactKind
    channel: str
    agent: str
    agent_name: str
    said: str
    invoice_id: UUID | None
    contacted_at: AwareDatetime


class DispatchInput(Input):
    """Which invoice goes out."""

    invoice_id: UUID

    model_config = {"json_schema_extra": {"examples": [{"invoice_id": "01920000-0000-7000-8000-000000000002"}]}}


def show_contact(contact: Contact, documents: Operator) -> ContactView:
    """A contact for the API."""
    return ContactView(agent_name=who(documents, contact.agent), **contact.model_dump())


@router.post("/customers/{customer_id}/contacts", status_code=201)
async def record_contact(
    customer_id: UUID, body: ContactInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> ContactView:
    """Write down a contact: who, when, which channel, what was said (VIP-7). Sales may write down that the terms were told (VIP-3)."""
    permits(actor, documents, LISTS if body.kind is ContactKind.TERMS_TOLD else WORK)
    made = await contacts.record(
        session,
        customer_id=customer_id,
        kind=body.kind,
        channel=body.channel,
        said=body.said,
        invoice_id=body.invoice_id,
        actor=actor,
        operator=documents,
        now=now,
    )
    response.headers["Location"] = f"/collections/customers/{customer_id}/timeline"
    return show_contact(made, documents)


class DispatchAsked(BaseModel):
    """An invoice on its way to the customer."""

    customer_id: UUID
    invoice_id: UUID
    number: str
    first_sent_at: AwareDatetime | None
    first_sent_by: str | None
    message: str


@router.post("/customers/{customer_id}/invoice-dispatches", status_code=202)
async def dispatch_invoice(
    customer_id: UUID, body: DispatchInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> DispatchAsked:
    """Send the month's invoice to the customer by mail; the sending is documented by itself (VIP-5, VIP-7)."""
    permits(actor, documents, WORK)
    sent = await dispatches.request_dispatch(
        session, customer_id=customer_id, invoice_id=body.invoice_id, actor=actor, operator=documents, now=now
    )
    response.headers["Location"] = f"/collections/customers/{customer_id}/timeline"
    return DispatchAsked(
        customer_id=customer_id,
        invoice_id=sent.id,
        number=sent.number,
        first_sent_at=sent.dispatched_at,
        first_sent_by=sent.dispatched_by,
        message=f"Envío de la factura {sent.number} solicitado. Después confirme con el cliente que la recibió.",
    )
