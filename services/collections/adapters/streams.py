"""Who watches a customer's timeline, and how they hear of what happens.

All streams of a process wait together: whoever keeps a happening rings, one look finds the customers that have news, and only their
streams read. Nobody holds a connection to the database while nothing happens, and a stream that reads slowly holds up nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID
from weakref import WeakSet

from services.collections.operations.happenings import STREAMS
from services.collections.queries.timeline import Entry, news, with_news
from shared.db import Database
from shared.discretion import told
from shared.errors import Unavailable
from shared.log import get_logger
from shared.operator import Operator

log = get_logger("collections.streams")
CHUNK = 200
POLL_SECONDS = 5.0
PACE_SECONDS = 0.1  # a burst of happenings is one look


@dataclass(eq=False)
class Watcher:
    """A stream: whom it watches, up to which number it has read, and what wakes it."""

    customer_id: UUID
    number: int
    bell: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """The streams of this process, at most `most` at a time."""

    def __init__(self, operator: Operator, most: int) -> None:
        self._operator, self._most = operator, most
        self._watchers: WeakSet[Watcher] = WeakSet()  # one whose answer was never begun is nobody's place
        self._looking: asyncio.Task[None] | None = None

    def watch(self, customer_id: UUID, number: int) -> Watcher:
        """A place for one more stream, until it leaves. Raises Unavailable when all are taken."""
        if len(self._watchers) >= self._most:
            detail = f"Ya hay {self._most} líneas de tiempo abiertas en vivo en este proceso."
            raise Unavailable(detail, remedy="Cierre las que no use, o lea GET …/timeline cada cierto tiempo.")
        watcher = Watcher(customer_id, number)
        self._watchers.add(watcher)
        return watcher

    async def follow(self, database: Database, watcher: Watcher, patience: float) -> AsyncIterator[Sequence[Entry]]:
        """What happens with the customer, in chunks, for ever; an empty one whenever nothing has happened for `patience` seconds."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(database))
        while True:
            watcher.bell.clear()
            async with database.transaction() as session:
                found = await news(session, self._operator, watcher.customer_id, after=watcher.number, limit=CHUNK)
            if found:
                watcher.number = found[-1].number
                yield found
                continue
            while not await _rung(watcher.bell, patience):
                yield ()

    def leave(self, watcher: Watcher) -> None:
        """This stream has ended."""
        self._watchers.discard(watcher)

    async def _look(self, database: Database) -> None:
        """Wake the streams whose customers have news, as long as there are streams."""
        bell = database.wakeup.bell(STREAMS)
        while self._watchers:
            await _rung(bell, POLL_SECONDS)
            bell.clear()
            await self._wake(database)
            await asyncio.sleep(PACE_SECONDS)

    async def _wake(self, database: Database) -> None:
        watched: dict[UUID, int] = {}
        for each in self._watchers:
            watched[each.customer_id] = min(each.number, watched.get(each.customer_id, each.number))
        try:
            async with database.transaction() as session:
                found = await with_news(session, watched)
        except Exception as error:  # noqa: BLE001 - whatever broke, the streams wait for the next look
            log.warning("streams could not look", error=told(error))
            return
        for each in self._watchers:
            if each.customer_id in found:
                each.bell.set()


async def _rung(bell: asyncio.Event, seconds: float) -> bool:
    """Wait for a ring, but no longer than that; was there one?"""
    try:
        async with asyncio.timeout(seconds):
            return await bell.wait()
    except TimeoutError:
        return False
