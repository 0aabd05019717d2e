"""What is told when somebody will not get a message without a person's help."""

from datetime import datetime

from services.notifier.models import Delivery, Message
from shared.events.notifier import MessageFailed
from shared.outbox import Outgoing


def failure_event(message: Message, delivery: Delivery, version: int, now: datetime) -> Outgoing | None:
    """The event to publish; None for a message that is not about a customer: nobody waits for it."""
    if message.customer_id is None:
        return None
    event = MessageFailed(
        message_id=message.id,
        customer_id=message.customer_id,
        notice=message.notice,
        reference=message.reference,
        recipient=delivery.address or delivery.name,
        reason=delivery.detail,
        failed_at=now,
    )
    return Outgoing(event, f"message/{message.id}", version)
