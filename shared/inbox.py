"""Events enter a service through its inbox: claimed and handled in one transaction per batch, whatever transport brought them.

# Note [Who waits for whom]
An event that fails alone becomes a dead letter and parks its whole key until somebody replays or discards it. An event whose handler
lacks a fact of another sender parks only its own sender's events of that key (*waiting*): the fact must be able to overtake it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

from shared import parking
from shared.clock import Clock
from shared.db import Database, rows
from shared.events import CATALOGUE, Envelope, Event
from shared.lease import Fenced
from shared.log import get_logger, traced
from shared.operator import Operator

log = get_logger("inbox")
E = TypeVar("E", bound=Event)
TRIES = 3


@dataclass(frozen=True)
class Context:
    """What a handler gets beside its event. `now` is business time (UTC); handlers never commit and never read a clock.
    `event_ids` are those of the events at hand, in their order; timers have none."""

    session: AsyncSession
    now: datetime
    operator: Operator
    service: str
    event_ids: Sequence[UUID] = ()


class FactMissing(Exception):
    """A handler lacks a fact that another sender has not told yet; say which. The key waits, nothing is wrong."""


class EventRouter:
    """The readable map of a service's reactions: which function handles which event."""

    def __init__(self) -> None:
        self._single: dict[str, Callable[[Context, Any], Awaitable[None]]] = {}
        self._batch: dict[str, Callable[[Context, Any], Awaitable[None]]] = {}

    @property
    def types(self) -> frozenset[str]:
        """The wire types that this service reacts to."""
        return frozenset(self._single) | frozenset(self._batch)

    def on(self, event: type[E]) -> Callable[[Callable[[Context, E], Awaitable[None]]], Callable[[Context, E], Awaitable[None]]]:
        """Handle each event of this type by itself."""

        def register(handler: Callable[[Context, E], Awaitable[None]]) -> Callable[[Context, E], Awaitable[None]]:
            self._add(self._single, event, handler)
            return handler

        return register

    def on_batch(
        self, event: type[E]
    ) -> Callable[[Callable[[Context, list[E]], Awaitable[None]]], Callable[[Context, list[E]], Awaitable[None]]]:
        """Handle events of this type together, set-based; events of one key come in their order."""

        def register(handler: Callable[[Context, list[E]], Awaitable[None]]) -> Callable[[Context, list[E]], Awaitable[None]]:
            self._add(self._batch, event, handler)
            return handler

        return register

    def _add(self, where: dict[str, Any], event: type[Event], handler: Any) -> None:
        if event.TYPE in self.types:
            raise ValueError(f"{event.TYPE} has two handlers")
        where[event.TYPE] = handler

    async def dispatch(self, context: Context, envelopes: Sequence[Envelope]) -> None:
        """Run the handlers, in an order that keeps each key's."""
        for kind, group in layers(envelopes):
            cls = CATALOGUE[kind]
            if kind in self._batch:
                own = replace(context, event_ids=[each.id for each in group])
                await _run(group, self._batch[kind](own, [cls.model_validate_json(each.data) for each in group]))
                continue
            for each in group:
                own = replace(context, event_ids=[each.id])
                await _run([each], self._single[kind](own, cls.model_validate_json(each.data)))


class Waiting(Exception):
    """One event of the batch lacks a fact; the batch is tried again with that event parked."""

    def __init__(self, event_id: UUID, detail: str) -> None:
        super().__init__(detail)
        self.event_id, self.detail = event_id, detail


async def _run(group: Sequence[Envelope], handling: Awaitable[None]) -> None:
    with traced(group[0].traceparent):
        try:
            await handling
        except FactMissing as missing:
            if len(group) > 1:
                raise  # the batch is bisected until the event is found
            raise Waiting(group[0].id, str(missing)) from missing


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


@dataclass(frozen=True)
class Arrival:
    """An event as the transport brought it. `mark` is the transport's own: the pending row's number, or topic, partition and offset."""

    envelope: Envelope
    mark: Any


Settle = Callable[[AsyncSession, Sequence[Arrival]], Awaitable[None]]


def is_transient(error: BaseException) -> bool:
    """True for what passes by itself: connections, deadlocks, time-outs. Such an error never counts against an event (R17)."""
    cause = getattr(error, "orig", error)
    cause = getattr(cause, "__cause__", None) or cause
    code = str(getattr(cause, "sqlstate", "") or "")
    if isinstance(error, OSError | TimeoutError | PoolTimeout | asyncpg.InterfaceError | asyncpg.InternalClientError):
        return True
    if isinstance(error, DBAPIError) and (error.connection_invalidated or isinstance(cause, OSError | TimeoutError)):
        return True
    return code[:2] in {"08", "40", "53", "57", "58"} or code == "55P03"


@dataclass
class Inbox:
    """Handles what arrives for one service."""

    database: Database
    router: EventRouter
    operator: Operator
    clock: Clock
    handled: int = field(default=0, init=False)

    async def handle(self, arrivals: Sequence[Arrival], settle: Settle) -> None:
        """Handle a batch exactly once: claims, effects and the transport's progress commit together.

        A batch that fails is bisected until the event that fails alone is found. Raises what is transient, and Fenced: then nothing
        of the failing part is committed and the caller tries again.
        """
        try:
            keys = await self._attempt(arrivals, settle)
        except Exception as error:
            if isinstance(error, Fenced) or is_transient(error):
                raise
            if len(arrivals) > 1:
                middle = len(arrivals) // 2
                await self.handle(arrivals[:middle], settle)
                await self.handle(arrivals[middle:], settle)
                return
            await self._last_resort(arrivals[0], error, settle)
            return
        await self.release(keys)

    async def _attempt(self, arrivals: Sequence[Arrival], settle: Settle) -> list[str]:
        waiting: dict[UUID, str] = {}
        while True:
            try:
                return await self._transact(arrivals, settle, waiting)
            except Waiting as one:
                waiting[one.event_id] = one.detail

    async def _transact(self, arrivals: Sequence[Arrival], settle: Settle, waiting: dict[UUID, str]) -> list[str]:
        """One transaction; answers the keys whose parked events may now go on."""
        # Processes are moved to a new instant one after another: no effect may be dated before its cause.
        now = max([await self.clock.now(), *(each.envelope.time for each in arrivals)])
        async with self.database.transaction() as session:
            await settle(session, arrivals)
            fresh = await self._claim(session, [each.envelope for each in arrivals if each.envelope.type in self.router.types])
            if not fresh:
                return []
            ready, keys = await parking.park(session, fresh, waiting)
            await self.router.dispatch(self._context(session, now), ready)
        self.handled += len(fresh)
        return keys

    async def _claim(self, session: AsyncSession, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Those that were never here before, each once, in the order given."""
        first = {each.id: each for each in reversed(envelopes)}
        if not first:
            return []
        found = await rows(
            session,
            "INSERT INTO inbox (event_id, sender, claimed_at) SELECT id, sender, clock_timestamp() "
            "FROM unnest($1::uuid[], $2::text[]) AS t(id, sender) ON CONFLICT DO NOTHING RETURNING event_id",
            list(first),
            [each.source for each in first.values()],
        )
        new = {row.event_id for row in found}
        return [each for each in envelopes if each.id in new and first[each.id] is each]

    def _context(self, session: AsyncSession, now: datetime) -> Context:
        return Context(session=session, now=now, operator=self.operator, service=self.database.service)

    async def _last_resort(self, arrival: Arrival, error: Exception, settle: Settle) -> None:
        """An event that fails alone: a few more tries unless it can never succeed, then it is a dead letter and its key is parked."""
        for attempt in range(0 if isinstance(error, ValidationError) else TRIES - 1):
            await asyncio.sleep(0.05 * 2**attempt * (1 + random.random()))
            try:
                await self.release(await self._attempt([arrival], settle))
                return
            except Exception as again:
                if isinstance(again, Fenced) or is_transient(again):
                    raise
                error = again
        log.error("event became a dead letter", event=str(arrival.envelope.id), type=arrival.envelope.type, error=type(error).__name__)
        async with self.database.transaction() as session:
            await settle(session, [arrival])
            if await self._claim(session, [arrival.envelope]):
                await parking.bury(session, arrival.envelope, error)

    async def release(self, keys: Sequence[str] | None = None) -> bool:
        """Try the parked events of these keys (of all keys when None) that are not behind a dead letter; True when one got through."""
        progress = False
        while heads := await parking.heads(self.database, keys):
            results = [await self._release_one(row_id) for row_id in heads]
            if not any(results):
                break
            progress = True
        return progress

    async def _release_one(self, row_id: int) -> bool:
        now = await self.clock.now()
        try:
            async with self.database.transaction() as session:
                envelope = await parking.take(session, row_id)
                if envelope is None:
                    return False
                await self.router.dispatch(self._context(session, max(now, envelope.time)), [envelope])
            self.handled += 1
            return True
        except Waiting as missing:
            await parking.mark(self.database, row_id, "waiting", missing.detail)
        except Exception as error:
            if is_transient(error):
                raise
            await parking.mark(self.database, row_id, "dead", parking.describe(error))
        return False
