"""The house while it is broken: processes as in production, real Kafka, a real PostgreSQL behind a proxy, and who keeps them running."""

import asyncio
import time
from collections import Counter as Tally
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
from sqlalchemy.engine import make_url

from services.migrate import SERVICES
from services.postgres import EmbeddedPostgres, remove
from services.postgres.launch import SUPERUSER
from tests.faults.commands import Counter
from tests.support.database import build_schema
from tests.support.history import History, witnessed
from tests.support.processes import MODULE, Process, Processes, open_processes
from tests.support.proxy import Proxy, open_proxy
from tests.support.service import token

# A worker that comes back takes its partitions at once; a name that nobody takes again is free after the shortest time.
FIRST = {"RECONECTA_KAFKA_INSTANCE": "1", "RECONECTA_KAFKA_SESSION_SECONDS": "6", MODULE: "tests.support.history.served"}
SECOND = {"RECONECTA_KAFKA_INSTANCE": "2"}
WATCH_SECONDS = 0.1
LOOK_SECONDS = 5.0


@dataclass
class Stage:
    """Everything that a fault may touch. The load runs while `going` is set."""

    house: Processes
    server: EmbeddedPostgres
    proxy: Proxy
    bootstrap: str
    counter: Counter
    history: History
    broker: Path | None = None  # the folder of a Kafka of this stage's own
    ready: asyncio.Event = field(default_factory=asyncio.Event)  # set by the load when its customers are there
    going: asyncio.Event = field(default_factory=asyncio.Event)
    restarts: Tally[str] = field(default_factory=Tally)
    extra: dict[str, Process] = field(default_factory=dict)
    unwatched: list[tuple[str, int, int]] = field(default_factory=list)  # service, and between which notes of its witness old code worked
    strangers: set[str] = field(default_factory=set)  # ids of what no service has told: a fault has put it into a topic

    @property
    def prefix(self) -> str:
        """What the topics' names begin with."""
        return self.house.processes["worker billing"].environment["RECONECTA_KAFKA_PREFIX"]

    def processes(self, *roles: str) -> dict[str, Process]:
        """Those of these roles (`api`, `worker`), by name."""
        return {name: each for name, each in self.house.processes.items() if name.split()[0] in roles}

    def address(self, service: str) -> str:
        """A superuser's address of a service's database, past the proxy."""
        return self.server.url(service, SUPERUSER)

    def addresses(self) -> dict[str, str]:
        return {service: self.address(service) for service in SERVICES}

    async def connected(self, service: str) -> asyncpg.Connection:
        """A superuser's connection past the proxy, as soon as the server takes one."""
        while True:
            try:
                return await asyncpg.connect(self.address(service), timeout=5)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await asyncio.sleep(0.05)

    async def look(self, service: str, sql: str, *args: object) -> list[asyncpg.Record]:
        """Read a service's database past the proxy."""
        connection = await self.connected(service)
        try:
            return list(await connection.fetch(sql, *args))
        finally:
            await connection.close()

    async def drain(self) -> list[str]:
        """Wait until nobody waits for an answer and nothing is under way anywhere, without anybody's help. Answers what was still under
        way after each LOOK_SECONDS."""
        seen: list[str] = []
        looking = asyncio.create_task(self._look_on(seen))
        try:
            while self.counter.waiting:
                await asyncio.sleep(0.02)
            await self.house.settle()
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        return seen

    async def _look_on(self, seen: list[str]) -> None:
        headers, began = {"authorization": f"Bearer {token('admin')}"}, time.monotonic()
        async with httpx.AsyncClient(headers=headers, timeout=LOOK_SECONDS, trust_env=False) as client:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                busy = [f"{self.counter.waiting} commands"] if self.counter.waiting else []
                for service in SERVICES:
                    url = f"http://127.0.0.1:{self.house.processes[f'worker {service}'].port}/{service}/simulation"
                    try:
                        what = ", ".join((await client.get(url)).json()["busy"])
                    except (httpx.HTTPError, ValueError, KeyError):
                        what = "does not answer"
                    busy += [f"{service} {what}"] if what else []
                seen.append(f"{time.monotonic() - began:.0f} s: {'; '.join(busy)}")

    async def noted(self, service: str) -> int:
        """The number of the witness's last note in a service's database."""
        (row,) = await self.look(service, "SELECT coalesce(max(at), 0) AS at FROM witness.seen")
        return int(row["at"])

    async def move_on(self) -> None:
        """Some hours of business time pass, while nothing is under way."""
        await self.house.until((await self.today() + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M"))

    async def today(self) -> datetime:
        """Business time in the operator's zone, as billing has it."""
        (row,) = await self.look("billing", "SELECT now FROM simulated_clock")
        return row["now"].astimezone(self.house.operator.zone)  # type: ignore[no-any-return]

    async def another_worker(self, service: str) -> Process:
        """A second worker of a service beside the first, ready."""
        made = await self.house.another_worker(service, SECOND)
        self.extra[service] = made
        return made

    async def dismiss(self, service: str) -> None:
        """Stop the second worker in order."""
        await asyncio.to_thread(self.extra.pop(service).stop)

    async def supervise(self) -> None:
        """Start again whoever has ended, as systemd or a container's restart policy would."""
        while True:
            for name, process in self.house.processes.items():
                if process.running is not None and process.running.poll() is not None:
                    self.restarts[name] += 1
                    process.start()
            await asyncio.sleep(WATCH_SECONDS)


@asynccontextmanager
async def open_stage(
    folder: Path, bootstrap: str, *, broker: Path | None = None, start: str = "2026-03-01T00:00", variables: Mapping[str, str] | None = None
) -> AsyncIterator[Stage]:
    """Five services in ten processes on a PostgreSQL of their own, each with its own role, and somebody who restarts what has ended."""
    async with AsyncExitStack() as stack:
        stack.callback(remove, folder / "postgres")
        server = await stack.enter_async_context(EmbeddedPostgres(folder / "postgres", tcp=True))
        proxy = stack.enter_context(open_proxy(lambda: ("127.0.0.1", server.home.port)))
        await server.create_databases(SERVICES)
        for service in SERVICES:
            await build_schema(service, server.owner_url(service))
        await stack.enter_async_context(witnessed({each: server.url(each, SUPERUSER) for each in SERVICES}))
        behind = {each: make_url(server.url(each)).set(port=proxy.port).render_as_string(hide_password=False) for each in SERVICES}
        house = await stack.enter_async_context(
            open_processes(behind, folder, kafka_bootstrap=bootstrap, start=start, repeating=True, variables={**FIRST, **(variables or {})})
        )
        house.history = history = History()
        counter = Counter(house.ports(), history)
        stack.push_async_callback(counter.close)
        stage = Stage(house, server, proxy, bootstrap, counter, history, broker)
        supervisor = asyncio.create_task(stage.supervise())
        try:
            yield stage
        finally:
            supervisor.cancel()
            await asyncio.gather(supervisor, return_exceptions=True)
            for service in list(stage.extra):
                await stage.dismiss(service)


def postmaster(server: EmbeddedPostgres) -> int:
    """The process that listens."""
    return int((server.home.data / "postmaster.pid").read_text().split("\n", 1)[0])
