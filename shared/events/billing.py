"""What billing tells: customers, invoices, payments. Topic `billing.events`, key = customer id."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Amount, Currency, Delivery, Event, Payload


class Contact(Payload):
    """Someone to talk to at the customer's."""

    name: str
    role: str
    email: str | None = None
    phone: str | None = None


class ServiceSold(Payload):
    """One service of the customer, as sold and as delivered."""

    service_id: UUID
    plan_code: str
    plan_kind: str
    delivery: Delivery
    network_login: str | None = None
    access_node: str | None = None
    monthly_amount: Amount
    active_from: date
    active_to: date | None = None


class CustomerState(Event):
    """The whole customer as billing knows it; a later one replaces an earlier one."""

    customer_id: UUID
    external_source: str
    external_id: str
    name: str
    tax_id: str | None = None
    is_isp: bool = False
    special_negotiation: str | None = None
    assigned_agent: str | None = None
    contract_start: date | None = None
    contract_end: date | None = None
    monthly_amount: Amount
    currency: Currency
    contacts: list[Contact]
    services: list[ServiceSold]
    opening_status: str | None = None


class CustomerRegistered(CustomerState):
    """A customer exists from now on."""

    TYPE: ClassVar[str] = "billing.customer_registered.v1"


class CustomerChanged(CustomerState):
    """Something of the customer, its contract or its services changed."""

    TYPE: ClassVar[str] = "billing.customer_changed.v1"


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


class Allocation(Payload):
    """The part of a payment that goes to one invoice."""

    invoice_id: UUID
    amount: Amount


class PaymentReported(Event):
    """The customer (or a bank's file) says that it paid. `open_after` is what stays unpaid of all issued invoices once
    every reported payment is believed: zero means that nothing is owed any more."""

    TYPE: ClassVar[str] = "billing.payment_reported.v1"
    payment_id: UUID
    customer_id: UUID
    amount: Amount
    currency: Currency
    reference: str
    channel: str
    reported_at: datetime
    reported_by: str
    allocations: list[Allocation]
    open_after: Amount


class PaymentConfirmed(Event):
    """The money is there."""

    TYPE: ClassVar[str] = "billing.payment_confirmed.v1"
    payment_id: UUID
    customer_id: UUID
    amount: Amount
    currency: Currency
    reference: str
    confirmed_at: datetime
    allocations: list[Allocation]
    open_after: Amount


class PaymentRejected(Event):
    """The money never came; what was believed paid is owed again."""

    TYPE: ClassVar[str] = "billing.payment_rejected.v1"
    payment_id: UUID
    customer_id: UUID
    amount: Amount
    currency: Currency
    reference: str
    rejected_at: datetime
    reason: str
    allocations: list[Allocation]
    open_after: Amount


class PaymentReversed(Event):
    """A payment that counted counts no longer, although it was confirmed: the bank took it back, or it was booked to the wrong customer and
    goes to `moved_to` (told there as a payment of its own). `allocations` are the parts that it had on invoices: they are owed again."""

    TYPE: ClassVar[str] = "billing.payment_reversed.v1"
    payment_id: UUID
    customer_id: UUID
    amount: Amount
    currency: Currency
    reference: str
    reversed_at: datetime
    reason: str
    allocations: list[Allocation]
    open_after: Amount
    moved_to: UUID | None = None


class PaymentAllocated(Event):
    """Money that an earlier payment had left over goes to invoices now: the month's invoice was issued, or another payment was rejected.
    `allocations` are the parts added now; `confirmed` says whether the money is there or still only reported."""

    TYPE: ClassVar[str] = "billing.payment_allocated.v1"
    payment_id: UUID
    customer_id: UUID
    currency: Currency
    confirmed: bool
    allocations: list[Allocation]
    open_after: Amount
    allocated_at: datetime


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


class CreditRefunded(Event):
    """Money that the customer had left over was given back to it."""

    TYPE: ClassVar[str] = "billing.credit_refunded.v1"
    refund_id: UUID
    customer_id: UUID
    amount: Amount
    currency: Currency
    reference: str
    refunded_by: str
    refunded_at: datetime


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


class ServicePlanChanged(Event):
    """A service has another plan from a day on (operator's zone). `reference` is the ticket's id where the change was agreed in one."""

    TYPE: ClassVar[str] = "billing.service_plan_changed.v1"
    customer_id: UUID
    service_id: UUID
    from_plan: str
    to_plan: str
    monthly_amount: Amount
    currency: Currency
    effective_from: date
    reason: str
    reference: UUID | None = None


class AgreementRefused(Event):
    """What was agreed with a customer in a ticket cannot be carried out as it stands there: a person has to look at it."""

    TYPE: ClassVar[str] = "billing.agreement_refused.v1"
    agreement_id: UUID
    ticket_id: UUID
    customer_id: UUID
    detail: str
    refused_at: datetime


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
