"""Which invoices a payment goes to: in the order that the operator decides, and to what is disputed last."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

ZERO = Decimal(0)
OLDEST_FIRST = ("named", "oldest")


@dataclass(frozen=True)
class OpenInvoice:
    """What of an invoice nobody has paid or reported as paid yet; `open` is never negative. `disputed` is the part of it that the customer
    does not agree with."""

    id: UUID
    due_date: date
    issue_date: date
    number: str
    open: Decimal
    disputed: Decimal = ZERO
    fee: bool = False


@dataclass(frozen=True)
class Share:
    """The part of a payment that goes to one invoice."""

    invoice_id: UUID
    amount: Decimal


# `payment_order` of operator.yaml: what each of its words sorts by. The second argument is the invoice that the payer named.
BY: dict[str, Callable[[OpenInvoice, UUID | None], Any]] = {
    "named": lambda invoice, named: invoice.id != named,
    "oldest": lambda invoice, named: (invoice.due_date, invoice.issue_date, invoice.number),
    "newest": lambda invoice, named: (-invoice.due_date.toordinal(), -invoice.issue_date.toordinal(), invoice.number),
    "fees_first": lambda invoice, named: not invoice.fee,
    "fees_last": lambda invoice, named: invoice.fee,
}


def spread(
    amount: Decimal, invoices: Sequence[OpenInvoice], *, first: UUID | None = None, order: Sequence[str] = OLDEST_FIRST
) -> tuple[list[Share], Decimal]:
    """Divide `amount` over the invoices in this order; answer the parts and what is left over. `first` is the one that was named.

    Nothing is rounded: parts and rest add up to the amount exactly, and no part exceeds what is open. Disputed amounts come last of all.
    """
    ordered = sorted(invoices, key=lambda each: [BY[word](each, first) for word in (*order, "oldest")])
    parts: dict[UUID, Decimal] = {}
    rooms = [(each.id, each.open - each.disputed) for each in ordered] + [(each.id, each.disputed) for each in ordered]
    for invoice_id, room in rooms:
        part = min(amount, room)
        if part > ZERO:
            parts[invoice_id] = parts.get(invoice_id, ZERO) + part
            amount -= part
    return [Share(invoice_id, part) for invoice_id, part in parts.items()], amount
