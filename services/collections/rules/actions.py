"""What the policy does about an account by itself."""

from decimal import Decimal
from uuid import UUID

from services.collections.rules.facts import Hold, Invoice, Restriction, Suspension
from services.collections.rules.records import dataclass
from services.collections.rules.states import FeeKind, ReleaseCause, WithdrawCause
from shared.operator import Reminder


@dataclass(frozen=True, slots=True)
class DispatchInvoice:
    """The system sends the month's invoice."""

    invoice: Invoice


@dataclass(frozen=True, slots=True)
class Remind:
    """The policy reminds of an invoice."""

    reminder: Reminder
    invoice: Invoice


@dataclass(frozen=True, slots=True)
class SendNotice:
    """The system tells the desks of a coming cut."""

    invoice: Invoice


@dataclass(frozen=True, slots=True)
class Restrict:
    """The service is to be restricted."""


@dataclass(frozen=True, slots=True)
class ReleaseRestriction:
    """A restriction no longer stands."""

    restriction: Restriction
    cause: ReleaseCause


@dataclass(frozen=True, slots=True)
class OrderCut:
    """The service is to be cut. `resumes` is the order that an outage took back; its agent orders again."""

    agent: str
    resumes: UUID | None = None


@dataclass(frozen=True, slots=True)
class WithdrawCut:
    """An order to cut no longer stands."""

    suspension: Suspension
    cause: WithdrawCause


@dataclass(frozen=True, slots=True)
class OrderReconnection:
    """The system has the service switched on again."""

    suspension: Suspension
    basis: str


@dataclass(frozen=True, slots=True)
class HandToRecovery:
    """The case of a cut that stands goes to recovery."""

    suspension: Suspension


@dataclass(frozen=True, slots=True)
class ChargeFee:
    """A fee of the policy is due, once for its `occasion`."""

    kind: FeeKind
    occasion: str
    invoice_id: UUID | None
    amount: Decimal
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class EndHold:
    """The instant of a hold has come."""

    hold: Hold


# What is done account by account; invoices go out for all accounts together.
Single = (
    Remind | Restrict | ReleaseRestriction | SendNotice | OrderCut | WithdrawCut | OrderReconnection | HandToRecovery | EndHold | ChargeFee
)
Action = DispatchInvoice | Single
