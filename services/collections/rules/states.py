"""The states that collections' rows go through. Stored as text, guarded by CHECK constraints."""

from enum import StrEnum

SYSTEM = "sistema"


class PromiseState(StrEnum):
    """RUNNING until the ledger shows the amount (KEPT) or the instant has passed (BROKEN). LAPSED: a plan took its place, or nothing was
    owed any more. A payment that is rejected later turns KEPT into RUNNING or BROKEN."""

    RUNNING = "RUNNING"
    KEPT = "KEPT"
    BROKEN = "BROKEN"
    LAPSED = "LAPSED"


class PlanState(StrEnum):
    """RUNNING until every instalment is reported (COMPLETED) or one was not in time (BROKEN). LAPSED: one of unknown terms that a
    customer brought along has come to its end."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    BROKEN = "BROKEN"
    LAPSED = "LAPSED"


class SuspensionState(StrEnum):
    """REQUESTED: ordered, and not the cut itself. WITHDRAWN: taken back, ticketing has not answered yet. CANCELLED and REFUSED: it never
    happened. RECONNECTING: cut, and the reconnection is ordered."""

    REQUESTED = "REQUESTED"
    WITHDRAWN = "WITHDRAWN"
    CANCELLED = "CANCELLED"
    REFUSED = "REFUSED"
    SUSPENDED = "SUSPENDED"
    RECONNECTING = "RECONNECTING"
    RECONNECTED = "RECONNECTED"


class DeductionKind(StrEnum):
    """Why nobody collects an amount of an invoice: it was taken back, or the customer disputes it."""

    CREDIT = "CREDIT"
    DISPUTE = "DISPUTE"


class FeeKind(StrEnum):
    """What a fee is charged for."""

    LATE = "late"
    RECONNECTION = "reconnection"


class Source(StrEnum):
    """Where a fact comes from: one of the operator's people, the policy's own doing, or the state in which the customer came to us."""

    PERSON = "PERSON"
    SYSTEM = "SYSTEM"
    IMPORT = "IMPORT"


class WithdrawCause(StrEnum):
    """Why an order to cut was taken back. After an outage it is ordered anew by itself."""

    OUTAGE = "OUTAGE"
    AGREEMENT = "AGREEMENT"
    NOTHING_OWED = "NOTHING_OWED"
    HOLD = "HOLD"


class ReleaseCause(StrEnum):
    """Why a restriction no longer stands."""

    PAYMENT = "payment"
    AGREEMENT = "agreement"
    NOTHING_OWED = "nothing_owed"
    HOLD = "hold"
    OUTAGE = "outage"
    POLICY = "policy"


class DossierState(StrEnum):
    """QUEUED until a worker has printed it; FAILED when it cannot be printed, `failure` says why."""

    QUEUED = "QUEUED"
    READY = "READY"
    FAILED = "FAILED"


class SimulationState(StrEnum):
    """How far a simulation is."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"


class StepKind(StrEnum):
    """What would happen to an account on a simulated day: the system reminds, restricts, sends a notice or cuts; its agent may send the
    notice or cut from then on; or one of these is due and a hold keeps it off."""

    REMIND = "REMIND"
    RESTRICT = "RESTRICT"
    NOTICE = "NOTICE"
    CUT = "CUT"
    NOTICE_POSSIBLE = "NOTICE_POSSIBLE"
    CUT_POSSIBLE = "CUT_POSSIBLE"
    HELD_REMIND = "HELD_REMIND"
    HELD_RESTRICT = "HELD_RESTRICT"
    HELD_NOTICE = "HELD_NOTICE"
    HELD_CUT = "HELD_CUT"


UNFINISHED = (SuspensionState.REQUESTED, SuspensionState.WITHDRAWN, SuspensionState.SUSPENDED, SuspensionState.RECONNECTING)
