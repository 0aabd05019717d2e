"""P14: out of the outbox, through a real Kafka, into committed handlers; beside the same events over the Courier."""

import asyncio
import os
import statistics
import time
from typing import Any

import asyncpg

from shared.db import Database, new_id
from tests.bench.data import COLUMNS, copy_rate, empty, envelopes, records
from tests.bench.p6_inbox import TABLES, router
from tests.bench.p9_latency import PER_SECOND, latencies, line
from tests.bench.runner import Bench, Goal, Measure
from tests.support.kafka import KafkaUnavailable, borrow_broker, stop_brokers

GIVE_UP_SECONDS = 120.0


async def prepare(bench: Bench) -> Measure:
    """A Measure of nothing, that says why, where no Kafka can be had."""
    try:
        bootstrap = os.environ.get("KAFKA_BOOTSTRAP") or _broker(bench)
    except KafkaUnavailable as missing:
        return Measure("P14", f"skipped, there is no Kafka: {missing}", "", {})
    databases = {name: await bench.database(name) for name in ("billing", "collections")}
    await _make_tables(databases["collections"])
    count, few, found = bench.count(20_000), bench.count(1_000), dict[str, list[float]]()

    def kafka() -> dict[str, Any]:
        return {"transport": "kafka", "kafka_bootstrap": bootstrap, "kafka_prefix": f"b{new_id().hex[-8:]}."}

    async def p50() -> float:
        await _clean(databases)
        found["ms"] = sorted(await latencies(databases, few, **kafka()))
        return statistics.median(found["ms"])

    async def p99() -> float:
        return found["ms"][int(len(found["ms"]) * 0.99)]

    return Measure(
        "P14",
        f"outbox to committed handlers over Kafka; latency at {PER_SECOND} events/s",
        "events/s, ms",
        {
            "Kafka": lambda: _drain(databases, count, kafka()), "Courier": lambda: _drain(databases, count, {}),
            "Kafka p50, ms": p50, "Kafka p99, ms": p99,
        },
        [Goal("Kafka / Courier", "Kafka", "Courier", 0.6), Goal("p99 / 100 ms", "Kafka p99, ms", 100, 1, at_most=True, scaled=True)],
    )  # fmt: skip


def _broker(bench: Bench) -> str:
    folder = bench.folder()
    bench.afterwards(lambda: stop_brokers(folder))
    return borrow_broker(folder)


async def _make_tables(database: Database) -> None:
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(TABLES)
    await connection.close()


async def _clean(databases: dict[str, Database]) -> None:
    await empty(databases["billing"], "outbox", "outbox_held")
    await empty(databases["collections"], "inbox", "inbox_pending", "consumed_offset", "entry")


async def _drain(databases: dict[str, Database], count: int, settings: dict[str, Any]) -> float:
    """Events a second, from the commit of so many to the commit of the last handler."""
    await _clean(databases)
    async with line(databases, router(), **settings) as hearer:
        await copy_rate(databases["billing"], "outbox", COLUMNS, records(envelopes(count)))
        databases["billing"].wakeup.ring()
        start = time.perf_counter()
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while hearer.inbox.handled <= count:  # one more came first
                await asyncio.sleep(0.005)
        return count / (time.perf_counter() - start)
