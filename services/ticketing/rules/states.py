"""The states of ticketing's things."""

from enum import StrEnum


class StepState(StrEnum):
    """A turn of a step: called for but held by its joins, open, finished, skipped because its `when` does not hold, or dropped because the
    ticket closed first."""

    WAITING = "WAITING"
    OPEN = "OPEN"
    FINISHED = "FINISHED"
    SKIPPED = "SKIPPED"
    DROPPED = "DROPPED"


class SwitchState(StrEnum):
    """A switch of the network. CLAIMED: a worker is about to call, or is calling. UNKNOWN: nobody knows yet whether it happened."""

    QUEUED = "QUEUED"
    CLAIMED = "CLAIMED"
    UNKNOWN = "UNKNOWN"
    DONE = "DONE"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"


SETTLED = frozenset({SwitchState.DONE, SwitchState.REFUSED, SwitchState.CANCELLED})


class SuspensionState(StrEnum):
    """An order to cut: under way, fallen before any cut, refused by the network, carried out, and switched on again."""

    REQUESTED = "REQUESTED"
    CANCELLED = "CANCELLED"
    REFUSED = "REFUSED"
    SUSPENDED = "SUSPENDED"
    RECONNECTED = "RECONNECTED"


class RestrictionState(StrEnum):
    """An order to restrict: under way, carried out, being released; released, replaced by the cut, fallen before it was done, refused by
    the network."""

    REQUESTED = "REQUESTED"
    RESTRICTED = "RESTRICTED"
    RELEASING = "RELEASING"
    RELEASED = "RELEASED"
    SUSPENDED = "SUSPENDED"
    CANCELLED = "CANCELLED"
    REFUSED = "REFUSED"


class NetworkState(StrEnum):
    """How a service is in the network: connected, connected and seeing nothing but the payment page, or cut."""

    ACTIVE = "active"
    RESTRICTED = "restricted"
    SUSPENDED = "suspended"

    @classmethod
    def of(cls, power: str | None, last: str) -> "NetworkState":
        """From the last switch of its connection (suspend, reconnect) and the last of all."""
        if power == "suspend":
            return cls.SUSPENDED
        return cls.RESTRICTED if last == "restrict" else cls.ACTIVE


class ReconnectionState(StrEnum):
    """An order to reconnect. HELD: the cut's outcome is not known yet. VOID: there was no cut after all."""

    HELD = "HELD"
    ORDERED = "ORDERED"
    DONE = "DONE"
    REFUSED = "REFUSED"
    VOID = "VOID"
