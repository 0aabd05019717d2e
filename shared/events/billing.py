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
    """An invoice is out. `due_date` is the last day (operator's time zone) on which payment is in time."""

    TYPE: ClassVar[str] = "billing.invoice_issued.v1"
    invoice_id: UUID
    customer_id: UUID
    number: str
    origin: Literal["run", "opening", "manual"] = "run"
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
    """Confirmed payments cover the invoice."""

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
