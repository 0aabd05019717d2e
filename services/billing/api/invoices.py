"""Invoices over HTTP: found, shown, printed, voided."""

import asyncio
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from services.billing.models import Invoice
from services.billing.operations import invoices
from services.billing.queries.invoices import INVOICES, InvoiceView, find_invoices, get_invoice, printed_invoice
from services.billing.rules.states import InvoiceState
from shared.money import Amount
from shared.pdf import render_invoice
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, set_etag, sorted_by
from shared.web.shapes import MoneyShown, Month, Words, example, money

router = command_router(tags=["invoices"])
EXAMPLE = {
    "id": "019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51",
    "customer_id": "019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50",
    "number": "000-001-01-00000017",
    "origin": "run",
    "period": "2026-03",
    "state": "OPEN",
    "issue_date": "2026-03-01",
    "due_date": "2026-03-05",
    "total": {"amount": "517.5000", "currency": "USD"},
    "balance": {"amount": "517.5000", "currency": "USD"},
    "reported": {"amount": "0.0000", "currency": "USD"},
    "credited": {"amount": "0.0000", "currency": "USD"},
    "disputed": {"amount": "0.0000", "currency": "USD"},
    "fee": None,
    "overdue_at": None,
    "paid_at": None,
}


class VoidInput(Input):
    """Why the invoice is taken back."""

    model_config = example(reason="Se facturó un servicio que nunca se instaló")
    reason: Words


class InvoiceListed(BaseModel):
    """An invoice. `balance` is what confirmed payments and credit notes leave, `reported` the part of it that somebody says is paid;
    `credited` was taken back, `disputed` is what the customer does not agree with. `due_date` is the last day in time."""

    model_config = example(**EXAMPLE)
    id: UUID
    customer_id: UUID
    number: str
    origin: str
    period: str
    state: InvoiceState
    issue_date: date
    due_date: date
    total: MoneyShown
    balance: MoneyShown
    reported: MoneyShown
    credited: MoneyShown
    disputed: MoneyShown
    fee: str | None = Field(description="el recargo que cobra: late o reconnection")
    overdue_at: datetime | None
    paid_at: datetime | None


class LineShown(BaseModel):
    """One line; `base + tax = total`."""

    description: str
    quantity: Amount
    base: Amount
    tax_code: str
    tax_rate: Amount
    tax: Amount
    total: Amount


class FiscalShown(BaseModel):
    """What the tax authority wants on the invoice."""

    authorization_code: str
    range: str
    expires: date


class InvoiceShown(InvoiceListed):
    """An invoice with all that is printed on it."""

    model_config = example(
        **EXAMPLE,
        version=1,
        base={"amount": "450.0000", "currency": "USD"},
        tax={"amount": "67.5000", "currency": "USD"},
        voided_at=None,
        void_reason=None,
        fiscal={"authorization_code": "3A9C41-7E0B52", "range": "000-001-01-00000001 a 000-001-01-05000000", "expires": "2027-12-31"},
        lines=[
            {
                "description": "Corporativo 50 Mbps · 2026-03",
                "quantity": "1.0000",
                "base": "450.0000",
                "tax_code": "isv15",
                "tax_rate": "0.1500",
                "tax": "67.5000",
                "total": "517.5000",
            }
        ],
    )
    version: int
    base: MoneyShown
    tax: MoneyShown
    voided_at: datetime | None
    void_reason: str | None
    fiscal: FiscalShown | None = Field(description="null en una factura que el cliente traía de antes")
    lines: list[LineShown]


@router.get("/invoices")
async def list_invoices(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(INVOICES)],
    customer_id: UUID | None = None,
    period: Month | None = None,
    state: InvoiceState | None = None,
    number: Annotated[str | None, Query(max_length=60)] = None,
) -> Page[InvoiceListed]:
    """Invoices in the order in which they were made."""
    permits(actor, documents, "billing.read")

    found = await find_invoices(session, order, customer_id=customer_id, period=period, state=state, number=number)
    return page(found, order, show=_listed)


@router.get("/invoices/{invoice_id}")
async def show_invoice(invoice_id: UUID, response: Response, session: Session, actor: Actor, documents: Documents) -> InvoiceShown:
    """An invoice with its lines."""
    permits(actor, documents, "billing.read")
    view = await get_invoice(session, invoice_id)
    set_etag(response, view.invoice.version)
    return _show(view)


@router.get(
    "/invoices/{invoice_id}/pdf",
    response_class=Response,
    responses={
        200: {"description": "La factura impresa", "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def print_invoice(invoice_id: UUID, session: Session, actor: Actor, documents: Documents) -> Response:
    """The invoice as the customer gets it."""
    permits(actor, documents, "billing.read")
    view = await get_invoice(session, invoice_id)
    content = await asyncio.to_thread(render_invoice, documents, printed_invoice(view))
    headers = {"Content-Disposition": f'inline; filename="factura-{view.invoice.id}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)


@router.post("/invoices/{invoice_id}/void")
async def void_invoice(
    invoice_id: UUID, body: VoidInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> InvoiceShown:
    """Take an invoice back: it is not deleted and its number stays used (FACT-2)."""
    permits(actor, documents, "billing.invoices")
    invoice = await invoices.void_invoice(session, invoice_id=invoice_id, reason=body.reason, now=now)
    set_etag(response, invoice.version)
    return _show(await get_invoice(session, invoice_id))


def _listed(invoice: Invoice) -> InvoiceListed:
    amounts = {name: money(getattr(invoice, name), invoice.currency) for name in ("total", "balance", "reported", "credited", "disputed")}
    return InvoiceListed(**invoice.model_dump(include=set(InvoiceListed.model_fields) - set(amounts)), **amounts)


def _show(view: InvoiceView) -> InvoiceShown:
    invoice, fiscal = view.invoice, view.fiscal
    return InvoiceShown(
        **_listed(invoice).model_dump(),
        **invoice.model_dump(include={"version", "voided_at", "void_reason"}),
        base=money(invoice.base, invoice.currency),
        tax=money(invoice.tax, invoice.currency),
        fiscal=FiscalShown.model_validate(fiscal, from_attributes=True) if fiscal else None,
        lines=[LineShown.model_validate(each, from_attributes=True) for each in view.lines],
    )
