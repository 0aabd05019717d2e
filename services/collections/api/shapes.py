"""What the API shows of one account: its answers' models, in the order of their size."""

from datetime import date
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from services.collections.api.contacts import ContactView
from services.collections.api.views import MoneyView, RuleView, StatusSince


class PersonView(BaseModel):
    """Somebody of the operator's."""

    person: str | None
    name: str


class Amounts(BaseModel):
    """What is owed: `owed` believes every reported payment, `unconfirmed` of it waits for its confirmation."""

    owed: MoneyView
    overdue: MoneyView
    unconfirmed: MoneyView
    days_overdue: int
    next_due_date: date | None


class InvoiceView(BaseModel):
    """An invoice: `open` once every reported payment is believed."""

    id: UUID
    number: str
    period: str
    due_date: date
    total: MoneyView
    open: MoneyView
    sent_at: AwareDatetime | None
    sent_by: str | None
    receipt_confirmed_at: AwareDatetime | None
    receipt_confirmed_by: str | None
    paid_at: AwareDatetime | None
    voided_at: AwareDatetime | None


class PromiseView(BaseModel):
    """A promise and what the ledger says of it."""

    id: UUID
    period: str
    ordinal: int
    amount: MoneyView
    made_at: AwareDatetime
    due_at: AwareDatetime
    state: str
    agent: str


class InstalmentView(BaseModel):
    """One part of a plan."""

    number: int
    due_at: AwareDatetime
    amount: MoneyView


class PlanView(BaseModel):
    """A payment plan."""

    id: UUID
    state: str
    agreed_at: AwareDatetime
    agent: str
    instalments: list[InstalmentView]


class ReviewView(BaseModel):
    """Something that is looked into."""

    id: UUID
    reason: str
    opened_at: AwareDatetime
    opened_by: str
    closed_at: AwareDatetime | None
    conclusion: str | None


class NoticeView(BaseModel):
    """The notice of a coming cut; it counts from `accepted_at`."""

    id: UUID
    notice: str
    period: str
    amount: MoneyView
    requested_by: str
    requested_at: AwareDatetime
    accepted_at: AwareDatetime | None
    failed_at: AwareDatetime | None
    failure: str | None


class SuspensionView(BaseModel):
    """An order to cut. `label` says it in Spanish: *solicitada* until ticketing answers. `unresolved` is what the network answered, as
    long as nobody knows what it did."""

    id: UUID
    state: str
    label: str
    reason: str
    rule: RuleView
    amount: MoneyView
    agent: str
    requested_at: AwareDatetime
    suspended_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    reconnection_id: UUID | None
    basis: str | None
    target_status: str | None
    reconnection_requested_at: AwareDatetime | None
    reconnected_at: AwareDatetime | None
    unresolved_at: AwareDatetime | None
    unresolved: str | None


class RestrictionView(BaseModel):
    """An order to restrict the service to the payment page, before the cut. `label` says in Spanish how far it is."""

    id: UUID
    label: str
    reason: str
    rule: RuleView
    amount: MoneyView
    requested_at: AwareDatetime
    restricted_at: AwareDatetime | None
    release_requested_at: AwareDatetime | None
    release_reason: str | None
    ended_at: AwareDatetime | None
    outcome: str | None


class ObstacleView(BaseModel):
    """Something that forbids an action, what would help, and when it ends by time alone."""

    rule: RuleView
    reason: str
    remedy: str | None
    until: AwareDatetime | None


class ActionShown(BaseModel):
    """An action: whether it is allowed now and by whom, or which rules forbid it. `path` takes it, relative to the customer."""

    action: str
    label: str
    allowed: bool
    by: str
    reason: str
    rule: RuleView
    remedy: str | None
    allowed_from: AwareDatetime | None
    allowed_for_you: bool
    your_obstacle: str | None
    obstacles: list[ObstacleView]
    path: str


class HoldNote(BaseModel):
    """What keeps the customer, or one of its services, out of notices and cuts."""

    hold_id: UUID
    service_id: UUID | None
    reason: str
    owner: str
    until: AwareDatetime


class AccountDetails(BaseModel):
    """A customer as a collections agent wants to see it."""

    customer_id: UUID
    version: int
    external_source: str
    external_id: str
    name: str
    policy: str
    policy_name: str
    status: StatusSince
    agent: PersonView
    delivery: str
    monthly_amount: MoneyView
    contract_start: date | None
    contract_end: date | None
    people: list[dict[str, Any]]
    services: list[dict[str, Any]]
    amounts: Amounts
    invoices: list[InvoiceView]
    promises: list[PromiseView]
    plan: PlanView | None
    review: ReviewView | None
    notice: NoticeView | None
    suspension: SuspensionView | None
    restriction: RestrictionView | None
    holds: list[HoldNote]
    contacts: list[ContactView]
    next_actions: list[ActionShown]


class ClockView(BaseModel):
    """The instant that the explanation is for."""

    now: AwareDatetime
    local: str
    time_zone: str
    simulated: bool


class KnownView(BaseModel):
    """A fact and since when it is known."""

    kind: str
    text: str
    since: AwareDatetime
    fact_id: UUID | None


class NextView(BaseModel):
    """What will be the case from an instant on, unless a new fact comes first."""

    at: AwareDatetime
    local: str
    text: str
    rule: RuleView


class ChoiceView(BaseModel):
    """What the operator decided where its documents are silent."""

    rule: str
    text: str


class ExplanationView(BaseModel):
    """Why the customer is where it is: for people to read (`summary`, sentences), for programs to follow (codes, instants, rules)."""

    customer_id: UUID
    name: str
    policy: str
    policy_name: str
    decided_by: str
    clock: ClockView
    summary: str
    status: StatusSince
    may: list[ActionShown]
    may_not: list[ActionShown]
    facts: list[KnownView]
    next: list[NextView]
    choices: list[ChoiceView]
