"""Notifier's tables."""

from services.notifier.models.base import Table
from services.notifier.models.facts import Assignment, Customer, Invoice
from services.notifier.models.messages import Delivery, Message

__all__ = ["Assignment", "Customer", "Delivery", "Invoice", "Message", "Table"]
