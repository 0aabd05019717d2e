"""A line between services under test: two that tell, two that hear, over a transport that the test chooses."""

import asyncio
import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from aiokafka.errors import KafkaError
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import SystemClock
from shared.courier import Courier, CourierInbox, Receiver
from shared.db import Database, execute, new_id, rows
from shared.envelopes import to_envelope
from shared.events import Envelope, Event
from shared.inbox import Arrival
from shared.kafka import KafkaLag, KafkaSink
from shared.outbox import Sink, publish
from shared.parking import EVENT
from shared.routing import Context, EventRouter, FactMissing
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.worker import Worker
from tests.support.service import operator

Kind = Literal["courier", "shuffled", "kafka"]
TELLERS, HEARERS = ("billing", "collections"), ("ticketing", "notifier")
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
HEARD = "CREATE TABLE IF NOT EXISTS heard (at bigint GENERATED ALWAYS AS IDENTITY, sender text, who text, number int)"
READY = """SELECT (SELECT count(*) FROM inbox_pending) + (SELECT count(*) FROM parked_event AS p WHERE reason IN ('retry', 'behind')
AND NOT EXISTS (SELECT 1 FROM parked_event AS d WHERE d.key = p.key
    AND (d.reason = 'dead' OR d.reason = 'waiting' AND d.sender = p.sender AND d.id < p.id))) AS n"""


class Told(Event):
    """What a sender says about somebody, numbered."""

    TYPE: ClassVar[str] = "billing.told.v1"
    who: str
    number: int

    def key(self) -> str:
        return self.who


class Many(Told):
    """The same, handled in sets."""

    TYPE: ClassVar[str] = "billing.many.v1"


class Said(Told):
    """The same, by the other sender."""

    TYPE: ClassVar[str] = "collections.said.v1"


class Unheard(Told):
    """Nobody listens to this."""

    TYPE: ClassVar[str] = "billing.unheard.v1"


Misbehaviour = Callable[[str, str, int], Exception | None]  # (sender, who, number) → what its handler raises


@dataclass
class Ears:
    """What a hearing service does with events: it writes them down, in order, and misbehaves where the test says so."""

    misbehave: Misbehaviour = lambda sender, who, number: None
    calls: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    needs: Callable[[str, str, int], tuple[str, int] | None] = lambda sender, who, number: None  # a fact: (sender, number) of the same key

    def router(self) -> EventRouter:
        router = EventRouter()

        @router.on(Told)
        async def told(ctx: Context, event: Told) -> None:
            await self._hear(ctx, "billing", [event])

        @router.on(Said)
        async def said(ctx: Context, event: Said) -> None:
            await self._hear(ctx, "collections", [event])

        @router.on_batch(Many)
        async def many(ctx: Context, events: list[Many]) -> None:
            await self._hear(ctx, "billing", events)

        return router

    async def _hear(self, ctx: Context, sender: str, events: Iterable[Told]) -> None:
        for event in events:
            self.calls[sender, event.who, event.number] += 1
            await execute(ctx.session, "INSERT INTO heard (sender, who, number) VALUES ($1, $2, $3)", sender, event.who, event.number)
            if fact := self.needs(sender, event.who, event.number):
                sql = "SELECT 1 FROM heard WHERE sender = $1 AND who = $2 AND number = $3"
                if not await rows(ctx.session, sql, fact[0], event.who, fact[1]):
                    raise FactMissing(f"{fact[0]} has not told {fact[1]} of {event.who}")
            if error := self.misbehave(sender, event.who, event.number):
                raise error


class ShufflingInbox(CourierInbox):
    """Takes pending events in an order that keeps each sender's and nothing else, as independent topics do."""

    async def oldest(self, session: AsyncSession) -> list[Arrival]:
        found = await rows(session, f"SELECT seq, {EVENT} FROM inbox_pending ORDER BY seq")
        left: dict[str, list[Any]] = defaultdict(list)
        for row in found:
            left[row.sender].append(row)
        mixed: list[Arrival] = []
        while left and len(mixed) < self._batch:
            sender = random.choice(sorted(left))
            some = random.randint(1, 9)
            mixed += [Arrival(to_envelope(row), row.seq) for row in left[sender][:some]]
            left[sender] = left[sender][some:]
            if not left[sender]:
                del left[sender]
        return mixed


class Line:
    """Senders and receivers on real databases, joined by one transport. Workers run only where the test starts them."""

    def __init__(self, kind: Kind, databases: dict[str, Database], bootstrap: str | None) -> None:
        self.kind, self.databases, self.bootstrap = kind, databases, bootstrap
        self.prefix = f"t{secrets.token_hex(4)}."
        self.ears = {name: Ears() for name in HEARERS if name in databases}
        self.receivers = {name: Receiver(databases[name], Ears().router().types) for name in HEARERS if name in databases}
        self.workers: list[Worker] = []
        self.versions: Counter[str] = Counter()

    def settings(self, name: str, **more: Any) -> Settings:
        given = {
            "transport": "kafka" if self.kind == "kafka" else "courier",
            "kafka_bootstrap": self.bootstrap or "",
            "kafka_prefix": self.prefix,
            "kafka_partitions": 4,
            "kafka_session_seconds": 6,
        }
        return Settings(service=name, database_url=self.databases[name].dsn, **{**given, **more})

    def sink(self, name: str) -> Sink:
        """A sender's way out."""
        return KafkaSink(self.settings(name)) if self.kind == "kafka" else Courier(self.receivers)

    def runtime(self, name: str, **settings: Any) -> Runtime:
        router = self.ears[name].router() if name in self.ears else EventRouter()
        service = Service(name, name, router, MetaData())
        return Runtime(service, self.settings(name, **settings), self.databases[name], SystemClock(), operator(), {})

    def start(self, *names: str, **settings: Any) -> list[Worker]:
        """Run the workers of these services in this process."""
        started = []
        for name in names:
            worker = Worker(self.runtime(name, **settings), self.sink(name))
            if self.kind == "shuffled" and worker.courier_inbox:
                worker.courier_inbox = ShufflingInbox(worker.inbox, worker.courier_inbox.lease)
            worker.start()
            started.append(worker)
        self.workers += started
        return started

    async def stop(self, *workers: Worker) -> None:
        """End these workers, or all."""
        for worker in workers or tuple(self.workers):
            self.workers.remove(worker)
            await worker.stop()

    async def tell(self, *events: Event, sender: str | None = None) -> None:
        """Commit these events in one transaction of their sender."""
        name = sender or events[0].TYPE.partition(".")[0]
        async with self.databases[name].transaction() as session:
            for event in events:
                await self.publish(session, event)

    async def publish(self, session: AsyncSession, event: Event) -> None:
        subject = f"{event.TYPE}/{event.key()}"
        self.versions[subject] += 1
        await publish(session, event, subject=subject, version=self.versions[subject], now=NOW)

    async def heard(self, name: str, who: str | None = None) -> list[tuple[str, str, int]]:
        """What a service has handled, in its order: (sender, who, number)."""
        sql = "SELECT sender, who, number FROM heard WHERE $1::text IS NULL OR who = $1 ORDER BY at"
        return [(row.sender, row.who, row.number) for row in await self.sql(name, sql, who)]

    async def numbers(self, name: str, sender: str, who: str) -> list[int]:
        return [number for by, _, number in await self.heard(name, who) if by == sender]

    async def parked(self, name: str) -> list[tuple[str, str, int]]:
        found = await self.sql(name, "SELECT reason, key, data::json->>'number' AS number FROM parked_event ORDER BY id")
        return [(row.reason, row.key, int(row.number)) for row in found]

    async def sql(self, name: str, query: str, *args: Any) -> Any:
        async with self.databases[name].transaction() as session:
            return await rows(session, query, *args)

    async def waits(self, name: str) -> int:
        """How many events have been brought to this service and not been handled. What is on its way is counted first: it moves from
        there into the database, never back."""
        total = 0
        if self.kind == "kafka":
            lag = KafkaLag(self.settings(name), self.databases[name], Ears().router().senders)
            try:
                total = await lag()
            except KafkaError:
                return 1  # a broker that does not answer holds something, for all that we know
            finally:
                await lag.close()
        return total + int((await self.sql(name, READY))[0].n)

    async def quiet_of(self, name: str, count: int) -> None:
        """Wait until a service has handled so many events."""

        async def enough() -> bool:
            return len(await self.heard(name)) >= count

        await until(enough)

    async def quiet(self, *hearers: str, seconds: float = 40) -> None:
        """Wait until nothing is under way to these receivers (all of them by default)."""

        async def quiet_now() -> bool:
            for name in TELLERS:
                if (await self.sql(name, "SELECT count(*) AS n FROM outbox"))[0].n:
                    return False
                held = await self.sql(name, "SELECT DISTINCT receiver FROM outbox_held")
                if {row.receiver for row in held} & set(hearers or HEARERS):
                    return False
            return not any([await self.waits(name) for name in hearers or HEARERS])

        await until(quiet_now, seconds)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait until the condition holds; fail when it does not within these seconds."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


async def prepare(database: Database) -> None:
    async with database.transaction() as session:
        await execute(session, HEARD)


async def clean(database: Database) -> None:
    """Leave the database as the migrations made it."""
    with suppress(Exception):
        async with asyncio.timeout(5), database.transaction() as session:
            await execute(session, "DROP TABLE IF EXISTS heard")


def envelope(event: Event, sender: str, sequence: int = 1) -> Envelope:
    """An event as a transport brings it."""
    return Envelope(
        id=new_id(), type=event.TYPE, source=sender, subject=f"x/{event.key()}", sequence=sequence, key=event.key(), time=NOW,
        data=event.model_dump_json(),
    )  # fmt: skip
