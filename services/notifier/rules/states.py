"""The states of messages and deliveries, and when a delivery is tried again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# Business time between tries; after the last one a person must look.
DELAYS = (
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=12),
    timedelta(hours=24),
    timedelta(hours=24),
)


class _AnyCase(StrEnum):
    @classmethod
    def _missing_(cls, value: object) -> "_AnyCase | None":
        return cls.__members__.get(str(value).upper())


class DeliveryState(_AnyCase):
    """QUEUED: will be tried. SENDING: a worker has it. UNKNOWN: the server may have it or not; tried again under the same Message-ID while
    tries are left."""

    QUEUED = "QUEUED"
    SENDING = "SENDING"
    ACCEPTED = "ACCEPTED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class MessageState(_AnyCase):
    """QUEUED while something will still be tried; ACCEPTED by every recipient's server; FAILED or UNKNOWN: a person must help."""

    QUEUED = "QUEUED"
    ACCEPTED = "ACCEPTED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class Kind(StrEnum):
    """What became of one try."""

    ACCEPTED = "accepted"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """The result of one try: `code` and `detail` are the server's words, or ours (Spanish) where it did not speak."""

    kind: Kind
    code: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class Verdict:
    """What follows from a try. `helpless`: no more tries, a person must be told."""

    state: DeliveryState
    next_attempt_at: datetime | None = None
    helpless: bool = False


def verdict(outcome: Outcome, attempts: int, now: datetime) -> Verdict:
    """The delivery's next state after its `attempts`-th try at `now` (UTC, business)."""
    if outcome.kind is Kind.ACCEPTED:
        return Verdict(DeliveryState.ACCEPTED)
    if outcome.kind is Kind.PERMANENT:
        return Verdict(DeliveryState.FAILED, helpless=True)
    tries_left = attempts <= len(DELAYS)
    again = now + DELAYS[attempts - 1] if tries_left else None
    if outcome.kind is Kind.UNKNOWN:
        return Verdict(DeliveryState.UNKNOWN, again, helpless=not tries_left)
    return Verdict(DeliveryState.QUEUED if tries_left else DeliveryState.FAILED, again, helpless=not tries_left)


def message_state(deliveries: Sequence[tuple[DeliveryState, bool]]) -> MessageState:
    """The message's state from its deliveries: each one's state, and whether it will be tried again."""
    states = {state for state, _ in deliveries}
    if states == {DeliveryState.ACCEPTED}:
        return MessageState.ACCEPTED
    if any(again or state in {DeliveryState.QUEUED, DeliveryState.SENDING} for state, again in deliveries):
        return MessageState.QUEUED
    return MessageState.FAILED if DeliveryState.FAILED in states else MessageState.UNKNOWN
