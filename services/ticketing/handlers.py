"""What ticketing does when others speak: the readable map of its reactions."""

from shared.inbox import EventRouter

events = EventRouter()
