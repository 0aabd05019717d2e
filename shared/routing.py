"""Which function handles which event, and in which order a batch is handled."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.events import Envelope, Event
from shared.log import traced
from shared.operator import Operator

E = TypeVar("E", bound=Event)
Missing = dict[UUID, str]


@dataclass(frozen=True)
class Context:
    """What a handler gets beside its event. `now` is business time (UTC); handlers never commit and never read a clock.
    `envelopes` are those of the events at hand, in their order; timers have none."""

    session: AsyncSession
    now: datetime
    operator: Operator
    service: str
    envelopes: Sequence[Envelope] = ()

    @property
    def event_ids(self) -> list[UUID]:
        return [each.id for each in self.envelopes]


Beside = Callable[[Context, Sequence[Event]], Awaitable[None]]


class FactMissing(Exception):
    """A handler lacks a fact about the event's own key that another sender has not told yet; say which. The key waits, nothing is wrong."""


class EventRouter:
    """The readable map of a service's reactions: which function handles which event."""

    def __init__(self) -> None:
        self._classes: dict[str, type[Event]] = {}
        self._handlers: dict[str, Callable[[Context, Any], Awaitable[None]]] = {}
        self._sets: set[str] = set()
        self._also: Beside | None = None

    @property
    def types(self) -> frozenset[str]:
        """The wire types that this service reacts to."""
        return frozenset(self._classes)

    @property
    def senders(self) -> frozenset[str]:
        """The services that this one listens to."""
        return frozenset(each.partition(".")[0] for each in self._classes)

    def on(self, event: type[E]) -> Callable[[Callable[[Context, E], Awaitable[None]]], Callable[[Context, E], Awaitable[None]]]:
        """Handle each event of this type by itself."""

        def register(handler: Callable[[Context, E], Awaitable[None]]) -> Callable[[Context, E], Awaitable[None]]:
            self._add(event, handler)
            return handler

        return register

    def on_batch(
        self, event: type[E]
    ) -> Callable[[Callable[[Context, list[E]], Awaitable[None]]], Callable[[Context, list[E]], Awaitable[None]]]:
        """Handle events of this type together, set-based; events of one key come in their order."""

        def register(handler: Callable[[Context, list[E]], Awaitable[None]]) -> Callable[[Context, list[E]], Awaitable[None]]:
            self._add(event, handler)
            self._sets.add(event.TYPE)
            return handler

        return register

    def beside(self, also: Beside) -> Beside:
        """Do this, too, with every group of events of one type, after their own handler."""
        self._also = also
        return also

    def _add(self, event: type[Event], handler: Any) -> None:
        if event.TYPE in self._classes:
            raise ValueError(f"{event.TYPE} has two handlers")
        self._classes[event.TYPE], self._handlers[event.TYPE] = event, handler

    async def dispatch(self, context: Context, envelopes: Sequence[Envelope]) -> None:
        """Run the handlers, in an order that keeps each key's. Raises whatever one of them raises."""
        for kind, group in layers(envelopes):
            for part in [group] if kind in self._sets else [[each] for each in group]:
                await self._run(context, kind, part)

    async def dispatch_carefully(self, context: Context, envelopes: Sequence[Envelope]) -> Missing:
        """Run the handlers one event at a time, each within a savepoint. Answers, by event id, what lacks a fact (its effects are undone)
        and, with an empty text, what had to stay behind such an event of the same key and sender."""
        missing: Missing = {}
        blocked: set[tuple[str, str]] = set()
        for kind, group in layers(envelopes):
            for each in group:
                if (each.key, each.source) in blocked:
                    missing[each.id] = ""
                    continue
                try:
                    async with context.session.begin_nested():
                        await self._run(context, kind, [each])
                except FactMissing as lacking:
                    missing[each.id] = str(lacking) or type(lacking).__name__
                    blocked.add((each.key, each.source))
        return missing

    async def _run(self, context: Context, kind: str, group: Sequence[Envelope]) -> None:
        if kind not in self._classes:
            raise LookupError(f"{context.service} has no handler for {kind}")
        events = [self._classes[kind].model_validate_json(each.data) for each in group]
        own = replace(context, envelopes=group)
        with traced(group[0].traceparent):
            await self._handlers[kind](own, events if kind in self._sets else events[0])
            if self._also is not None:
                await self._also(own, events)


def layers(envelopes: Sequence[Envelope]) -> list[tuple[str, list[Envelope]]]:
    """Group events by type for set-based handling without any key's events changing places."""
    at: dict[str, tuple[int, str]] = {}
    groups: dict[tuple[int, str], list[Envelope]] = {}
    for each in envelopes:
        level, kind = at.get(each.key, (0, each.type))
        place = (level if kind == each.type else level + 1, each.type)
        at[each.key] = place
        groups.setdefault(place, []).append(each)
    return [(kind, group) for (_, kind), group in sorted(groups.items(), key=lambda item: item[0][0])]
