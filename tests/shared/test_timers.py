"""Timers: armed and cancelled with the change that needs them, fired once, on business time, also after a restart."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import MetaData

from shared import timers
from shared.clock import SystemClock
from shared.courier import Courier
from shared.db import Database, execute, rows
from shared.jobs import JobContext
from shared.routing import Context, EventRouter
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.timers import PAUSES, DueTimer, TimerRouter
from shared.worker import Worker
from tests.support.service import operator
from tests.support.transport import until

Open = Callable[[str], Awaitable[Database]]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clockwork:
    """One service's timers, as one of its processes runs them."""

    def __init__(self, db: Database) -> None:
        self.db, self.router = db, TimerRouter()
        self.fired: list[DueTimer] = []
        self.error: Exception | None = None

        @self.router.on("promise")
        async def promise(ctx: Context, timer: DueTimer) -> None:
            await execute(ctx.session, "INSERT INTO lease (name, holder, epoch, expires_at) VALUES ($1, 'x', 1, $2)", timer.key, ctx.now)
            if self.error is not None:
                raise self.error
            self.fired.append(timer)

    async def at(self, now: datetime) -> int:
        settings = Settings(service="noc", database_url=self.db.dsn)
        return await timers.fire(self.router, JobContext(self.db, now, operator(), settings, {}))

    async def arm(self, key: str, due: datetime, **payload: str) -> None:
        async with self.db.transaction() as session:
            await timers.arm(session, kind="promise", key=key, due_at=due, payload=payload)

    async def next_due(self, now: datetime = NOON) -> datetime | None:
        async with self.db.transaction() as session:
            return await timers.next_due(session, ["promise"], now)


@pytest.fixture
async def clockwork(database: Open) -> Clockwork:
    return Clockwork(await database("noc"))


async def test_it_fires_at_its_instant_and_not_before(clockwork: Clockwork) -> None:
    await clockwork.arm("a", NOON, note="first")
    assert await clockwork.next_due() == NOON
    assert await clockwork.at(NOON - timedelta(microseconds=1)) == 0
    assert await clockwork.at(NOON) == 1
    assert await clockwork.at(NOON + HOUR) == 0
    assert [(each.key, each.due_at, each.payload) for each in clockwork.fired] == [("a", NOON, {"note": "first"})]
    assert await clockwork.next_due() is None
    async with clockwork.db.transaction() as session:
        assert not await rows(session, "SELECT 1 FROM timer"), "nothing is left that a person would have to look at"


async def test_the_earliest_fires_first_however_late(clockwork: Clockwork) -> None:
    for key, hours in (("c", 3), ("a", 1), ("b", 2)):
        await clockwork.arm(key, NOON + hours * HOUR)
    assert await clockwork.at(NOON + 9 * HOUR) == 3
    assert [each.key for each in clockwork.fired] == ["a", "b", "c"]
    assert clockwork.fired[0].due_at == NOON + HOUR


async def test_one_that_fires_late_is_handled_now_and_knows_when_it_was_due(clockwork: Clockwork) -> None:
    await clockwork.arm("a", NOON)
    assert await clockwork.at(NOON + 5 * HOUR) == 1
    assert clockwork.fired[0].due_at == NOON
    async with clockwork.db.transaction() as session:
        assert [row.expires_at for row in await rows(session, "SELECT expires_at FROM lease")] == [NOON + 5 * HOUR]


async def test_arming_again_moves_it_and_says_what_it_is_about_now(clockwork: Clockwork) -> None:
    await clockwork.arm("a", NOON, note="first")
    await clockwork.arm("a", NOON + HOUR, note="second")
    assert await clockwork.at(NOON) == 0
    assert await clockwork.at(NOON + HOUR) == 1
    assert clockwork.fired[0].payload == {"note": "second"}


async def test_arming_and_cancelling_belong_to_their_transaction(clockwork: Clockwork) -> None:
    await clockwork.arm("kept", NOON)
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with clockwork.db.transaction() as session:
            await timers.arm(session, kind="promise", key="never", due_at=NOON)
            await timers.cancel(session, kind="promise", key="kept")
            raise RuntimeError
    assert await clockwork.at(NOON) == 1
    assert [each.key for each in clockwork.fired] == ["kept"]


async def test_a_cancelled_timer_does_not_fire(clockwork: Clockwork) -> None:
    await clockwork.arm("a", NOON)
    async with clockwork.db.transaction() as session:
        await timers.cancel(session, kind="promise", key="a")
        await timers.cancel(session, kind="promise", key="unknown")
    assert await clockwork.at(NOON) == 0


async def test_two_processes_fire_each_once(clockwork: Clockwork) -> None:
    for number in range(60):
        await clockwork.arm(f"k{number:02}", NOON)
    other = Clockwork(clockwork.db)
    counts = await asyncio.gather(clockwork.at(NOON), other.at(NOON))
    assert sum(counts) == 60
    assert sorted(each.key for each in clockwork.fired + other.fired) == [f"k{number:02}" for number in range(60)]


async def test_a_timer_that_another_process_is_firing_delays_no_other(clockwork: Clockwork) -> None:
    for key in ("a", "b"):
        await clockwork.arm(key, NOON)
    async with clockwork.db.transaction() as session:
        await rows(session, "SELECT 1 FROM timer WHERE key = 'a' FOR UPDATE")
        async with asyncio.timeout(10):
            assert await clockwork.at(NOON) == 1
    assert [each.key for each in clockwork.fired] == ["b"]


async def test_every_worker_fires_what_is_due(clockwork: Clockwork) -> None:
    service = Service("noc", "", EventRouter(), MetaData(), timers=clockwork.router)
    settings = Settings(service="noc", database_url=clockwork.db.dsn)
    worker = Worker(Runtime(service, settings, clockwork.db, SystemClock(), operator(), {}), Courier({}))
    worker.start()

    async def fired() -> bool:
        return bool(clockwork.fired)

    try:
        await clockwork.arm("a", NOON)
        await until(fired)
    finally:
        await worker.stop()


async def test_it_survives_a_restart(clockwork: Clockwork, database: Open) -> None:
    await clockwork.arm("a", NOON)
    url = clockwork.db.dsn
    await clockwork.db.close()
    reborn = Clockwork(Database(url, service="noc"))
    assert await reborn.at(NOON) == 1
    await reborn.db.close()


async def test_what_fails_is_counted_for_itself_alone(clockwork: Clockwork) -> None:
    await clockwork.arm("a", NOON)
    await clockwork.arm("b", NOON + HOUR)
    clockwork.error = ValueError("broken")
    await clockwork.at(NOON)
    async with clockwork.db.transaction() as session:
        found = {row.key: row.failures for row in await rows(session, "SELECT key, failures FROM timer")}
    assert found == {"a": 1, "b": 0}


async def test_what_fails_leaves_no_effect_and_does_not_stop_the_others(clockwork: Clockwork) -> None:
    await clockwork.arm("a", NOON)
    clockwork.error = ValueError("broken")
    for pause in PAUSES:
        assert await clockwork.next_due(NOON + pause) == NOON + pause
        assert await clockwork.at(NOON + pause) == 1, "one try, and no other before its time"
    async with clockwork.db.transaction() as session:
        assert not await rows(session, "SELECT 1 FROM lease")
        assert (await rows(session, "SELECT failures FROM timer"))[0].failures == len(PAUSES)
    assert await clockwork.next_due(NOON + HOUR * 9) is None, "a person must look; business time goes on"
    clockwork.error = None
    await clockwork.arm("b", NOON)
    assert await clockwork.at(NOON) == 1
    await clockwork.arm("a", NOON + HOUR)
    assert await clockwork.at(NOON + HOUR) == 1, "armed again it counts anew"


async def test_what_passes_by_itself_is_no_failure(clockwork: Clockwork) -> None:
    await clockwork.arm("a", NOON)
    clockwork.error = ConnectionResetError("gone")
    with pytest.raises(ConnectionResetError):
        await clockwork.at(NOON)
    clockwork.error = None
    assert await clockwork.at(NOON) == 1


async def test_a_kind_that_nobody_knows_stays_armed(clockwork: Clockwork) -> None:
    async with clockwork.db.transaction() as session:
        await timers.arm(session, kind="of a newer version", key="a", due_at=NOON)
    assert await clockwork.at(NOON) == 0
    async with clockwork.db.transaction() as session:
        assert len(await rows(session, "SELECT 1 FROM timer")) == 1
