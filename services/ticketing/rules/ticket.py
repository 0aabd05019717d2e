"""A ticket as the engine sees it, what may happen to it, and what follows: immutable values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from services.ticketing.rules.appointments import Appointment
from services.ticketing.rules.capture import Named
from services.ticketing.rules.sharing import Elsewhere
from services.ticketing.rules.states import StepState
from shared.operator.steps import Action

SYSTEM = "sistema"
WORK_LEFT = "work_left"  # another ticket has a piece of work open no longer
Cause = Literal["payment", "withdrawn"]
SwitchOutcome = Literal["done", "refused", "cancelled"]


@dataclass(frozen=True)
class Turn:
    """A step's n-th turn (a loop opens a step again). `claimed`: its network switch may already be happening. `filled` is what the system
    looked up for its form. Instants are UTC."""

    code: str
    number: int
    state: StepState
    opened_at: datetime | None = None
    deadline: datetime | None = None
    late: bool = False
    claimed: bool = False
    finished_at: datetime | None = None
    by: str | None = None
    outcome: str | None = None
    appointment: Appointment | None = None
    filled: Mapping[str, Any] = field(default_factory=dict)
    captured: Mapping[str, Any] = field(default_factory=dict)
    comment: str | None = None


@dataclass(frozen=True)
class Closure:
    """How the ticket ended: one of the procedure's outcomes, when, and the last word on it."""

    outcome: str
    at: datetime
    comment: str | None = None


@dataclass(frozen=True)
class Ticket:
    """A procedure under way. `requester` asked for it (SYSTEM: no person did); `agent` looks after the customer. `facts` is what was known
    when it began: how its services are delivered, what was written down to open it, what the ticket knew that started it. `elsewhere` is
    what the customer's other tickets do of the `work` of its steps."""

    requester: str
    agent: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()
    closed: Closure | None = None
    elsewhere: Mapping[str, Elsewhere] = field(default_factory=dict)

    def latest(self, code: str) -> Turn | None:
        """The step's last turn; None when it never came up."""
        return next((turn for turn in reversed(self.turns) if turn.code == code), None)

    def codes(self, state: StepState) -> frozenset[str]:
        """The steps whose last turn is in this state."""
        last = {turn.code: turn.state for turn in self.turns}
        return frozenset(code for code, found in last.items() if found is state)

    def known(self) -> dict[str, Any]:
        """What is known of the ticket by now, by name: its facts, and what was written down in finished steps, the latest last."""
        found = dict(self.facts)
        for turn in self.turns:
            if turn.state is StepState.FINISHED:
                found |= turn.captured
        return found

    @property
    def open(self) -> frozenset[str]:
        return self.codes(StepState.OPEN)

    @property
    def finished(self) -> frozenset[str]:
        return self.codes(StepState.FINISHED)

    @property
    def past(self) -> frozenset[str]:
        """The steps that nobody waits for any more: finished, or passed over."""
        return self.finished | self.codes(StepState.SKIPPED)

    @property
    def waiting(self) -> frozenset[str]:
        return self.codes(StepState.WAITING)


@dataclass(frozen=True)
class Actor:
    """Who finishes a step. The system may do what a requester has to click, never another desk's work."""

    person: str
    desks: frozenset[str] = frozenset()
    system: bool = False


THE_SYSTEM = Actor(SYSTEM, system=True)


@dataclass(frozen=True)
class Owner:
    """Whose a task is: one person's, or anybody's at a desk."""

    desk: str | None
    person: str | None = None


# ---- inputs ----


@dataclass(frozen=True)
class Open:
    """The procedure begins."""


@dataclass(frozen=True)
class Finish:
    """Somebody finishes a task. `named` is what the form may name."""

    step: str
    outcome: str
    actor: Actor
    captured: Mapping[str, Any] = field(default_factory=dict)
    comment: str | None = None
    named: Named = field(default_factory=Named)


@dataclass(frozen=True)
class Schedule:
    """Somebody agrees with the customer when a work order is done, for the first time or anew."""

    step: str
    actor: Actor
    appointment: Appointment


@dataclass(frozen=True)
class SwitchClaimed:
    """From now on the network may have done the step's switch."""

    step: str


@dataclass(frozen=True)
class SwitchResult:
    """All that the network had to do for the step is known."""

    step: str
    outcome: SwitchOutcome
    detail: str | None = None


@dataclass(frozen=True)
class EventArrived:
    """Something happened elsewhere that may close the ticket (`closes_on`), or WORK_LEFT."""

    code: str


@dataclass(frozen=True)
class Cancel:
    """What the ticket was opened for no longer stands."""

    cause: Cause
    comment: str | None = None


@dataclass(frozen=True)
class Filled:
    """What the system has looked up for the form of a turn, by field."""

    step: str
    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class DeadlinePassed:
    """A turn of a step is still open at its deadline."""

    step: str
    number: int


Input = Open | Finish | Filled | Schedule | SwitchClaimed | SwitchResult | EventArrived | Cancel | DeadlinePassed

# ---- effects ----


@dataclass(frozen=True)
class OpenTask:
    """A task is on its owner's list."""

    step: str
    owner: Owner


@dataclass(frozen=True)
class SwitchNetwork:
    """The network is to switch all of the customer's services, or to change one: `uses` of the step, looked up in what is known."""

    step: str
    action: Action
    uses: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TellAgreement:
    """What the customer agreed to is to be told: `uses` of the step, looked up in what is known."""

    step: str
    agreed: Mapping[str, Any]


@dataclass(frozen=True)
class StartProcedure:
    """Another procedure begins, as a ticket of its own that knows what this one knows. `by` brought it about."""

    code: str
    by: str


@dataclass(frozen=True)
class FillIn:
    """What the system can look up for the form of a turn that opened."""

    step: str
    number: int


@dataclass(frozen=True)
class CancelSwitch:
    """The step's switch is wanted no more."""

    step: str


@dataclass(frozen=True)
class ArmDeadline:
    """Tell at this instant (UTC) if the turn is still open."""

    step: str
    number: int
    at: datetime


@dataclass(frozen=True)
class CancelDeadline:
    """The turn is not open any more."""

    step: str
    number: int


@dataclass(frozen=True)
class Late:
    """A turn was still open at its deadline: `tell` these desks; `outcome` is followed by itself, None where the task stays open."""

    step: str
    number: int
    tell: tuple[str, ...] = ()
    outcome: str | None = None


@dataclass(frozen=True)
class Scheduled:
    """A work order has an appointment, or another one."""

    step: str
    number: int


@dataclass(frozen=True)
class Closed:
    """The ticket ended."""

    outcome: str
    comment: str | None


Timed = ArmDeadline | CancelDeadline
Told = Late | Scheduled | Closed
Effect = OpenTask | FillIn | SwitchNetwork | TellAgreement | StartProcedure | CancelSwitch | Timed | Told
