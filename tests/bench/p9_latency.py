"""P9: from the commit of an event to the commit of its handler, in one process over the Courier, at 200 events a second."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import MetaData, event

from shared import worker as worker_module
from shared.clock import SystemClock
from shared.courier import Courier, Receiver
from shared.db import Database
from shared.inbox import Context, EventRouter
from shared.outbox import publish
from shared.settings import Settings
from shared.wakeup import Wakeup
from shared.worker import Runtime, Service, Worker
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
            found[name] = sorted(await _latencies(databases, count))
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
            Goal("p50 / 10 ms", "ours p50", 10, 1, at_most=True),
            Goal("p99 / 50 ms", "ours p99", 50, 1, at_most=True),
            Goal("p50 / poll's", "ours p50", "poll 100 ms p50", 0.2, at_most=True),
        ],
    )


async def _latencies(databases: dict[str, Database], count: int) -> list[float]:
    """In milliseconds, one per event."""
    committed: dict[str, float] = {}
    handled: dict[str, float] = {}
    router = EventRouter()

    @router.on(Measured)
    async def note(ctx: Context, given: Measured) -> None:
        def at_commit(_session: object) -> None:
            handled[given.who] = time.perf_counter()

        event.listen(ctx.session.sync_session, "after_commit", at_commit)

    courier = Courier({"collections": Receiver(databases["collections"], router.types)})
    workers = [
        Worker(_runtime(databases[name], router if name == "collections" else EventRouter()), courier, courier_inbox=True)
        for name in databases
    ]
    for each in workers:
        each.start()
    await asyncio.sleep(1)
    start = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, start + number / PER_SECOND - time.perf_counter()))
        given = Measured(who=f"l{number}", amount=1)
        async with databases["billing"].transaction() as session:
            await publish(session, given, subject=f"thing/{number}", version=1, now=NOW)
        committed[given.who] = time.perf_counter()
    async with asyncio.timeout(60):
        while len(handled) < count:
            await asyncio.sleep(0.01)
    for each in workers:
        await each.stop()
    return [(handled[who] - committed[who]) * 1000 for who in committed]


def _runtime(database: Database, router: EventRouter) -> Runtime:
    settings = Settings(service=database.service, database_url=database.dsn)
    return Runtime(Service(database.service, "", router, MetaData()), settings, database, SystemClock(), operator(), {})


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
