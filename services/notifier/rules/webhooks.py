"""Webhooks without a database: the states of subscriptions and of what is on its way, signatures, and when a post is tried again.

The form is that of Standard Webhooks (https://www.standardwebhooks.com): `webhook-id`, `webhook-timestamp`, `webhook-signature`.
"""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from shared.events import Envelope

# Business time between tries of what a subscriber refuses, each stretched by up to a tenth so that not everything comes back at once.
DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
RESTS = (*DELAYS[:3], timedelta(hours=1))  # between looks for one who is not there: then always the last
LONGEST_WAIT = timedelta(hours=24)  # whatever the subscriber asks for
SECRET_PREFIX = "whsec_"  # noqa: S105 - not a secret, but how one begins
GONE = 410
TEST_TYPE = "notifier.webhook_test.v1"


class WebhookState(StrEnum):
    """ACTIVE: gets its events. PAUSED by a person, DISABLED by us: what happens meanwhile is kept for it."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    DISABLED = "DISABLED"


class PostState(StrEnum):
    """QUEUED: will be tried. SENDING: a worker has it. DELIVERED: answered with 2xx. FAILED: refused so often that it was given up."""

    QUEUED = "QUEUED"
    SENDING = "SENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Answer:
    """What came of one try. `status` is None when nobody answered; `detail` says in Spanish what is wrong, `text` is the beginning of what
    the subscriber wrote, `wait` what it asks us to wait."""

    status: int | None
    detail: str
    text: str = ""
    milliseconds: int = 0
    wait: timedelta | None = None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def missed(self) -> bool:
        """Nobody was there who could have taken anything: other events would fare no better."""
        return self.status is None or self.status == 429 or self.status >= 500


def next_try(answer: Answer, attempts: int, event_id: str, now: datetime) -> datetime | None:
    """When a post is tried again that was refused at `now` for the `attempts`-th time; None when no try is left."""
    if attempts > len(DELAYS):
        return None
    stretch = 1 + int.from_bytes(sha256(f"{event_id}/{attempts}".encode()).digest()[:2]) / 0xFFFF / 10
    asked = min(answer.wait or timedelta(0), LONGEST_WAIT)
    return now + max(DELAYS[attempts - 1] * stretch, asked)


def rest(answer: Answer, misses: int, now: datetime) -> datetime:
    """Until when a subscriber is left alone who was missed for the `misses`-th time in a row."""
    asked = min(answer.wait or timedelta(0), LONGEST_WAIT)
    return now + max(RESTS[min(misses, len(RESTS)) - 1], asked)


def headers(event_id: str, body: str, secrets: Sequence[str], at: datetime) -> Mapping[str, str]:
    """The headers of a post at a machine instant: signed with each secret that is valid, so that a subscriber may change over in its
    own time."""
    seconds = str(int(at.timestamp()))
    return {
        "content-type": "application/json",
        "user-agent": "Reconecta",
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(signature(each, event_id, seconds, body) for each in secrets),
    }


def signature(secret: str, event_id: str, seconds: str, body: str) -> str:
    """`v1,…`: HMAC-SHA256 of id, timestamp and body."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, f"{event_id}.{seconds}.{body}".encode(), sha256)).decode()


def secret_of(random: bytes) -> str:
    """A secret as subscribers get it."""
    return SECRET_PREFIX + base64.b64encode(random).decode()


def cloud_event(envelope: Envelope) -> str:
    """An event in the JSON form of CloudEvents 1.0: what subscribers get. `data` stands in it letter by letter as it travelled."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(envelope.id),
        "type": envelope.type,
        "source": envelope.source,
        "subject": envelope.subject,
        "sequence": str(envelope.sequence),
        "time": envelope.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
    }
    if envelope.traceparent:
        attributes["traceparent"] = envelope.traceparent
    return f'{json.dumps(attributes, ensure_ascii=False)[:-1]}, "data": {envelope.data}}}'


def wanted_by(types: Sequence[str], event_type: str) -> bool:
    """Does a subscription to these types get such an event? `billing.*` is every event of billing, `*` every one."""
    return any(each in {"*", event_type, event_type.partition(".")[0] + ".*"} for each in types)
