"""Loops are woken inside a process at once and across processes by NOTIFY; never by what was rolled back."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime

import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import SystemClock
from shared.courier import Courier
from shared.db import Database, execute, ring, rows
from shared.jobs import Job, JobContext
from shared.lease import Lease
from shared.loop import give_way, run
from shared.routing import EventRouter
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.wakeup import Wakeup
from shared.worker import Worker
from tests.support.service import operator

Url = Callable[[str], Awaitable[str]]


@pytest.fixture
async def pair(database_url: Url) -> AsyncIterator[tuple[Database, Database]]:
    """The same database as two processes have it."""
    url = await database_url("noc")
    one, two = Database(url, service="noc"), Database(url, service="noc")
    yield one, two
    await one.close()
    await two.close()


async def count(database: Database, sql: str, *args: object) -> int:
    async with database.look() as session:
        return len(await rows(session, sql, *args))


async def rung(bell: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await bell.wait()
    return bell.is_set()


async def listening(*wakeups: Wakeup) -> None:
    """Wait until each has connected: it wakes its own loops then."""
    bells = [wakeup.bell("relay") for wakeup in wakeups]
    for bell in bells:
        assert await rung(bell, 10)


async def test_a_commit_rings_here(pair: tuple[Database, Database]) -> None:
    bell = pair[0].wakeup.bell("relay")
    async with pair[0].transaction() as session:
        ring(session)
        await execute(session, "SELECT 1")
        assert not bell.is_set(), "not before the commit"
    assert bell.is_set()


async def test_what_is_rolled_back_rings_nobody(pair: tuple[Database, Database]) -> None:
    bell = pair[0].wakeup.bell("relay")
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with pair[0].transaction() as session:
            ring(session)
            raise RuntimeError
    assert not bell.is_set()


async def test_another_process_is_woken(pair: tuple[Database, Database]) -> None:
    one, two = pair
    one.wakeup.connect(one.dsn)
    two.wakeup.connect(two.dsn)
    await listening(one.wakeup, two.wakeup)
    bell = two.wakeup.bell("relay")
    async with one.transaction() as session:
        ring(session)
    assert await rung(bell, 5)


async def test_nobody_is_woken_by_their_own_notification(pair: tuple[Database, Database]) -> None:
    one, two = pair
    one.wakeup.connect(one.dsn)
    two.wakeup.connect(two.dsn)
    await listening(one.wakeup, two.wakeup)
    mine, other = one.wakeup.bell("relay"), two.wakeup.bell("relay")
    one.wakeup.ring()
    mine.clear()
    assert await rung(other, 5)
    assert not await rung(mine, 0.2)


async def test_a_broken_connection_is_made_anew(pair: tuple[Database, Database]) -> None:
    one, two = pair
    one.wakeup.connect(one.dsn)
    two.wakeup.connect(two.dsn)
    await listening(one.wakeup, two.wakeup)
    async with one.transaction() as session:
        await execute(
            session,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND query ~ '^(LISTEN|NOTIFY|SELECT 1)' AND application_name = ''",
        )
    bell = two.wakeup.bell("relay")
    async with asyncio.timeout(20):
        while not bell.is_set():
            one.wakeup.ring()
            await asyncio.sleep(0.1)


async def test_who_gives_way_waits_until_the_thread_has_time_to_spare_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = True

    async def works() -> None:
        while busy:
            sum(range(50_000))
            await asyncio.sleep(0)

    monkeypatch.setattr("shared.loop.time.thread_time", lambda: time.monotonic() if busy else 0.0)
    working, waiting = asyncio.create_task(works()), asyncio.create_task(give_way(60))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await asyncio.wait_for(give_way(0.05), 10)
    assert not waiting.done()
    busy = False
    await asyncio.wait_for(waiting, 10)
    await working


def hearing(database: Database) -> Worker:
    """A worker of a service that does nothing by itself."""
    service, settings = Service("noc", "", EventRouter(), MetaData()), Settings(service="noc", database_url=database.dsn)
    return Worker(Runtime(service, settings, database, SystemClock(), operator(), {}), Courier({}))


async def test_a_loop_looks_again_soon_after_an_error_and_at_once_after_a_ring_while_it_looked(pair: tuple[Database, Database]) -> None:
    bell, looks = asyncio.Event(), 0

    async def look() -> bool:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise ConnectionResetError
        if looks == 2:
            bell.set()
        return False

    looking = asyncio.create_task(hearing(pair[0])._loop("slow", look, bell, poll=600))
    async with asyncio.timeout(20):
        while looks < 3:
            await asyncio.sleep(0.01)
    looking.cancel()


async def test_who_ends_in_order_lets_another_lead_at_once(pair: tuple[Database, Database]) -> None:
    worker, led = hearing(pair[0]), "SELECT FROM lease WHERE holder = $1"
    worker.start()
    async with asyncio.timeout(20):
        while await count(pair[1], led, worker.runtime.holder) < 2:
            await asyncio.sleep(0.05)
    await worker.stop()
    assert await Lease(pair[1], "relay/0", "another").held()
    assert await Lease(pair[1], "inbox", "another").held()


async def test_what_goes_last_lets_the_others_of_its_process_go_first_and_alone_waits_for_nobody(
    pair: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    idle, done = asyncio.Event(), dict.fromkeys(("last", "first", "alone"), 0)
    monkeypatch.setattr("shared.loop.time.thread_time", lambda: 0.0 if idle.is_set() else time.monotonic())

    def working(name: str, *, alone: bool = False) -> Worker:
        async def now(_: AsyncSession, context: JobContext) -> datetime:
            return context.now

        async def run(_: JobContext) -> int:
            done[name] += 1
            return 0

        job, last = Job(name, now, run), frozenset({"last", "alone"})
        service = Service("noc", "", EventRouter(), MetaData(), jobs=(job,), paces={name: 0.01}, last=last)
        settings = Settings(service="noc", database_url=pair[0].dsn)
        runtime = Runtime(service, settings, pair[0], SystemClock(), operator(), {})
        return Worker(runtime, Courier({}), alone=alone)

    workers = [working("last"), working("first"), working("alone", alone=True)]
    for each in workers:
        each.start()
    async with asyncio.timeout(20):
        while not done["first"] or not done["alone"]:
            await asyncio.sleep(0.01)
        assert done["last"] == 0
        idle.set()
        while not done["last"]:
            await asyncio.sleep(0.01)
    for each in workers:
        await each.stop()


def test_a_process_looks_seldom_for_garbage_and_leaves_the_collector_as_it_was() -> None:
    before = gc.get_threshold()

    async def seen() -> int:
        return gc.get_threshold()[0]

    assert run(seen()) >= 20 * before[0], "whoever thinks about many accounts would be looked through again and again"
    assert gc.get_threshold() == before
