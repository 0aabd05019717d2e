"""What the notifier tells: which messages their receivers' servers took. Topic `notifier.events`, key = customer id."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from shared.events.base import Event, Payload


class DeliveryProof(Payload):
    """That a recipient's mail server took the message: under which Message-ID, when, and its answer where it gave one."""

    name: str
    recipient: str
    message_id: str
    accepted_at: datetime
    code: int | None = None
    reply: str = ""


class MessageAccepted(Event):
    """Every recipient's mail server accepted the message; `accepted_at` is when the last one did (VIP-10)."""

    TYPE: ClassVar[str] = "notifier.message_accepted.v1"
    message_id: UUID
    customer_id: UUID
    notice: str
    reference: str
    recipients: int
    accepted_at: datetime
    subject: str = ""
    deliveries: list[DeliveryProof] = []


class MessageFailed(Event):
    """A recipient will not get the message without a person's help."""

    TYPE: ClassVar[str] = "notifier.message_failed.v1"
    message_id: UUID
    customer_id: UUID
    notice: str
    reference: str
    recipient: str
    reason: str
    failed_at: datetime


class WebhookDisabled(Event):
    """A subscriber's address has failed for too long, or said that it is gone: nothing is sent there until somebody turns it on again.
    Without a customer; key = the subscription's id."""

    TYPE: ClassVar[str] = "notifier.webhook_disabled.v1"
    webhook_id: UUID
    description: str
    host: str
    failing_since: datetime
    reason: str
    waiting: int
    disabled_at: datetime

    def key(self) -> str:
        return str(self.webhook_id)
