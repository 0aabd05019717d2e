"""Reads of credit notes, disputes, refunds, and of what a customer has in its favour."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.billing.models import CreditNote, CreditNoteLine, Customer, Dispute, FiscalSeries, Invoice, Refund
from services.billing.queries.invoices import Fiscal, fiscal_of, printed_customer
from shared.db import rows
from shared.errors import NotFound
from shared.sorting import Order, Placed, Sorting, amount, day, identity, instant, text

Kept = TypeVar("Kept", CreditNote, Dispute, Refund)
CREDIT = """
SELECT c.currency, coalesce(sum(p.unallocated) FILTER (WHERE p.state = 'CONFIRMED'), 0)::numeric(18,4) AS available,
    coalesce(sum(p.unallocated) FILTER (WHERE p.state = 'REPORTED'), 0)::numeric(18,4) AS reported
FROM customer c LEFT JOIN payment p ON p.customer_id = c.id AND p.unallocated > 0 AND p.state IN ('REPORTED', 'CONFIRMED')
WHERE c.id = $1 GROUP BY c.id
"""
NOTES = Sorting(
    "id",
    identity("credit_note.id"),
    id=identity("credit_note.id"),
    number=text("credit_note.number", indexed=True),
    issue_date=day("credit_note.issue_date"),
    total=amount("credit_note.total"),
    issued_at=instant("credit_note.issued_at"),
    issued_by=text("credit_note.issued_by"),
)
DISPUTES = Sorting(
    "id",
    identity("dispute.id"),
    id=identity("dispute.id"),
    state=text("dispute.state", indexed=True),
    amount=amount("dispute.amount"),
    opened_at=instant("dispute.opened_at"),
    opened_by=text("dispute.opened_by"),
    resolved_at=instant("dispute.resolved_at", empty=True),
    resolved_by=text("dispute.resolved_by", empty=True),
)
REFUNDS = Sorting(
    "id",
    identity("refund.id"),
    id=identity("refund.id"),
    amount=amount("refund.amount"),
    channel=text("refund.channel"),
    reference=text("refund.reference"),
    refunded_at=instant("refund.refunded_at"),
    refunded_by=text("refund.refunded_by"),
)


@dataclass(frozen=True)
class NoteView:
    """A credit note with all that is printed on it."""

    note: CreditNote
    invoice: Invoice
    customer: Customer
    lines: Sequence[CreditNoteLine]
    fiscal: Fiscal


@dataclass(frozen=True)
class Credit:
    """What a customer has in its favour: `available` may be refunded, `reported` is not confirmed yet. Both go to the next invoice."""

    currency: str
    available: Decimal
    reported: Decimal


async def get_credit(session: AsyncSession, customer_id: UUID) -> Credit:
    """What a customer has in its favour. Raises NotFound."""
    found = await rows(session, CREDIT, customer_id)
    if not found:
        raise NotFound(f"No existe el cliente {customer_id}.")
    return Credit(*found[0])


async def get_note(session: AsyncSession, note_id: UUID) -> NoteView:
    """A credit note, its lines, its invoice and its customer. Raises NotFound."""
    note = await session.get(CreditNote, note_id, populate_existing=True)
    if note is None:
        raise NotFound(f"No existe la nota de crédito {note_id}.")
    query = select(CreditNoteLine).where(CreditNoteLine.credit_note_id == note_id).order_by(col(CreditNoteLine.number))
    lines = (await session.execute(query.execution_options(populate_existing=True))).scalars().all()
    invoice = await session.get_one(Invoice, note.invoice_id)
    series = await session.get_one(FiscalSeries, note.fiscal_series_id)
    return NoteView(note, invoice, await session.get_one(Customer, note.customer_id), lines, fiscal_of(series))


async def get_dispute(session: AsyncSession, dispute_id: UUID) -> Dispute:
    """A dispute. Raises NotFound."""
    found = await session.get(Dispute, dispute_id, populate_existing=True)
    if found is None:
        raise NotFound(f"No existe la disputa {dispute_id}.")
    return found


async def find(session: AsyncSession, kind: type[Kept], order: Order, **wanted: Any) -> list[Placed[Kept]]:
    """Credit notes, disputes or refunds; `wanted` are columns with the value that they must have, if any."""
    query = select(kind)
    for name, value in wanted.items():
        if value is not None:
            query = query.where(getattr(kind, name) == value)
    return await order.select(session, query)


def printed_note(view: NoteView) -> dict[str, Any]:
    """What `shared.pdf` prints of a credit note."""
    note = view.note
    return {
        **note.model_dump(mode="json", include={"number", "issue_date", "base", "tax", "total", "currency", "reason"}),
        "lines": [{"quantity": "1", **each.model_dump(mode="json")} for each in view.lines],
        "invoice": {"number": view.invoice.number, "issue_date": view.invoice.issue_date.isoformat()},
        "customer": printed_customer(view.customer),
        "fiscal_code": view.fiscal.authorization_code,
        "fiscal_range": view.fiscal.range,
        "fiscal_expires": view.fiscal.expires.isoformat(),
    }
