"""What collections tells of what was agreed with a customer: promises, plans, reviews, holds."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Amount, Currency, Event, Payload


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
