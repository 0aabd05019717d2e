"""The conductor: business time passes for all services together, and nothing that was due is ever skipped or late."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import MetaData

from shared import timers
from shared.clock import ClockNotSet, SimulatedClock
from shared.courier import Courier, Receiver
from shared.db import Database, execute, rows
from shared.kafka import KafkaLag, KafkaSink
from shared.outbox import publish
from shared.routing import Context, EventRouter
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.simulation import Conductor, HttpEnd, LocalEnd, ServiceState, SimulationStuck, state_of
from shared.timers import DueTimer, TimerRouter
from shared.worker import Worker
from tests.support.service import operator
from tests.support.transport import Said, Told, clean, prepare

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def teller() -> Service:
    """Tells something every day at the same hour; writes down what comes back, with the instant."""
    events, clocks = EventRouter(), TimerRouter()

    @clocks.on("daily")
    async def daily(ctx: Context, timer: DueTimer) -> None:
        number = int(timer.key)
        await publish(ctx.session, Told(who=f"p{number % 5}", number=number), subject=f"told/{number}", version=1, now=ctx.now)
        await timers.arm(ctx.session, kind="daily", key=str(number + 1), due_at=timer.due_at + DAY)

    @events.on(Said)
    async def said(ctx: Context, event: Said) -> None:
        await write(ctx, event)

    return Service("billing", "", events, MetaData(), timers=clocks)


def answerer() -> Service:
    """Answers each thing told 36 hours later, and once more an hour after that."""
    events, clocks = EventRouter(), TimerRouter()

    @events.on(Told)
    async def told(ctx: Context, event: Told) -> None:
        await write(ctx, event)
        for copy, hours in enumerate((36, 37)):
            due = ctx.now + timedelta(hours=hours)
            await timers.arm(ctx.session, kind="answer", key=f"{event.number}/{copy}", due_at=due, payload={"who": event.who})

    @clocks.on("answer")
    async def answer(ctx: Context, timer: DueTimer) -> None:
        number = int(timer.key.partition("/")[0])
        event = Said(who=timer.payload["who"], number=number)
        await publish(ctx.session, event, subject=f"said/{timer.key}", version=1, now=ctx.now)

    return Service("collections", "", events, MetaData(), timers=clocks)


async def write(ctx: Context, event: Told) -> None:
    await execute(ctx.session, "INSERT INTO heard (sender, who, number) VALUES ($1, $2, $3)", ctx.now.isoformat(), event.who, event.number)


class World:
    """Two services, their workers and a conductor."""

    def __init__(self, databases: dict[str, Database], bootstrap: str | None, prefix: str) -> None:
        self.databases = databases
        services = {each.name: each for each in (teller(), answerer())}
        self.runtimes = {name: self._runtime(services[name], bootstrap, prefix) for name in services}
        courier = Courier({name: Receiver(databases[name], services[name].events.types) for name in services})
        self.workers = [Worker(each, KafkaSink(each.settings) if bootstrap else courier) for each in self.runtimes.values()]
        self.conductor = Conductor([LocalEnd(each) for each in self.runtimes.values()], stuck_seconds=5)

    def _runtime(self, service: Service, bootstrap: str | None, prefix: str) -> Runtime:
        database = self.databases[service.name]
        settings = Settings(
            service=service.name,
            database_url=database.dsn,
            clock="simulated",
            transport="kafka" if bootstrap else "courier",
            kafka_bootstrap=bootstrap or "",
            kafka_prefix=prefix,
        )
        runtime = Runtime(service, settings, database, SimulatedClock(database), operator(), {})
        runtime.lag = KafkaLag(settings, database, service.events.senders) if bootstrap else None
        return runtime

    async def start(self) -> None:
        for runtime in self.runtimes.values():
            assert isinstance(runtime.clock, SimulatedClock)
            await runtime.clock.set(START)
        async with self.databases["billing"].transaction() as session:
            await timers.arm(session, kind="daily", key="0", due_at=START + timedelta(hours=3))
        for worker in self.workers:
            worker.start()

    async def picture(self) -> list[Any]:
        """Everything that was written down, and the timers that are left."""
        found: list[Any] = []
        for database in self.databases.values():
            async with database.transaction() as session:
                heard = await rows(session, "SELECT sender, who, number FROM heard ORDER BY sender, who, number, at")
                left = await rows(session, "SELECT kind, key, due_at FROM timer ORDER BY kind, key")
                found += [[tuple(row) for row in heard], [tuple(row) for row in left]]
        return found

    async def close(self) -> None:
        for worker in self.workers:
            await worker.stop()
        for runtime in self.runtimes.values():
            if isinstance(runtime.lag, KafkaLag):
                await runtime.lag.close()
        for database in self.databases.values():
            await clean(database)


Make = Callable[..., Awaitable[World]]


@pytest.fixture
async def world(database: Callable[[str], Awaitable[Database]], request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    """`await world()` makes one on clean databases; several in one test."""
    made: list[World] = []

    async def make(*, kafka: bool = False) -> World:
        databases = {name: await database(name) for name in ("billing", "collections")}
        for each in databases.values():
            await prepare(each)
        bootstrap = request.getfixturevalue("kafka_bootstrap") if kafka else None
        made.append(World(databases, bootstrap, f"sim{id(databases)}."))
        await made[-1].start()
        return made[-1]

    yield make
    for each in made:
        await each.close()


async def test_before_the_clock_is_set_everybody_waits_and_says_nothing(
    database: Callable[[str], Awaitable[Database]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Workers in processes of their own start before the conductor has said what time it is."""
    databases = {name: await database(name) for name in ("billing", "collections")}
    for each in databases.values():
        await prepare(each)
    world = World(databases, None, "")
    async with databases["billing"].transaction() as session:
        await publish(session, Told(who="p1", number=7), subject="told/7", version=1, now=START)
    for worker in world.workers:
        worker.start()
    try:
        await asyncio.sleep(1.5)
        assert capsys.readouterr() == ("", "")
        with pytest.raises(ClockNotSet):
            await world.conductor.settle()
        for runtime in world.runtimes.values():
            assert isinstance(runtime.clock, SimulatedClock)
            await runtime.clock.set(START)
        await world.conductor.settle()
        assert (await world.picture())[2] == [(START.isoformat(), "p1", 7)]
    finally:
        await world.close()


async def test_one_call_or_ninety_give_the_same(world: Make) -> None:
    whole, pieces = await world(), await world()
    until = START + 10 * DAY
    await whole.conductor.advance(until)
    for number in range(1, 91):
        await pieces.conductor.advance(START + number * timedelta(minutes=160))
    assert await whole.picture() == await pieces.picture()
    told = (await whole.picture())[2]
    assert len(told) == 10
    assert told[0] == ((START + timedelta(hours=3)).isoformat(), "p0", 0)


@pytest.mark.kafka
async def test_over_kafka_it_is_the_same_too(world: Make, request: pytest.FixtureRequest) -> None:
    courier, kafka = await world(), await world(kafka=True)
    until = START + 6 * DAY
    await courier.conductor.advance(until)
    await kafka.conductor.advance(until)
    assert await courier.picture() == await kafka.picture()


async def test_effects_carry_the_instant_at_which_they_were_due(world: Make) -> None:
    here = await world()
    await here.conductor.advance(START + 3 * DAY)
    answers = (await here.picture())[0]
    first = START + timedelta(hours=3 + 36)
    assert answers[:2] == [(first.isoformat(), "p0", 0), ((first + timedelta(hours=1)).isoformat(), "p0", 0)]


async def test_it_refuses_to_go_back(world: Make) -> None:
    here = await world()
    await here.conductor.advance(START + DAY)
    with pytest.raises(ValueError, match="already"):
        await here.conductor.advance(START)


async def test_what_never_ends_is_named(world: Make) -> None:
    here = await world()
    await here.workers[1].stop()
    here.conductor = Conductor([LocalEnd(each) for each in here.runtimes.values()], stuck_seconds=0.5)
    with pytest.raises(SimulationStuck, match="collections: inbox"):
        await here.conductor.advance(START + DAY)


class Silent(httpx.AsyncBaseTransport):
    """A worker that is gone for some requests, then ill for some, and then answers."""

    def __init__(self, gone: int, ill: int) -> None:
        self._gone, self._ill = gone, ill

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._gone:
            self._gone -= 1
            raise httpx.ConnectError("nobody listens", request=request)
        if self._ill:
            self._ill -= 1
            return httpx.Response(503, json={"title": "No disponible"}, request=request)
        return httpx.Response(200, json={"now": START.isoformat(), "next_due": None, "busy": [], "published": 0}, request=request)


async def test_a_worker_that_is_started_again_is_waited_for() -> None:
    async with httpx.AsyncClient(transport=Silent(gone=2, ill=2)) as client:
        assert (await HttpEnd("billing", client, "http://billing/simulation").state()).now == START


async def test_a_worker_that_never_answers_is_named() -> None:
    async with httpx.AsyncClient(transport=Silent(gone=10**6, ill=0)) as client:
        with pytest.raises(SimulationStuck, match="billing no responde"):
            await HttpEnd("billing", client, "http://billing/simulation", patience=0.3).set(START)


class Restless:
    """A service that is always busy with something else, and tells nobody anything."""

    name = "billing"

    def __init__(self) -> None:
        self.asked = 0

    async def state(self) -> ServiceState:
        self.asked += 1
        return ServiceState(now=START, next_due=None, busy=[("inbox", "job review")[self.asked % 2]], published=7)

    async def set(self, now: datetime) -> None: ...


async def test_what_comes_and_goes_and_leads_to_nothing_is_named() -> None:
    with pytest.raises(SimulationStuck, match=r"billing: (inbox|job review)"):
        await Conductor([Restless()], stuck_seconds=0.1).settle()


async def test_a_parked_event_that_may_go_on_is_under_way_and_one_that_may_not_is_not(world: Make) -> None:
    here = await world()
    await here.conductor.settle()
    for worker in here.workers:
        await worker.stop()
    insert = (
        "INSERT INTO parked_event (reason, detail, attempts, parked_at, event_id, sender, type, subject, sequence, key, occurred_at, data) "
        "VALUES ($1, '', 1, now(), gen_random_uuid(), $2, 'x', 'x', 1, $3, now(), '{}')"
    )
    runtime = here.runtimes["billing"]

    async def busy_after(*parked: tuple[str, str, str]) -> list[str]:
        async with runtime.database.transaction() as session:
            await execute(session, "DELETE FROM parked_event")
            for reason, sender, key in parked:
                await execute(session, insert, reason, sender, key)
        return (await state_of(runtime)).busy

    assert await busy_after(("dead", "a", "k"), ("behind", "a", "k"), ("behind", "b", "k")) == []
    assert await busy_after(("waiting", "a", "k"), ("behind", "a", "k")) == []
    assert await busy_after(("waiting", "a", "k"), ("behind", "b", "k")) == ["parked"]
    assert await busy_after(("retry", "a", "k")) == ["parked"]
    assert await busy_after(("behind", "a", "k")) == ["parked"]
    assert await busy_after(("dead", "a", "other"), ("retry", "a", "k")) == ["parked"]


async def test_what_is_held_for_a_receiver_that_is_down_is_under_way(world: Make) -> None:
    here = await world()
    await here.conductor.settle()
    for worker in here.workers:
        await worker.stop()
    runtime = here.runtimes["billing"]
    async with runtime.database.transaction() as session:
        await publish(session, Told(who="p", number=1), subject="told/1", version=1, now=START)
        await execute(session, "INSERT INTO outbox_held SELECT 'collections', * FROM outbox")
        await execute(session, "DELETE FROM outbox")
    assert (await state_of(runtime)).busy == ["held"]


async def test_the_very_first_event_is_counted(world: Make) -> None:
    here = await world()
    before = (await state_of(here.runtimes["billing"])).published
    await here.conductor.advance(START + timedelta(hours=3))
    after = (await state_of(here.runtimes["billing"])).published
    assert (before, after) == (0, 1)


async def test_two_calls_at_once_are_one_after_the_other(world: Make) -> None:
    here = await world()
    await asyncio.gather(here.conductor.advance(START + 2 * DAY), here.conductor.advance(START + 2 * DAY))
    assert len((await here.picture())[2]) == 2
