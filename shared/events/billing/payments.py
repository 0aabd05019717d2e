"""What billing tells of payments, and of money that is given back."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from shared.events.base import Amount, Currency, Event, Payload


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
