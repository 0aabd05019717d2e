"""Notifier's tables."""

from services.notifier.models.base import Table
from services.notifier.models.facts import Assignment, Customer, Invoice
from services.notifier.models.messages import Delivery, Message
from services.notifier.models.webhooks import Webhook, WebhookAttempt, WebhookEvent, WebhookPost

__all__ = [
    "Assignment",
    "Customer",
    "Delivery",
    "Invoice",
    "Message",
    "Table",
    "Webhook",
    "WebhookAttempt",
    "WebhookEvent",
    "WebhookPost",
]
