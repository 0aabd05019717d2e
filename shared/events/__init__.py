"""The published language: every event of every service, one module or package per sender.

A type string carries its version; a change that an old reader could not read is a new type (docs/events.md).
"""

from shared.events import billing, collections, noc, notifier, ticketing
from shared.events.base import Amount, Currency, Delivery, Envelope, Event, Payload, catalogue

CATALOGUE = catalogue(billing, collections, ticketing, noc, notifier)

__all__ = ["CATALOGUE", "Amount", "Currency", "Delivery", "Envelope", "Event", "Payload"]
