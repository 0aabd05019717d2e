"""What collections tells: segment and status, promises, plans, notices, the orders to cut and to reconnect.
Topic `collections.events`, key = customer id."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Amount, Currency, Delivery, Event, Payload


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


class PromiseMade(Event):
    """The customer promised to pay by an instant (VIP-11: at most two per unpaid month)."""

    TYPE: ClassVar[str] = "collections.promise_made.v1"
    promise_id: UUID
    customer_id: UUID
    ordinal: int
    amount: Amount
    currency: Currency
    due_at: datetime
    agent: str
    period: str = ""


class PromiseKept(Event):
    """The ledger shows the promised amount, reported in time."""

    TYPE: ClassVar[str] = "collections.promise_kept.v1"
    promise_id: UUID
    customer_id: UUID
    ordinal: int
    kept_at: datetime


class PromiseBroken(Event):
    """The promise's instant passed without the amount."""

    TYPE: ClassVar[str] = "collections.promise_broken.v1"
    promise_id: UUID
    customer_id: UUID
    ordinal: int
    due_at: datetime
    amount: Amount
    currency: Currency


class PromiseLapsed(Event):
    """The promise counts no more: a payment plan took its place, or nothing was owed any more."""

    TYPE: ClassVar[str] = "collections.promise_lapsed.v1"
    promise_id: UUID
    customer_id: UUID
    ordinal: int
    lapsed_at: datetime


class Instalment(Payload):
    """One part of a payment plan, due at an instant."""

    number: int
    due_at: datetime
    amount: Amount


class PaymentPlanAgreed(Event):
    """The debt is paid in instalments."""

    TYPE: ClassVar[str] = "collections.payment_plan_agreed.v1"
    plan_id: UUID
    customer_id: UUID
    currency: Currency
    instalments: list[Instalment]
    agent: str
    agreed_at: datetime


class PaymentPlanBroken(Event):
    """An instalment's instant passed without its amount."""

    TYPE: ClassVar[str] = "collections.payment_plan_broken.v1"
    plan_id: UUID
    customer_id: UUID
    instalment: int
    broken_at: datetime


class PaymentPlanCompleted(Event):
    """Every instalment is paid."""

    TYPE: ClassVar[str] = "collections.payment_plan_completed.v1"
    plan_id: UUID
    customer_id: UUID
    completed_at: datetime


class PaymentPlanLapsed(Event):
    """A plan of unknown terms that the customer brought along has come to its end."""

    TYPE: ClassVar[str] = "collections.payment_plan_lapsed.v1"
    plan_id: UUID
    customer_id: UUID
    lapsed_at: datetime


class ReviewOpened(Event):
    """Something of the customer's billing is looked into (VIP-23)."""

    TYPE: ClassVar[str] = "collections.review_opened.v1"
    review_id: UUID
    customer_id: UUID
    reason: str
    opened_by: str
    opened_at: datetime


class ReviewClosed(Event):
    """The review is concluded."""

    TYPE: ClassVar[str] = "collections.review_closed.v1"
    review_id: UUID
    customer_id: UUID
    conclusion: str
    closed_by: str
    closed_at: datetime


class SuspensionNoticeRequested(Event):
    """The five desks are to be told of a coming cut (VIP-10); `notice` names the notice of the operator's files."""

    TYPE: ClassVar[str] = "collections.suspension_notice_requested.v1"
    notice_id: UUID
    customer_id: UUID
    notice: str
    amount: Amount
    currency: Currency
    reason: str
    requested_by: str
    requested_at: datetime


class SuspensionRequested(Event):
    """Cut the service. Ticketing opens the ticket of `procedure`; the request is not the cut. `invoice_ids` are what is owed; the order
    falls when they are reported as paid in full, or with `release_on` any when any payment is reported. `except_services` are on hold and
    stay on."""

    TYPE: ClassVar[str] = "collections.suspension_requested.v1"
    suspension_id: UUID
    customer_id: UUID
    procedure: str
    delivery: Delivery
    rule: str
    reason: str
    amount: Amount
    currency: Currency
    invoice_ids: list[UUID]
    release_on: Literal["full", "any"] = "full"
    agent: str
    requested_at: datetime
    except_services: list[UUID] = []


class SuspensionWithdrawn(Event):
    """The order to cut no longer stands (an outage, a hold); a switch not yet claimed is cancelled."""

    TYPE: ClassVar[str] = "collections.suspension_withdrawn.v1"
    suspension_id: UUID
    customer_id: UUID
    reason: str
    withdrawn_at: datetime


class ReconnectionRequested(Event):
    """Switch the service on again; `basis` says what was negotiated (VIP-20, VIP-21)."""

    TYPE: ClassVar[str] = "collections.reconnection_requested.v1"
    reconnection_id: UUID
    suspension_id: UUID
    customer_id: UUID
    procedure: str
    delivery: Delivery
    basis: Literal["payment", "promise", "payment_plan", "review"]
    target_status: str
    rule: str
    agent: str
    requested_at: datetime


class RecoveryRequested(Event):
    """The day has come on which a cut customer that still owes is handed to recovery (VIP-16): ticketing opens `procedure`. Told once; and
    once more where the case was closed by a payment that was rejected afterwards. `amount` is what is owed by then."""

    TYPE: ClassVar[str] = "collections.recovery_requested.v1"
    recovery_id: UUID
    suspension_id: UUID
    customer_id: UUID
    procedure: str
    delivery: Delivery
    rule: str
    reason: str
    amount: Amount
    currency: Currency
    agent: str
    requested_at: datetime


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


class HoldPlaced(Event):
    """The customer, or one of its services, is left out of reminders, notices and cuts until an instant: somebody answers for that."""

    TYPE: ClassVar[str] = "collections.hold_placed.v1"
    hold_id: UUID
    customer_id: UUID
    service_id: UUID | None = None
    reason: str
    owner: str
    until: datetime
    placed_by: str
    placed_at: datetime


class HoldEnded(Event):
    """A hold is over: its instant came (`expired`), or somebody ended it before."""

    TYPE: ClassVar[str] = "collections.hold_ended.v1"
    hold_id: UUID
    customer_id: UUID
    service_id: UUID | None = None
    cause: Literal["expired", "ended"]
    reason: str
    ended_by: str
    ended_at: datetime
