"""Credit notes over HTTP: issued, found, shown, printed."""

import asyncio
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from services.billing.api.invoices import FiscalShown, LineShown
from services.billing.api.shapes import exact
from services.billing.models import CreditNote
from services.billing.operations import credit_notes
from services.billing.queries.credits import NOTES, NoteView, find, get_note, printed_note
from shared.pdf import render_credit_note
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, sorted_by
from shared.web.shapes import MoneyInput, MoneyShown, Words, example, money

router = command_router(tags=["credit-notes"])
EXAMPLE = {
    "id": "019d2f6e-4f0b-7c7a-9a35-0a8b0f6f4b60",
    "customer_id": "019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50",
    "invoice_id": "019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51",
    "number": "000-001-03-00000007",
    "issue_date": "2026-03-12",
    "total": {"amount": "51.7500", "currency": "USD"},
    "reason": "Tres días sin servicio",
    "issued_at": "2026-03-12T16:20:00Z",
    "issued_by": "ines.reyes",
}


class CreditNoteInput(Input):
    """What is taken back of an invoice, with tax, and why. Without `amount`: all that is left of it."""

    model_config = example(amount={"amount": "51.75", "currency": "USD"}, reason="Tres días sin servicio")
    amount: MoneyInput | None = None
    reason: Words


class CreditNoteListed(BaseModel):
    """A credit note; `total` includes the tax."""

    model_config = example(**EXAMPLE)
    id: UUID
    customer_id: UUID
    invoice_id: UUID
    number: str
    issue_date: date
    total: MoneyShown
    reason: str
    issued_at: datetime
    issued_by: str


class CreditNoteShown(CreditNoteListed):
    """A credit note with all that is printed on it."""

    model_config = example(
        **EXAMPLE,
        invoice_number="000-001-01-00000017",
        base={"amount": "45.0000", "currency": "USD"},
        tax={"amount": "6.7500", "currency": "USD"},
        fiscal={"authorization_code": "7D20B8-51CE94", "range": "000-001-03-00000001 a 000-001-03-00100000", "expires": "2027-12-31"},
        lines=[
            {
                "description": "Corporativo 50 Mbps · 2026-03",
                "quantity": "1",
                "base": "45.0000",
                "tax_code": "isv15",
                "tax_rate": "0.1500",
                "tax": "6.7500",
                "total": "51.7500",
            }
        ],
    )
    invoice_number: str = Field(description="el número de la factura que acredita")
    base: MoneyShown
    tax: MoneyShown
    fiscal: FiscalShown
    lines: list[LineShown]


@router.post("/invoices/{invoice_id}/credit-notes", status_code=201)
async def issue_credit_note(
    invoice_id: UUID, body: CreditNoteInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> CreditNoteShown:
    """Take back part of an invoice, paid or not (FACT-3): what payments had covered of it goes to other invoices or stays as credit."""
    permits(actor, documents, "billing.credits")
    amount = exact(body.amount, documents) if body.amount else None
    note = await credit_notes.issue_credit_note(
        session, invoice_id=invoice_id, amount=amount, reason=body.reason, by=actor.person, operator=documents, now=now
    )
    response.headers["Location"] = f"/billing/credit-notes/{note.id}"
    return _show(await get_note(session, note.id))


@router.get("/credit-notes")
async def list_credit_notes(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(NOTES)],
    customer_id: UUID | None = None,
    invoice_id: UUID | None = None,
) -> Page[CreditNoteListed]:
    """Credit notes in the order in which they were issued."""
    permits(actor, documents, "billing.read")
    return page(await find(session, CreditNote, order, customer_id=customer_id, invoice_id=invoice_id), order, show=_listed)


@router.get("/credit-notes/{credit_note_id}")
async def show_credit_note(credit_note_id: UUID, session: Session, actor: Actor, documents: Documents) -> CreditNoteShown:
    """A credit note with its lines."""
    permits(actor, documents, "billing.read")
    return _show(await get_note(session, credit_note_id))


@router.get(
    "/credit-notes/{credit_note_id}/pdf",
    response_class=Response,
    responses={200: {"description": "La nota impresa", "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def print_credit_note(credit_note_id: UUID, session: Session, actor: Actor, documents: Documents) -> Response:
    """The credit note as the customer gets it."""
    permits(actor, documents, "billing.read")
    view = await get_note(session, credit_note_id)
    content = await asyncio.to_thread(render_credit_note, documents, printed_note(view))
    headers = {"Content-Disposition": f'inline; filename="nota-de-credito-{view.note.id}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)


def _listed(note: CreditNote) -> CreditNoteListed:
    return CreditNoteListed(
        **note.model_dump(include=set(CreditNoteListed.model_fields) - {"total"}), total=money(note.total, note.currency)
    )


def _show(view: NoteView) -> CreditNoteShown:
    note = view.note
    lines = [LineShown.model_validate({"quantity": 1, **each.model_dump()}) for each in view.lines]
    return CreditNoteShown(
        **_listed(note).model_dump(),
        invoice_number=view.invoice.number,
        base=money(note.base, note.currency),
        tax=money(note.tax, note.currency),
        fiscal=FiscalShown.model_validate(view.fiscal, from_attributes=True),
        lines=lines,
    )
