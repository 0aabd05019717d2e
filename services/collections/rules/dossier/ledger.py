"""The account as its invoices, payments, credit notes and disputes make it: worked out from what billing told, and from nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from shared.events import Event
from shared.events.billing import (
    CreditNoteIssued,
    DisputeOpened,
    DisputeResolved,
    InvoiceIssued,
    InvoicePaid,
    InvoiceVoided,
    PaymentAllocated,
    PaymentConfirmed,
    PaymentRejected,
    PaymentReported,
    PaymentReversed,
)

ZERO = Decimal(0)


@dataclass
class Bill:
    """An invoice and what became of it."""

    issued: InvoiceIssued
    at: datetime
    paid_at: datetime | None = None
    voided: InvoiceVoided | None = None
    credits: list[CreditNoteIssued] = field(default_factory=list)
    disputes: dict[UUID, Decimal] = field(default_factory=dict)

    @property
    def credited(self) -> Decimal:
        return sum((each.amount for each in self.credits), ZERO)


@dataclass
class Paid:
    """A payment, what it pays (invoice → amount), and how it ended. One that was never reported is a credit brought along."""

    at: datetime
    amount: Decimal
    channel: str
    reference: str
    reported_by: str | None
    parts: dict[UUID, Decimal] = field(default_factory=dict)
    confirmed_at: datetime | None = None
    undone: PaymentRejected | PaymentReversed | None = None


@dataclass
class Ledger:
    """Invoices and payments in the order in which they were heard of."""

    bills: dict[UUID, Bill] = field(default_factory=dict)
    payments: dict[UUID, Paid] = field(default_factory=dict)

    def paid(self, invoice_id: UUID) -> Decimal:
        """What payments that count bring to the invoice: reported or confirmed, and neither rejected nor reversed."""
        return sum((each.parts.get(invoice_id, ZERO) for each in self.payments.values() if each.undone is None), ZERO)

    def open(self, invoice_id: UUID) -> Decimal:
        """What is still owed on the invoice once every reported payment is believed."""
        bill = self.bills[invoice_id]
        return ZERO if bill.voided else bill.issued.balance - self.paid(invoice_id) - bill.credited

    def owed(self) -> Decimal:
        """What is still owed on all invoices."""
        return sum((self.open(each) for each in self.bills), ZERO)

    def hear(self, at: datetime, event: Event) -> None:
        """What one event means for the account; others mean nothing."""
        match event:
            case InvoiceIssued():
                self.bills[event.invoice_id] = Bill(event, at)
            case InvoicePaid() if event.invoice_id in self.bills:
                self.bills[event.invoice_id].paid_at = event.paid_at
            case InvoiceVoided() if event.invoice_id in self.bills:
                self.bills[event.invoice_id].voided = event
            case CreditNoteIssued() if event.invoice_id in self.bills:
                self.bills[event.invoice_id].credits.append(event)
                for part in event.freed:
                    self._add(part.payment_id, event.invoice_id, -part.amount)
            case DisputeOpened() if event.invoice_id in self.bills:
                self.bills[event.invoice_id].disputes[event.dispute_id] = event.amount
            case DisputeResolved() if event.invoice_id in self.bills:
                self.bills[event.invoice_id].disputes.pop(event.dispute_id, None)
            case PaymentReported() | PaymentConfirmed() | PaymentAllocated() | PaymentRejected() | PaymentReversed():
                self._pay(at, event)

    def _pay(self, at: datetime, event: PaymentReported | PaymentConfirmed | PaymentAllocated | PaymentRejected | PaymentReversed) -> None:
        if isinstance(event, PaymentReported):
            self.payments[event.payment_id] = Paid(at, event.amount, event.channel, event.reference, event.reported_by)
        amount = sum((each.amount for each in event.allocations), ZERO)
        found = self.payments.setdefault(event.payment_id, Paid(at, amount, "saldo a favor", "", None))
        if isinstance(event, PaymentRejected | PaymentReversed):
            found.undone = event
        elif isinstance(event, PaymentAllocated):
            for each in event.allocations:
                self._add(event.payment_id, each.invoice_id, each.amount)
        else:
            found.parts |= {each.invoice_id: each.amount for each in event.allocations}
        if isinstance(event, PaymentConfirmed):
            found.confirmed_at = event.confirmed_at

    def _add(self, payment_id: UUID, invoice_id: UUID, amount: Decimal) -> None:
        if payment_id in self.payments:
            parts = self.payments[payment_id].parts
            parts[invoice_id] = parts.get(invoice_id, ZERO) + amount


def ledger_of(told: Iterable[tuple[datetime, Event]]) -> Ledger:
    """The account after these events, given in the order in which they were heard of."""
    found = Ledger()
    for at, event in told:
        found.hear(at, event)
    return found
