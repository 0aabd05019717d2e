"""What collections tells of a customer: policy, agent, status, contacts, what is sent to it, fees."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Amount, Currency, Event


class SegmentChanged(Event):
    """From now on this policy rules the customer (VIP-2)."""

    TYPE: ClassVar[str] = "collections.segment_changed.v1"
    customer_id: UUID
    policy: str
    note: str
    changed_by: str
    changed_at: datetime
    previous: str | None = None


class AgentAssigned(Event):
    """The customer is in this agent's portfolio (VIP-4)."""

    TYPE: ClassVar[str] = "collections.agent_assigned.v1"
    customer_id: UUID
    agent: str
    assigned_by: str
    assigned_at: datetime
    previous: str | None = None
    reason: str = ""


class StatusChanged(Event):
    """The status, a function of facts, policy and clock, has another value. `code` is stable, `label` the operator's."""

    TYPE: ClassVar[str] = "collections.status_changed.v1"
    customer_id: UUID
    previous: str
    code: str
    label: str
    rule: str
    reason: str
    changed_at: datetime


class InvoiceDispatchRequested(Event):
    """The month's invoice goes to the customer now (VIP-5)."""

    TYPE: ClassVar[str] = "collections.invoice_dispatch_requested.v1"
    customer_id: UUID
    invoice_id: UUID
    number: str
    requested_by: str
    requested_at: datetime


class ReminderRequested(Event):
    """The policy reminds the customer of what it owes."""

    TYPE: ClassVar[str] = "collections.reminder_requested.v1"
    customer_id: UUID
    reminder: str
    amount: Amount
    currency: Currency
    due_date: date
    requested_at: datetime


class ContactRecorded(Event):
    """Who spoke with the customer, when, how, and what was said (VIP-7)."""

    TYPE: ClassVar[str] = "collections.contact_recorded.v1"
    contact_id: UUID
    customer_id: UUID
    kind: str
    channel: str
    agent: str
    said: str
    contacted_at: datetime
    invoice_id: UUID | None = None


class FeeDue(Event):
    """A fee of the policy is due: for an invoice that is late, or for a reconnection that was ordered. `amount` is without tax; billing
    issues one invoice for each `fee_id`."""

    TYPE: ClassVar[str] = "collections.fee_due.v1"
    fee_id: UUID
    customer_id: UUID
    invoice_id: UUID | None
    kind: Literal["late", "reconnection"]
    amount: Amount
    currency: Currency
    rule: str
    reason: str
    due_at: datetime
