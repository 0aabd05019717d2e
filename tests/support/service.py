"""One service under test: its API, its inbox and its jobs on a real database and a simulated clock, without the other four."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import httpx
from cryptography.fernet import Fernet
from fastapi import FastAPI

from shared.auth import ensure_keys, issue
from shared.clock import SimulatedClock
from shared.db import Database, new_id, rows
from shared.events import CATALOGUE, Envelope, Event
from shared.inbox import Arrival, Inbox
from shared.jobs import Job
from shared.lease import prolonged
from shared.operator import Operator, load_operator
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.web.app import bare_app, work_on

OPERATOR_FOLDER = Path("deploy/operators/vip_isp")
WEBHOOK_KEY = Fernet.generate_key().decode()  # closes secrets for the whole test session
FREE: dict[tuple[int, bool], list[tuple[Service, FastAPI]]] = {}  # by the service's id and whether its clock is simulated
OUT_OF_TURN = """
SELECT subject, array_agg(sequence ORDER BY id) AS told FROM outbox GROUP BY subject
HAVING min(sequence) < 1 OR array_agg(sequence ORDER BY id) <> array(SELECT generate_series(min(sequence), max(sequence)))
"""


@cache
def operator() -> Operator:
    """The shipped operator."""
    return load_operator(OPERATOR_FOLDER)


@cache
def keys() -> tuple[str, str]:
    """A signing key for the whole test session, and its public half."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return ensure_keys(Path(folder))


def token(person: str, desks: Sequence[str] | None = None, using: Operator | None = None) -> str:
    """A token of one of the operator's people; a stranger needs desks."""
    known = (using or operator()).person(person)
    wanted = desks if desks is not None else known.desks if known else []
    return issue(keys()[0], person=person, name=known.name if known else person, desks=wanted, lifetime=timedelta(hours=1))


def client_of(app: FastAPI, person: str, desks: Sequence[str] | None = None, using: Operator | None = None) -> httpx.AsyncClient:
    """A client that speaks as this person and puts a fresh Idempotency-Key on every POST without one."""

    async def key(request: httpx.Request) -> None:
        if request.method == "POST" and "idempotency-key" not in request.headers:
            request.headers["idempotency-key"] = str(new_id())

    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://reconecta",
        headers={"authorization": f"Bearer {token(person, desks, using)}"},
        event_hooks={"request": [key]},
        timeout=60,
    )


@dataclass
class Published:
    """An event as it left the service."""

    type: str
    key: str
    subject: str
    sequence: int
    event: Any


@dataclass
class Served:
    """A service that runs in this test. Nothing happens by itself: the test brings events, moves the clock, runs the jobs."""

    runtime: Runtime
    app: FastAPI
    inbox: Inbox
    clients: list[httpx.AsyncClient] = field(default_factory=list)
    sequence: int = 0

    def as_(self, person: str, desks: Sequence[str] | None = None) -> httpx.AsyncClient:
        """The API as this person sees it."""
        self.clients.append(client_of(self.app, person, desks, self.runtime.operator))
        return self.clients[-1]

    async def now(self) -> datetime:
        return await self.runtime.clock.now()

    async def at(self, instant: datetime) -> None:
        """Move business time (aware) and run what is due, stopping at every due instant on the way."""
        assert isinstance(self.runtime.clock, SimulatedClock)
        while True:
            await self.work()
            due = await self.next_due()
            if due is None or due > instant:
                break
            await self.runtime.clock.set(due)
        await self.runtime.clock.set(instant)
        await self.work()

    async def next_due(self) -> datetime | None:
        """When a job or timer has work next."""
        _, found = await self._due()
        return min((due for _, due in found), default=None)

    async def work(self) -> None:
        """Run all jobs and timers that are due, until none is."""
        busy = True
        while busy:
            busy = False
            now, found = await self._due()
            for job in [job for job, due in found if due <= now]:
                busy |= bool(await job.run(self.runtime.job_context(now)))

    async def _due(self) -> tuple[datetime, list[tuple[Job, datetime]]]:
        """The time, and when each job has work next, where it has any: one look, as the workers' lookout does."""
        async with self.runtime.database.look() as session:
            now = await self.runtime.clock.now(session)
            context = self.runtime.job_context(now)
            found = [(job, await job.next_due(session, context)) for job in self.runtime.jobs]
        return now, [(job, due) for job, due in found if due is not None]

    async def deliver(self, *events: Event, source: str | None = None, event_id: UUID | None = None) -> None:
        """Let these events arrive, in this order, in one batch."""
        now = await self.now()
        arrivals = []
        for event in events:
            self.sequence += 1
            sender = source or event.TYPE.split(".")[0]
            envelope = Envelope(
                id=event_id or new_id(),
                type=event.TYPE,
                source=sender,
                subject=f"{sender}/{self.sequence}",
                sequence=self.sequence,
                key=event.key(),
                time=now,
                data=event.model_dump_json(),
            )
            arrivals.append(Arrival(envelope, None))

        async def nothing(session: Any, handled: Sequence[Arrival]) -> None:
            """There is no transport whose progress could be kept."""

        await self.inbox.handle(arrivals, nothing)

    async def published(self, *types: type[Event]) -> list[Published]:
        """What the service has told so far (of these types), in order. Each under its own key, and no version of an aggregate left out or
        given twice, whichever way it was written."""
        async with self.runtime.database.transaction() as session:
            found = await rows(session, "SELECT type, key, subject, sequence, data FROM outbox ORDER BY id")
        told = [Published(row.type, row.key, row.subject, row.sequence, CATALOGUE[row.type].model_validate_json(row.data)) for row in found]
        versions: dict[str, int] = {}
        for each in told:
            assert each.key == each.event.key(), each
            assert each.sequence == versions.get(each.subject, each.sequence - 1) + 1, each
            versions[each.subject] = each.sequence
        wanted = {each.TYPE for each in types}
        return [each for each in told if not wanted or each.type in wanted]

    async def waits(self, transactions: int = 1) -> bool:
        """Do so many transactions wait for what another one holds?"""
        sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return len(await self.sql(sql)) >= transactions

    async def prolongs(self, table: str, work: Awaitable[Any]) -> bool:
        """Does who has claimed rows of this table say again and again, while its work takes long, that it is still there?"""
        often, said = (timedelta(milliseconds=20),), set[datetime]()
        with patch.object(prolonged.__wrapped__, "__defaults__", often):  # type: ignore[attr-defined]
            running = asyncio.ensure_future(work)
            while not running.done() and len(said) < 2:
                said |= {row.claimed_until for row in await self.sql(f"SELECT claimed_until FROM {table} WHERE claimed_until IS NOT NULL")}
                await asyncio.sleep(0.02)
            await running
        return len(said) > 1

    async def sql(self, query: str, *args: Any) -> Sequence[Any]:
        """Look into the service's database."""
        async with self.runtime.database.transaction() as session:
            return await rows(session, query, *args)


@asynccontextmanager
async def serve(
    service: Service, database: Database, start: datetime, *, using: Operator | None = None, **settings: Any
) -> AsyncIterator[Served]:
    """Open one service on a clean database at a business instant (aware); `settings` are those of shared.settings. Whatever it does
    there, each of its aggregates tells its versions one after the other."""
    clock = SimulatedClock(database)
    await clock.set(start)
    documents = using or operator()
    given = {"token_public_keys": [keys()[1]], "webhook_keys": [WEBHOOK_KEY], "network": "simulated", "clock": "simulated", **settings}
    own = Settings(service=service.name, database_url=database.dsn, operator_folder=documents.folder, **given)
    runtime = Runtime(service, own, database, clock, documents, service.resources(own, documents))
    inbox = Inbox(database, service.events, documents, clock)
    with app_on(runtime) as app:
        served = Served(runtime, app, inbox)
        yield served
        assert [(row.subject, row.told) for row in await served.sql(OUT_OF_TURN)] == []
        for client in served.clients:
            await client.aclose()


@contextmanager
def app_on(runtime: Runtime) -> Iterator[FastAPI]:
    """The service's API on this runtime. Making its routes takes longer than many a test: one whose test has ended well is used again."""
    free = FREE.setdefault((id(runtime.service), runtime.clock.simulated), [])
    app = free.pop()[1] if free else bare_app(runtime.service, simulated=runtime.clock.simulated)
    work_on(app, runtime)
    yield app
    free.append((runtime.service, app))  # as long as the service is there nobody else has its id
