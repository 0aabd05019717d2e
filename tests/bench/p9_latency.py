"""P9: from the commit of an event to the commit of its handler, in one process over the Courier, at 200 events a second."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import MetaData, event

from shared import worker as worker_module
from shared.clock import SystemClock
from shared.courier import Courier, Receiver
from shared.db import Database
from shared.kafka import KafkaSink
from shared.outbox import publish
from shared.routing import Context, EventRouter
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.wakeup import Wakeup
from shared.worker import Worker
from tests.bench.data import NOW, Measured
from tests.bench.runner import Bench, Goal, Measure
from tests.support.service import operator

PER_SECOND = 200


async def prepare(bench: Bench) -> Measure:
    databases = {name: await bench.database(name) for name in ("billing", "collections")}
    count = bench.count(1_000)
    found: dict[str, list[float]] = {}

    async def p50(name: str) -> float:
        with _polling() if name == "poll 100 ms" else _waking():
            found[name] = sorted(await latencies(databases, count))
        return statistics.median(found[name])

    async def p99(name: str) -> float:
        return found[name][int(len(found[name]) * 0.99)]

    return Measure(
        "P9",
        f"commit to handled, {PER_SECOND} events/s",
        "ms",
        {
            "ours p50": lambda: p50("ours"),
            "ours p99": lambda: p99("ours"),
            "poll 100 ms p50": lambda: p50("poll 100 ms"),
            "poll 100 ms p99": lambda: p99("poll 100 ms"),
        },
        [
            Goal("p50 / 10 ms", "ours p50", 10, 1, at_most=True, scaled=True),
            Goal("p99 / 50 ms", "ours p99", 50, 1, at_most=True, scaled=True),
            Goal("p50 / poll's", "ours p50", "poll 100 ms p50", 0.2, at_most=True),
        ],
    )


async def latencies(databases: Mapping[str, Database], count: int, **settings: Any) -> list[float]:
    """In milliseconds, one per event."""
    committed: dict[str, float] = {}
    handled: dict[str, float] = {}
    router = EventRouter()

    @router.on(Measured)
    async def note(ctx: Context, given: Measured) -> None:
        def at_commit(_session: object) -> None:
            handled[given.who] = time.perf_counter()

        event.listen(ctx.session.sync_session, "after_commit", at_commit)

    async with line(databases, router, **settings):
        start = time.perf_counter()
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / PER_SECOND - time.perf_counter()))
            given = Measured(who=f"l{number}", amount=1)
            async with databases["billing"].transaction() as session:
                await publish(session, given, subject=f"thing/{number}", version=1, now=NOW)
            committed[given.who] = time.perf_counter()
        async with asyncio.timeout(60):
            while not committed.keys() <= handled.keys():
                await asyncio.sleep(0.01)
    return [(handled[who] - committed[who]) * 1000 for who in committed]


@asynccontextmanager
async def line(databases: Mapping[str, Database], router: EventRouter, **settings: Any) -> AsyncIterator[Worker]:
    """Billing tells and collections hears, in this process, over the transport that the settings name; yields the hearer once it has
    heard a first event."""
    courier = Courier({"collections": Receiver(databases["collections"], router.types)})
    workers = {}
    for name in ("billing", "collections"):
        runtime = _runtime(databases[name], router if name == "collections" else EventRouter(), settings)
        workers[name] = Worker(runtime, KafkaSink(runtime.settings) if runtime.settings.transport == "kafka" else courier)
        workers[name].start()
    try:
        async with databases["billing"].transaction() as session:
            await publish(session, Measured(who="first", amount=1), subject="thing/first", version=1, now=NOW)
        async with asyncio.timeout(60):
            while not workers["collections"].inbox.handled:
                await asyncio.sleep(0.05)
        yield workers["collections"]
    finally:
        for each in workers.values():
            await each.stop()


def _runtime(database: Database, router: EventRouter, settings: Mapping[str, Any]) -> Runtime:
    given = Settings(service=database.service, database_url=database.dsn).model_copy(update=settings)
    return Runtime(Service(database.service, "", router, MetaData()), given, database, SystemClock(), operator(), {})


@contextmanager
def _waking() -> Iterator[None]:
    yield


@contextmanager
def _polling() -> Iterator[None]:
    """The naive way: nobody rings, everybody looks every 100 ms."""
    seconds, ring = worker_module.POLL_SECONDS, Wakeup.ring
    worker_module.POLL_SECONDS = 0.1
    Wakeup.ring = lambda *_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        worker_module.POLL_SECONDS, Wakeup.ring = seconds, ring  # type: ignore[method-assign]
