"""All five services in one process: the embedded default, the demo, and the tests' house.

Nothing here is a service's own: it opens the databases, wires a transport between them, and puts five APIs on one address.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from fastapi import FastAPI

from services.billing.app import SERVICE as BILLING
from services.collections.app import SERVICE as COLLECTIONS
from services.noc.app import SERVICE as NOC
from services.notifier.app import SERVICE as NOTIFIER
from services.ticketing.app import SERVICE as TICKETING
from shared.clock import Clock, SimulatedClock, SystemClock
from shared.courier import Courier, Receiver
from shared.db import Database
from shared.operator import Operator
from shared.outbox import Sink
from shared.settings import Settings
from shared.simulation import Conductor, LocalEnd
from shared.web import create_app
from shared.worker import Runtime, Service, Worker

SERVICES: tuple[Service, ...] = (BILLING, COLLECTIONS, TICKETING, NOC, NOTIFIER)


@dataclass
class House:
    """The running system. `conductor` moves business time; None on the real clock."""

    operator: Operator
    runtimes: Mapping[str, Runtime]
    app: FastAPI
    conductor: Conductor | None


@asynccontextmanager
async def open_house(operator: Operator, settings: Mapping[str, Settings], start: datetime | None = None) -> AsyncIterator[House]:
    """Run the five services until the block ends. `settings` by service name; their databases exist and are migrated.
    With `start` (aware) business time is simulated and begins there, unless the databases are further already."""
    async with AsyncExitStack() as stack:
        runtimes = {}
        for service in SERVICES:
            runtimes[service.name] = await _runtime(stack, service, settings[service.name], operator, start)
        courier = Courier({name: Receiver(each.database, each.service.events.types) for name, each in runtimes.items()})
        for runtime in runtimes.values():
            worker = _worker(runtime, courier)
            worker.start()
            stack.push_async_callback(worker.stop)
        conductor = Conductor([LocalEnd(each) for each in runtimes.values()]) if start else None
        yield House(operator, runtimes, root_app(runtimes, conductor), conductor)


async def _runtime(stack: AsyncExitStack, service: Service, settings: Settings, operator: Operator, start: datetime | None) -> Runtime:
    database = Database(settings.database_url, service=service.name)
    stack.push_async_callback(database.close)
    clock: Clock = SystemClock()
    if start is not None:
        clock = simulated = SimulatedClock(database)
        await simulated.set(start)
    return Runtime(service, settings, database, clock, operator, service.resources(settings, operator))


def _worker(runtime: Runtime, courier: Courier) -> Worker:
    sink: Sink = courier
    return Worker(runtime, sink, courier_inbox=True)


def root_app(runtimes: Mapping[str, Runtime], conductor: Conductor | None) -> FastAPI:
    """One address: `/billing`, `/collections`, … and, on a simulated clock, `/simulation/clock`."""
    app = FastAPI(title="Reconecta", openapi_url=None)
    for name, runtime in runtimes.items():
        app.mount(f"/{name}", create_app(runtime))
    return app
