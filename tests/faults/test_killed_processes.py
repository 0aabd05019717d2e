"""Processes are killed in mid-month, and nothing is lost or done twice: the month comes to what it comes to when nobody disturbs it."""

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.billing.queries.invariants import invariants as billing_invariants
from services.collections.queries.invariants import invariants as collections_invariants
from services.migrate import SERVICES
from services.postgres import EmbeddedPostgres, remove
from services.postgres.launch import SUPERUSER
from shared.courier import Courier
from shared.db import Database, rows
from shared.events import Envelope
from shared.kafka.cluster import from_record
from tests.faults.month import ROWS, Month, come_to, play
from tests.support.database import Stock
from tests.support.house import LEFTOVERS, open_test_house
from tests.support.killer import Killer
from tests.support.processes import Processes, open_processes

# A worker that comes back takes its partitions at once; a name that nobody takes again is free after the shortest time.
QUICK = {"RECONECTA_KAFKA_INSTANCE": "1", "RECONECTA_KAFKA_SESSION_SECONDS": "6"}


@asynccontextmanager
async def postgres_to_be_killed(folder: Path) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """A server of this test's own (a killed backend throws everybody out) with five clean databases; a superuser's address, and theirs."""
    async with EmbeddedPostgres(folder, durable=False) as server:
        stock = Stock(server.url("postgres", SUPERUSER))
        yield stock.url, {service: stock.address(await stock.take(service)) for service in SERVICES}
    remove(folder)


async def undisturbed(databases: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    """The same month in one process, on the Courier."""
    told: list[Envelope] = []
    send = Courier.send

    async def overheard(courier: Courier, batch: Sequence[Envelope], skip: frozenset[str]) -> frozenset[str]:
        told.extend(batch)
        return await send(courier, batch, skip)

    monkeypatch.setattr(Courier, "send", overheard)
    async with open_test_house(databases, folder) as house:
        await play(house)
        await house.settle()
        return await come_to(databases, house.maildir, told)


async def told_on_kafka(house: Processes, bootstrap: str) -> list[Envelope]:
    """Everything in the five topics, in the order of each partition."""
    prefix = house.processes["worker billing"].environment["RECONECTA_KAFKA_PREFIX"]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        parts = [TopicPartition(f"{prefix}{name}.events", number) for name in SERVICES for number in range(2)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        ends = await consumer.end_offsets(parts)
        told = []
        while any([await consumer.position(each) < ends[each] for each in parts]):
            found = await consumer.getmany(timeout_ms=1000)
            told += [from_record(record)[0] for records in found.values() for record in records]
        return told
    finally:
        await consumer.stop()


async def broken(house: Processes, databases: dict[str, str]) -> list[str]:
    """What is left under way or dead, and what does not hold."""
    found = []
    now = await house.now()
    for name, url in databases.items():
        database = Database(url, service=name)
        try:
            async with database.transaction() as session:
                found += [f"{name}: {row.place} {row.type} {row.detail}" for row in await rows(session, LEFTOVERS)]
                if name == "billing":
                    found += await billing_invariants(session)
                elif name == "collections":
                    found += await collections_invariants(session, operator=house.operator, now=now)
        finally:
            await database.close()
    return found


async def killed(house: Processes, killer: Killer) -> None:
    """The month while the killer is about."""
    killing = asyncio.create_task(killer.run())
    try:
        await play(house)
    finally:
        killer.over.set()
        await killing
    await house.settle()


@pytest.mark.kafka
@pytest.mark.slow
async def test_nothing_is_lost_or_doubled_by_processes_killed_in_mid_month(
    database_url: Callable[[str], Awaitable[str]], tmp_path: Path, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(10**6))
    began = time.monotonic()
    folder = Path(os.environ["RECONECTA_TEST_FOLDER"]) / f"killed-{os.getpid()}"
    async with postgres_to_be_killed(folder) as (server, databases):  # noqa: SIM117 - the second needs the first
        async with open_processes(databases, tmp_path, kafka_bootstrap=kafka_bootstrap, repeating=True, variables=QUICK) as house:
            victims = {name: each for name, each in house.processes.items() if name != "conductor"}
            killer = Killer(seed, victims, databases, server)
            started = time.monotonic()
            await killed(house, killer)
            ended = time.monotonic()
            month = await come_to(databases, house.maildir, await told_on_kafka(house, kafka_bootstrap))
            found = await broken(house, databases)
    calm = {service: await database_url(service) for service in SERVICES}
    expected = await undisturbed(calm, tmp_path / "calm", monkeypatch)
    kills = sum(killer.killed.values())
    print(  # noqa: T201
        f"FAULT_SEED={seed}: {kills} kills ({dict(killer.killed)}), {month.copies} mails sent again; started {started - began:.0f} s, "
        f"month {ended - started:.0f} s, all {time.monotonic() - began:.0f} s",
        file=sys.stderr,
    )
    assert kills > 0
    assert expected.events["billing", "billing.invoice_issued.v1"] == len(ROWS)
    assert found == []
    assert month.broken == expected.broken == []
    assert month.differs(expected) == []
