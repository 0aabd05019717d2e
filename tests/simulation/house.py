"""The five services without their loops: nothing moves unless the scheduler says so. Relays, inboxes, timers and jobs are the worker's."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from services.wiring import SERVICES, open_runtime
from shared.courier import Courier, CourierInbox, Receiver
from shared.db import execute, rows
from shared.envelopes import to_envelope
from shared.events import Envelope
from shared.inbox import Arrival
from shared.operator import Operator
from shared.operator.steps import Deadline, Step
from shared.parking import EVENT
from shared.service import Runtime
from shared.settings import Settings
from shared.web import create_app
from shared.worker import Worker
from tests.simulation.machine import LONG
from tests.simulation.wire import Lines, simulate
from tests.support.service import keys, operator

EXPIRED = {
    "": "UPDATE lease SET expires_at = clock_timestamp() - interval '1 s'",
    "billing": "UPDATE import_batch SET claimed_until = clock_timestamp() - interval '1 s' WHERE claimed_until IS NOT NULL",
    "ticketing": "UPDATE network_switch SET claimed_until = clock_timestamp() - interval '1 s' WHERE state = 'CLAIMED'",
    "notifier": "UPDATE delivery SET claimed_until = clock_timestamp() - interval '1 s' WHERE state = 'SENDING'",
}
# Mails are many and all the same: those stay that something waits for, and one to a customer.
NOTICES = ("aviso_suspension_vip", "suspension_residencial_cliente", "pago_rechazado")


def small_operator() -> Operator:
    """The shipped operator, who sends fewer mails to fewer desks, and has a deadline for every task."""
    shipped = operator()
    notices = {code: shipped.notices[code] for code in NOTICES}
    aviso = notices[NOTICES[0]]
    notices[NOTICES[0]] = aviso.model_copy(update={"to": aviso.to.model_copy(update={"desks": aviso.to.desks[:2]})})
    procedures = {
        code: each.model_copy(update={"steps": [_with_deadline(step) for step in each.steps]}) for code, each in shipped.procedures.items()
    }
    return shipped.model_copy(update={"notices": notices, "procedures": procedures})


def _with_deadline(step: Step) -> Step:
    return step.model_copy(update={"deadline": Deadline(hours=2)}) if step.kind == "task" else step


@dataclass(frozen=True)
class Weather:
    """How rough a world is. `struck`, `races`: so many of all turns; `even`: so often an inbox takes events in order; `relay`, `inbox`: how
    many events are taken at a time; `vips`, `prompt`: so many of all customers (tests.simulation.people)."""

    struck: float
    races: float
    even: float
    relay: tuple[int, ...]
    inbox: tuple[int, ...]
    vips: float
    prompt: float


ROUGH = Weather(struck=0.2, races=0.1, even=0.2, relay=(2, 20, 60, 200), inbox=(2, 10, 40, 100), vips=0.15, prompt=0.0)
MILD = Weather(struck=0.3, races=0.02, even=0.6, relay=(20, 200, 500), inbox=(20, 100, 200), vips=0.04, prompt=0.5)


@dataclass
class Post:
    """The Courier, and a list of everything that it was ever given."""

    courier: Courier
    told: list[Envelope] = field(default_factory=list)
    ids: set[Any] = field(default_factory=set)

    async def send(self, batch: Sequence[Envelope], skip: frozenset[str], known: int) -> frozenset[str]:
        self.told += [each for each in batch if each.id not in self.ids]
        self.ids.update(each.id for each in batch)
        return await self.courier.send(batch, skip, known)

    async def send_to(self, receiver: str, batch: Sequence[Envelope], known: int) -> None:
        await self.courier.send_to(receiver, batch, known)

    def types_of(self, receiver: str) -> frozenset[str]:
        return self.courier.types_of(receiver)

    async def close(self) -> None:
        """The Courier is everybody's."""


class UnevenInbox(CourierInbox):
    """Takes what came in any order that keeps each sender's of each key, as topics and partitions do; leaves some for later, brings some
    twice."""

    chance: random.Random
    weather: Weather
    calm = False
    doubled = mixed = late = 0

    async def oldest(self, session: AsyncSession) -> list[Arrival]:
        self._batch = 200 if self.calm else self.chance.choice(self.weather.inbox)
        if self.calm or self.chance.random() < self.weather.even:
            return await super().oldest(session)
        salt, held_back = str(self.chance.random()), self.chance.randrange(3)
        found = await rows(
            session,
            f"SELECT seq, {EVENT} FROM inbox_pending WHERE abs(hashtext(key || sender || $1 || 'late') % 8) >= $2 "
            f"ORDER BY hashtext(key || sender || $1), seq LIMIT {self._batch}",
            salt,
            held_back,
        )
        arrivals = [Arrival(to_envelope(row), row.seq) for row in found]
        twice = [replace(each, envelope=each.envelope.model_copy()) for each in arrivals if self.chance.random() < 0.05]
        self.mixed += sum(after.mark < before.mark for before, after in pairwise(arrivals))
        self.doubled += len(twice)
        self.late += held_back > 0
        return arrivals + twice


@dataclass
class Shop:
    """One service: its API and two processes with a worker each, which share the work by leases and locks."""

    runtime: Runtime
    post: Post
    chance: random.Random
    weather: Weather
    app: FastAPI
    workers: list[Worker] = field(default_factory=list)
    born: int = 0
    calm: bool = False
    mourning: bool = False  # somebody died, and what it held is not free yet
    gone: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.workers = [self._worker(), self._worker()]

    def _worker(self) -> Worker:
        self.born += 1
        self.runtime.holder = f"process {self.born}"
        worker = Worker(self.runtime, self.post)
        inbox = UnevenInbox(worker.inbox, worker.courier_inbox.lease)  # type: ignore[union-attr]
        inbox.chance, inbox.weather, inbox.calm = self.chance, self.weather, self.calm
        worker.courier_inbox = inbox
        for lease in (*(relay.lease for relay in worker._relays), inbox.lease):
            lease.duration = LONG
        return worker

    def bury(self, worker: Worker) -> None:
        """The process is dead; another one starts in its place and knows nothing."""
        self.gone.append(worker)
        self.mourning = True
        self.workers[self.workers.index(worker)] = self._worker()

    def seen(self, worker: Worker) -> list[str]:
        """The loops for which the worker's lookout has found something."""
        found = [name for name, bell in worker._look.items() if bell.is_set()]
        for name in found:
            worker._look[name].clear()
        return found

    def idle(self, what: str, worker: Worker) -> bool:
        """Does it mean that there is nothing to do when this worker finds nothing? Not while another one leads."""
        leads = {"relay": lambda each: each._relays[0].lease.epoch, "inbox": lambda each: each.courier_inbox.lease.epoch}
        return what not in leads or leads[what](worker) or not any(leads[what](each) for each in self.workers)

    def inboxes(self) -> list[UnevenInbox]:
        """Those of all processes that there ever were."""
        return [each.courier_inbox for each in (*self.gone, *self.workers)]  # type: ignore[misc]

    def rest(self) -> None:
        """From now on everything is taken in order."""
        self.calm = True
        for each in self.inboxes():
            each.calm = True

    async def expire(self) -> None:
        """So much time passes that no lease and no claim holds any more."""
        name, self.mourning = self.runtime.service.name, False
        async with self.runtime.database.transaction() as session:
            for sql in filter(None, (EXPIRED[""], EXPIRED.get(name))):
                await execute(session, sql)

    async def step(self, what: str, worker: Worker) -> bool:
        """One step of a loop of the worker; True while there is more."""
        if what == "relay":
            worker._relays[0]._batch = 500 if self.calm else self.chance.choice(self.weather.relay)
            return await worker._relays[0].step()
        if what == "inbox":
            assert worker.courier_inbox is not None
            return await worker.courier_inbox.step()
        if what == "redelivery":
            return await worker._redeliver()
        if what == "lookout":
            return await worker._lookout()
        if what == "parked":
            return await worker.inbox.release() or await worker.inbox.try_waiting()
        return await self._job(what)

    async def _job(self, name: str) -> bool:
        job = next(each for each in self.runtime.jobs if each.name == name)
        async with self.runtime.database.look() as session:
            now = await self.runtime.clock.now(session)
            context = self.runtime.job_context(now)
            due = await job.next_due(session, context)
        return due is not None and due <= now and await job.run(context) > 0


@asynccontextmanager
async def open_shops(
    databases: Mapping[str, str], folder: Path, start: datetime, chance: random.Random, weather: Weather
) -> AsyncIterator[dict[str, Shop]]:
    """The five services on five clean databases, on a simulated clock."""
    documents = small_operator()
    async with AsyncExitStack() as stack:
        runtimes: dict[str, Runtime] = {}
        for service in SERVICES:
            settings = Settings(
                service=service.name,
                database_url=databases[service.name],
                operator_folder=documents.folder,
                data_folder=folder,
                maildir=folder / "correo",
                clock="simulated",
                network="simulated",
                token_public_keys=[keys()[1]],
            )
            stack.callback((lines := Lines()).close)
            runtimes[service.name] = await stack.enter_async_context(open_runtime(service, settings, documents, start))
            await runtimes[service.name].database.engine.dispose()  # connections that are there already could not be struck
            simulate(runtimes[service.name].database.engine, lines)
        post = Post(Courier({name: Receiver(each.database, each.service.events.types) for name, each in runtimes.items()}))
        yield {name: Shop(each, post, chance, weather, create_app(each)) for name, each in runtimes.items()}
