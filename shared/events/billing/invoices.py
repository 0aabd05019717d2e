"""What billing tells of invoices, and of what takes part of them back."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Amount, Currency, Event, Payload


class InvoiceLine(Payload):
    """One line of an invoice; `base + tax = total`."""

    description: str
    quantity: Amount
    base: Amount
    tax_code: str
    tax_rate: Amount
    tax: Amount
    total: Amount


class InvoiceIssued(Event):
    """An invoice is out. `due_date` is the last day (operator's time zone) on which payment is in time; `fee` says which fee it charges."""

    TYPE: ClassVar[str] = "billing.invoice_issued.v1"
    invoice_id: UUID
    customer_id: UUID
    number: str
    origin: Literal["run", "opening", "manual"] = "run"
    fee: Literal["late", "reconnection"] | None = None
    period: str
    issue_date: date
    due_date: date
    base: Amount
    tax: Amount
    total: Amount
    balance: Amount
    currency: Currency
    fiscal_code: str | None = None
    fiscal_range: str | None = None
    fiscal_expires: date | None = None
    lines: list[InvoiceLine] = []


class InvoiceOverdue(Event):
    """The due date ended and something of the invoice is neither paid nor reported as paid."""

    TYPE: ClassVar[str] = "billing.invoice_overdue.v1"
    invoice_id: UUID
    customer_id: UUID
    number: str
    period: str
    due_date: date
    balance: Amount
    currency: Currency


class InvoicePaid(Event):
    """Confirmed payments and credit notes cover the invoice. A payment that bounces opens it again (PaymentReversed)."""

    TYPE: ClassVar[str] = "billing.invoice_paid.v1"
    invoice_id: UUID
    customer_id: UUID
    number: str
    period: str
    paid_at: datetime


class InvoiceVoided(Event):
    """The invoice no longer counts; its number stays used."""

    TYPE: ClassVar[str] = "billing.invoice_voided.v1"
    invoice_id: UUID
    customer_id: UUID
    number: str
    period: str
    reason: str
    voided_at: datetime


class FreedPart(Payload):
    """A part of a payment that lay on the invoice of a credit note and is free for other invoices again."""

    payment_id: UUID
    amount: Amount


class CreditNoteIssued(Event):
    """A credit note takes back part of an invoice. `amount` includes the tax. What payments had covered of it is theirs again (`freed`);
    where that goes to other invoices, PaymentAllocated follows."""

    TYPE: ClassVar[str] = "billing.credit_note_issued.v1"
    credit_note_id: UUID
    customer_id: UUID
    invoice_id: UUID
    number: str
    amount: Amount
    currency: Currency
    reason: str
    issued_at: datetime
    open_after: Amount
    freed: list[FreedPart] = []


class DisputeOpened(Event):
    """The customer does not agree with part of an invoice: nobody collects that amount until the dispute is resolved."""

    TYPE: ClassVar[str] = "billing.dispute_opened.v1"
    dispute_id: UUID
    customer_id: UUID
    invoice_id: UUID
    amount: Amount
    currency: Currency
    reason: str
    opened_by: str
    opened_at: datetime


class DisputeResolved(Event):
    """A dispute is over. Accepted: a credit note took the amount back (CreditNoteIssued came just before). Rejected: it is owed."""

    TYPE: ClassVar[str] = "billing.dispute_resolved.v1"
    dispute_id: UUID
    customer_id: UUID
    invoice_id: UUID
    outcome: Literal["accepted", "rejected"]
    amount: Amount
    currency: Currency
    resolved_by: str
    resolved_at: datetime


class BillingRunCompleted(Event):
    """Every chunk of the month's run is done."""

    TYPE: ClassVar[str] = "billing.billing_run_completed.v1"
    run_id: UUID
    period: str
    invoices: int
    total: Amount
    currency: Currency
    completed_at: datetime

    def key(self) -> str:
        return f"run/{self.period}"
