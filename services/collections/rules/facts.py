"""The facts of one account, as everything that collections decides looks at them. Every fact says when it came to be known.

Instants are aware UTC. A fact counts at an instant when it was known by then; later ones are as if they did not exist.
"""

from collections.abc import Callable
from dataclasses import field
from datetime import date, datetime
from decimal import Decimal
from functools import wraps
from typing import Any, TypeVar
from uuid import UUID

from services.collections.rules.records import dataclass
from services.collections.rules.states import PlanState, PromiseState, SuspensionState

Answer = TypeVar("Answer")
UNASKED = object()


@dataclass(frozen=True, slots=True)
class Part:
    """What of a payment goes to an invoice since `believed_at`. The money is there from `confirmed_at`; it never came, or went back, at
    `rejected_at`."""

    payment_id: UUID
    amount: Decimal
    believed_at: datetime
    confirmed_at: datetime | None = None
    rejected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Deduction:
    """What nobody collects of an invoice: a credit note's amount for good, a disputed one `until` the dispute is resolved."""

    id: UUID
    kind: str
    amount: Decimal
    reason: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice; `balance` is what was owed on it when it came, `due_ends_at` when its last day in time has ended. One that charges a
    `fee` is a debt like any other, and not the month. `cut_since` is when the policy began to allow cuts on other days than before."""

    id: UUID
    number: str
    period: str
    origin: str
    due_date: date
    due_ends_at: datetime
    balance: Decimal
    issued_at: datetime
    parts: tuple[Part, ...] = ()
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    dispatched_at: datetime | None = None
    receipt_confirmed_at: datetime | None = None
    reminders: tuple[str, ...] = ()
    fee: str | None = None
    deductions: tuple[Deduction, ...] = ()
    cut_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as reported, whole: also what no invoice took. `rejected_at` is when it turned out that the money never came, or after
    it had been confirmed that it went back."""

    id: UUID
    amount: Decimal
    reported_at: datetime
    confirmed_at: datetime | None = None
    rejected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise for the unpaid month `period`. `state` is what was last told of it."""

    id: UUID
    period: str
    ordinal: int
    amount: Decimal
    made_at: datetime
    due_at: datetime
    agent: str
    known_payments: tuple[UUID, ...] = ()
    state: str = PromiseState.RUNNING


@dataclass(frozen=True, slots=True)
class Instalment:
    """One part of a plan."""

    number: int
    due_at: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """A payment plan; without instalments it is one that the customer brought along, and holds until `holds_until`."""

    id: UUID
    agreed_at: datetime
    agent: str
    instalments: tuple[Instalment, ...] = ()
    holds_until: datetime | None = None
    known_payments: tuple[UUID, ...] = ()
    state: str = PlanState.RUNNING


@dataclass(frozen=True, slots=True)
class Review:
    """Something of the billing is looked into until `closed_at`."""

    id: UUID
    opened_at: datetime
    reason: str
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice of a coming cut for the unpaid month `period`."""

    id: UUID
    period: str
    requested_at: datetime
    accepted_at: datetime | None = None
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suspension:
    """An order to cut and what became of it (see models/cuts.py). `recovery_id` is the case that recovery has of it here."""

    id: UUID
    agent: str
    requested_at: datetime
    state: str = SuspensionState.REQUESTED
    source: str = "PERSON"
    invoice_ids: tuple[UUID, ...] = ()
    withdrawn_at: datetime | None = None
    withdraw_cause: str | None = None
    ended_at: datetime | None = None
    suspended_at: datetime | None = None
    reconnection_requested_at: datetime | None = None
    basis: str | None = None
    target_status: str | None = None
    reconnected_at: datetime | None = None
    holds_until: datetime | None = None
    reconnection_refused_at: datetime | None = None
    recovery_requested_at: datetime | None = None
    recovery_ended_at: datetime | None = None
    recovery_id: UUID | None = None
    delivery: str = "own"
    rests_on: tuple[UUID, ...] | None = None


@dataclass(frozen=True, slots=True)
class Restriction:
    """An order to restrict and what became of it: done at `restricted_at`; over at `ended_at`, with this `outcome` (released, suspended,
    cancelled, refused). `invoice_ids` is empty for one that the customer brought along."""

    id: UUID
    requested_at: datetime
    release_procedure: str = ""
    invoice_ids: tuple[UUID, ...] = ()
    except_services: tuple[UUID, ...] = ()
    restricted_at: datetime | None = None
    release_requested_at: datetime | None = None
    release_cause: str | None = None
    release_refused_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage of an access node that the account hangs on."""

    id: UUID
    access_node: str
    declared_at: datetime
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee that was due, told to billing once: `occasion` is what it may be charged for only once."""

    id: UUID
    occasion: str
    kind: str
    amount: Decimal
    reason: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """The account, or one of its services, is left out of reminders, notices and cuts from `placed_at` until `until`, or until somebody
    ended it before (`ended_at`; one that expired has it, too, once that was told)."""

    id: UUID
    service_id: UUID | None
    reason: str
    owner: str
    placed_at: datetime
    until: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cover:
    """Somebody stands in for the account's agent from `from_at` until `until`, or until it was called off before (`ended_at`)."""

    covered_by: str
    from_at: datetime
    until: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """Since `approved_at` a manager allows that the account is cut from `from_at` until `until`."""

    from_at: datetime
    until: datetime
    approved_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything about one account. `status` and `status_since` are what was last told. Lists are in the order of their instants,
    invoices in that of their due dates. `services` are the ids of those that it has now and `deliveries` how each is delivered, read only
    where one of them is on hold; `delivery` is that of all: third_party where one is. `recovery_since` is when the policy began to hand
    cases to recovery on other days than before. `found_out` belongs to `once`."""

    account_id: UUID
    policy: str
    currency: str
    delivery: str
    registered_at: datetime
    agent: str | None = None
    name: str = ""
    status: str = "active"
    status_since: datetime | None = None
    version: int = 0
    next_review_at: datetime | None = None
    invoices: tuple[Invoice, ...] = ()
    payments: tuple[Payment, ...] = ()
    promises: tuple[Promise, ...] = ()
    plans: tuple[Plan, ...] = ()
    reviews: tuple[Review, ...] = ()
    notices: tuple[Notice, ...] = ()
    suspensions: tuple[Suspension, ...] = ()
    outages: tuple[Outage, ...] = field(default=())
    holds: tuple[Hold, ...] = ()
    covers: tuple[Cover, ...] = ()
    approvals: tuple[Approval, ...] = ()
    services: tuple[UUID, ...] = ()
    deliveries: tuple[str, ...] = ()
    last_contact_at: datetime | None = None
    fees: tuple[Fee, ...] = ()
    recovery_since: datetime | None = None
    restrictions: tuple[Restriction, ...] = ()
    found_out: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)


def once(decide: Callable[[Facts, datetime], Answer]) -> Callable[[Facts, datetime], Answer]:
    """What follows from facts at an instant is found out once, however many decisions of that instant rest on it: an account is asked the
    same some ten times a review. The answer is shared, so it must be one that nobody can change."""

    @wraps(decide)
    def answered(facts: Facts, at: datetime) -> Answer:
        found = facts.found_out.get((decide, at), UNASKED)
        if found is UNASKED:
            found = facts.found_out[decide, at] = decide(facts, at)
        return found  # type: ignore[no-any-return]

    return answered
