"""What every way of running the services has in common: which there are, a service on its database, and a transport between them.

# Note [Loaded by who serves it]
To load all five services takes longer than all else that a process does before it answers. A process that serves one loads that one, and
of the others, where the Courier writes into their inboxes, what they listen to. Whoever asks for SERVICES loads them all.
"""

import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from shared.clock import Clock, SimulatedClock, SystemClock
from shared.courier import Courier, Receiver
from shared.db import Database, find_one_log
from shared.kafka import KafkaLag, KafkaSink
from shared.operator import Operator
from shared.outbox import Sink
from shared.routing import EventRouter
from shared.service import Runtime, Service
from shared.settings import SERVICES as NAMES
from shared.settings import Settings
from shared.worker import Worker

SERVICES: tuple[Service, ...]  # see Note [Loaded by who serves it]


def __getattr__(name: str) -> tuple[Service, ...]:
    if name != "SERVICES":
        raise AttributeError(name)
    globals()[name] = found = tuple(map(service_of, NAMES))
    return found


def service_of(name: str) -> Service:
    """One of NAMES, with all that it serves."""
    found: Service = importlib.import_module(f"services.{name}.app").SERVICE
    return found


def events_of(name: str) -> EventRouter:
    """What one of NAMES listens to: the same as its service's `events`, without its API."""
    found: EventRouter = importlib.import_module(f"services.{name}.handlers").events
    return found


@asynccontextmanager
async def open_runtime(service: Service, settings: Settings, operator: Operator, start: datetime | None = None) -> AsyncIterator[Runtime]:
    """A service on its database and its clock, until the block ends. `start` (aware) sets a simulated clock that is not there yet."""
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url, service=service.name)
        stack.push_async_callback(database.close)
        clock: Clock = SystemClock()
        if start is not None or settings.clock == "simulated":
            clock = simulated = SimulatedClock(database)
            if start is not None:
                await simulated.set(start)
        lag = None
        if settings.transport == "kafka":
            lag = KafkaLag(settings, database, service.events.senders)
            stack.push_async_callback(lag.close)
        yield Runtime(service, settings, database, clock, operator, service.resources(settings, operator), lag)


@asynccontextmanager
async def open_transport(runtimes: Mapping[str, Runtime]) -> AsyncIterator[None]:
    """Run the workers of all services of this process, joined by what their settings say, until the block ends."""
    receivers = {name: Receiver(each.database, each.service.events.types) for name, each in runtimes.items()}
    if all(each.settings.transport == "courier" for each in runtimes.values()):
        await find_one_log([each.database for each in runtimes.values()])
    async with AsyncExitStack() as stack:
        for runtime in runtimes.values():
            await stack.enter_async_context(_working(runtime, receivers))
        yield


@asynccontextmanager
async def open_worker(runtime: Runtime, databases: Mapping[str, str]) -> AsyncIterator[None]:
    """Run one service's worker in this process until the block ends. `databases`: the addresses of all, for the Courier."""
    async with AsyncExitStack() as stack:
        receivers = {}
        for name in NAMES if databases else ():
            database = Database(databases[name], service=name, pool_size=4)
            stack.push_async_callback(database.close)
            database.wakeup.connect(database.dsn)
            receivers[name] = Receiver(database, events_of(name).types)
        if receivers:
            await find_one_log([runtime.database, *(each.database for each in receivers.values())])
        await stack.enter_async_context(_working(runtime, receivers, alone=True))
        yield


@asynccontextmanager
async def _working(runtime: Runtime, receivers: Mapping[str, Receiver], *, alone: bool = False) -> AsyncIterator[None]:
    sink: Sink = KafkaSink(runtime.settings) if runtime.settings.transport == "kafka" else Courier(receivers)
    worker = Worker(runtime, sink, alone=alone)
    worker.start()
    try:
        yield
    finally:
        await worker.stop()
