"""Events enter a service through its inbox: claimed and handled in one transaction per batch, whatever transport brought them.

# Note [Who waits for whom]
An event that fails alone becomes a dead letter and parks its whole key until somebody replays or discards it. An event whose handler
lacks a fact of another sender parks only its own sender's events of that key (*waiting*): the fact must be able to overtake it.
What passes by itself is tried again; what does not pass, while all others do, is set aside (*retry*) after some tries, so that it holds up
its key alone, and becomes a dead letter when it has not passed within PATIENCE.

# Note [No fact slips past who waits for it]
Whoever handles the fact marks the waiting events of its key for another try, in its own transaction. It can only mark what it sees: so
an event is set waiting under an exclusive lock, after one more try, while every other transaction of the inbox holds the lock shared.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared import parking
from shared.clock import Clock
from shared.db import Database, MessagingTable, execute, rows, utc
from shared.events import Envelope
from shared.lease import Fenced
from shared.log import get_logger
from shared.operator import Operator
from shared.routing import Context, EventRouter, FactMissing
from shared.transient import is_transient

log = get_logger("inbox")
TRIES = 3
BATCH = 500  # events in one transaction, unless a service says how many
STUMBLES = 3  # so often in a row a batch may meet what passes by itself before we look for the one event that it does not pass for
PATIENCE = timedelta(minutes=5)
LOCK = 7032664
RETENTION = timedelta(days=60)


class InboxRow(MessagingTable, table=True):
    """An event that was claimed: it is handled or parked, and a second copy of it changes nothing."""

    __tablename__ = "inbox"
    event_id: UUID = Field(primary_key=True)
    sender: str
    claimed_at: datetime = utc(index=True)


class Malformed(Exception):
    """What the transport brought is no event; the message says why."""


@dataclass(frozen=True)
class Arrival:
    """An event as the transport brought it. `mark` is the transport's own: the pending row's number, or topic, partition and offset.
    `fault` says why it is no event that could be handled, `origin` where a person finds it."""

    envelope: Envelope
    mark: Any
    fault: str | None = None
    origin: str = ""


Settle = Callable[[AsyncSession, Sequence[Arrival]], Awaitable[None]]


def _is_final(error: Exception) -> bool:
    """True for what no second try can change: the event itself cannot be read."""
    return isinstance(error, ValidationError | Malformed | LookupError)


@dataclass
class Inbox:
    """Handles what arrives for one service."""

    database: Database
    router: EventRouter
    operator: Operator
    clock: Clock
    handled: int = field(default=0, init=False)
    stumbles: int = field(default=0, init=False)

    async def handle(self, arrivals: Sequence[Arrival], settle: Settle) -> None:
        """Handle a batch exactly once: claims, effects and the transport's progress commit together.

        A batch that fails is bisected until the event that fails alone is found. Raises what is transient, and Fenced: then nothing
        of the failing part is committed and the caller tries again.
        """
        try:
            await self._handle(arrivals, settle, patient=self.stumbles < STUMBLES)
        except Exception as error:
            self.stumbles += is_transient(error)
            raise
        self.stumbles = 0

    async def _handle(self, arrivals: Sequence[Arrival], settle: Settle, *, patient: bool) -> None:
        try:
            await self._attempt(arrivals, settle)
        except Exception as error:
            if isinstance(error, Fenced) or (patient and is_transient(error)):
                raise
            if len(arrivals) > 1:
                middle = len(arrivals) // 2
                await self._handle(arrivals[:middle], settle, patient=patient)
                await self._handle(arrivals[middle:], settle, patient=patient)
            elif is_transient(error):
                await self._set_aside(arrivals[0], error, settle)
            else:
                await self._last_resort(arrivals[0], error, settle)

    async def _attempt(self, arrivals: Sequence[Arrival], settle: Settle) -> None:
        if fault := next((each.fault for each in arrivals if each.fault), None):
            raise Malformed(fault)
        try:
            keys = await self._transact(arrivals, settle)
        except FactMissing:
            keys = await self._transact(arrivals, settle, carefully=True)
        if keys:
            await self.release(keys)

    async def _transact(self, arrivals: Sequence[Arrival], settle: Settle, *, carefully: bool = False) -> list[str]:
        """One transaction; answers the keys whose parked events may now go on."""
        # Processes are moved to a new instant one after another: no effect may be dated before its cause.
        now = max([await self.clock.now(), *(each.envelope.time for each in arrivals)])
        async with self.database.transaction(_lock(exclusive=carefully)) as session:
            await settle(session, arrivals)
            fresh, parked = await self._claim(session, [each.envelope for each in arrivals if each.envelope.type in self.router.types])
            if not fresh:
                return []
            ready, retry = await parking.park(session, fresh) if parked else (fresh, [])
            if carefully:
                missing = await self.router.dispatch_carefully(self._context(session, now), ready)
                await parking.park_waiting(session, ready, missing)
                handled = {each.key for each in ready if each.id not in missing}  # the fact may have come later in this very batch
                retry = sorted({*retry, *(each.key for each in ready if each.id in missing and each.key in handled)})
            else:
                await self.router.dispatch(self._context(session, now), ready)
            if retry:
                await parking.try_again(session, retry)
        self.handled += len(fresh)
        return retry

    async def _claim(self, session: AsyncSession, envelopes: Sequence[Envelope]) -> tuple[list[Envelope], bool]:
        """Those that were never here before, each once, in the order given; and is anything parked in this service?"""
        first = {each.id: each for each in reversed(envelopes)}
        if not first:
            return [], False
        found = await rows(
            session,
            "INSERT INTO inbox (event_id, sender, claimed_at) SELECT id, sender, clock_timestamp() "
            "FROM unnest($1::uuid[], $2::text[]) AS t(id, sender) ORDER BY id ON CONFLICT DO NOTHING "
            "RETURNING event_id, EXISTS (SELECT 1 FROM parked_event) AS parked",
            list(first),
            [each.source for each in first.values()],
        )
        new = {row.event_id for row in found}
        return [each for each in envelopes if each.id in new and first[each.id] is each], any(row.parked for row in found)

    def _context(self, session: AsyncSession, now: datetime) -> Context:
        return Context(session=session, now=now, operator=self.operator, service=self.database.service)

    async def _last_resort(self, arrival: Arrival, error: Exception, settle: Settle) -> None:
        """An event that fails alone: a few more tries unless it can never succeed, then it is a dead letter and its key is parked."""
        for attempt in range(0 if _is_final(error) else TRIES - 1):
            await asyncio.sleep(0.05 * 2**attempt * (1 + random.random()))
            try:
                await self._attempt([arrival], settle)
                return
            except Exception as again:
                if isinstance(again, Fenced) or is_transient(again):
                    raise
                error = again
        log.error(
            "event became a dead letter",
            service=self.database.service,
            event_id=str(arrival.envelope.id),
            type=arrival.envelope.type,
            origin=arrival.origin,
            error=type(error).__name__,
        )
        async with self.database.transaction(_lock()) as session:
            await settle(session, [arrival])
            if (await self._claim(session, [arrival.envelope]))[0]:
                await parking.bury(session, arrival.envelope, error, origin=arrival.origin, attempts=1 if _is_final(error) else TRIES)

    async def _set_aside(self, arrival: Arrival, error: Exception, settle: Settle) -> None:
        """An event that does not pass while we can say so: its key waits, nobody else does. Raises when we cannot."""
        log.warning("event set aside", service=self.database.service, event_id=str(arrival.envelope.id), error=type(error).__name__)
        async with self.database.transaction(_lock()) as session:
            await settle(session, [arrival])
            if (await self._claim(session, [arrival.envelope]))[0]:
                await parking.set_aside(session, arrival.envelope, error)

    async def release(self, keys: Sequence[str] | None = None) -> bool:
        """Handle the parked events of these keys (of all keys when None) that nothing keeps back any more; True when one got through."""
        progress, stuck = False, set[int]()
        while heads := [each for each in await parking.heads(self.database, keys) if each not in stuck]:
            for row_id in heads:
                try:
                    progress = await self._release_one(row_id) or progress
                except Exception as error:
                    if not is_transient(error):
                        raise
                    stuck.add(row_id)
                    await parking.mark_stuck(self.database, row_id, error, PATIENCE)  # raises while nothing passes
        return progress

    async def try_waiting(self) -> bool:
        """Try the waiting events once more, those with the fewest tries first: for facts that did not come with the same key."""
        results = [await self._release_one(row_id) for row_id in await parking.waiting(self.database)]
        return any(results) and (await self.release() or True)

    async def _release_one(self, row_id: int) -> bool:
        try:
            try:
                return await self._take_and_handle(row_id, exclusive=False)
            except FactMissing:
                return await self._take_and_handle(row_id, exclusive=True)
        except Exception as error:
            if is_transient(error):
                raise
            await parking.mark_dead(self.database, row_id, error)
        return False

    async def _take_and_handle(self, row_id: int, *, exclusive: bool) -> bool:
        """Raises FactMissing unless the lock is exclusive: then the event is set waiting."""
        now = await self.clock.now()
        async with self.database.transaction(_lock(exclusive=exclusive)) as session:
            try:
                async with session.begin_nested():
                    envelope = await parking.take(session, row_id)
                    if envelope is None:
                        return False
                    await self.router.dispatch(self._context(session, max(now, envelope.time)), [envelope])
                    await parking.try_again(session, [envelope.key])
            except FactMissing as missing:
                if not exclusive:
                    raise
                await parking.mark_waiting(session, row_id, str(missing))
                return False
        self.handled += 1
        return True


def _lock(*, exclusive: bool = False) -> str:
    """See Note [No fact slips past who waits for it]. The first statement of the transaction, so that it meets no other lock."""
    return f"SELECT pg_advisory_xact_lock{'' if exclusive else '_shared'}({LOCK})"


async def forget(session: AsyncSession) -> int:
    """Drop claims older than any transport would bring an event again. Answers how many."""
    return await execute(
        session,
        "DELETE FROM inbox WHERE event_id IN (SELECT event_id FROM inbox WHERE claimed_at < clock_timestamp() - $1::interval LIMIT 5000)",
        RETENTION,
    )
