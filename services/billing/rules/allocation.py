"""Which invoices a payment goes to: the one that was named first, then the oldest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

ZERO = Decimal(0)


@dataclass(frozen=True)
class OpenInvoice:
    """What of an invoice nobody has paid or reported as paid yet; `open` is never negative."""

    id: UUID
    due_date: date
    issue_date: date
    number: str
    open: Decimal


@dataclass(frozen=True)
class Share:
    """The part of a payment that goes to one invoice."""

    invoice_id: UUID
    amount: Decimal


def spread(amount: Decimal, invoices: Sequence[OpenInvoice], *, first: UUID | None = None) -> tuple[list[Share], Decimal]:
    """Divide `amount` over the invoices, `first` before all others and then the oldest due; answer the parts and what is left over.

    Nothing is rounded: parts and rest add up to the amount exactly, and no part exceeds what is open.
    """
    ordered = sorted(invoices, key=lambda each: (each.id != first, each.due_date, each.issue_date, each.number))
    shares: list[Share] = []
    for invoice in ordered:
        part = min(amount, invoice.open)
        if part > ZERO:
            shares.append(Share(invoice.id, part))
            amount -= part
    return shares, amount
