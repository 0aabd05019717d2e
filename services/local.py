"""All five services in one process: the embedded default, the demo, and the tests' house.

Nothing here is a service's own: it opens the databases, wires a transport between them, and puts five APIs on one address.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from fastapi import Depends, FastAPI
from starlette.types import Receive, Scope, Send

from services import wiring
from services.auditing import kept_by
from services.conductor import clock_router
from services.front import front_router
from services.wiring import open_runtime, open_transport
from shared.auditing import COPIES
from shared.auth import verifier_of
from shared.operator import Operator
from shared.service import Runtime
from shared.settings import Settings
from shared.simulation import Conductor, LocalEnd
from shared.web import create_app
from shared.web.asking import refuse_unknown
from shared.web.problems import add_handlers

AppOf = Callable[[Runtime], FastAPI]


@dataclass
class House:
    """The running system. `conductor` moves business time; None on the real clock."""

    operator: Operator
    runtimes: Mapping[str, Runtime]
    app: FastAPI
    conductor: Conductor | None


@asynccontextmanager
async def open_house(
    operator: Operator, settings: Mapping[str, Settings], start: datetime | None = None, *, app_of: AppOf = create_app
) -> AsyncIterator[House]:
    """Run the five services until the block ends. `settings` by service name; their databases exist and are migrated.
    With `start` (aware) business time is simulated and begins there, unless the databases are further already. `app_of` gives the app
    that serves a runtime."""
    async with AsyncExitStack() as stack:
        runtimes = {}
        for service in wiring.SERVICES:
            opened = open_runtime(service, settings[service.name], operator, start)
            runtimes[service.name] = await stack.enter_async_context(opened)
        _compare_copies(runtimes)
        await stack.enter_async_context(open_transport(runtimes))
        conductor = Conductor([LocalEnd(each) for each in runtimes.values()]) if start else None
        yield House(operator, runtimes, root_app(operator, runtimes, conductor, app_of), conductor)


def _compare_copies(runtimes: Mapping[str, Runtime]) -> None:
    """Here are all five databases: each service's audit compares what it keeps of the others, too."""
    databases = {name: each.database for name, each in runtimes.items()}
    for name, each in runtimes.items():
        each.resources = {**each.resources, COPIES: partial(kept_by, name, databases)}


class _Address(FastAPI):
    """Hands a request to the service that it is for before any layer of its own: each of those the service has, too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, slash, _ = scope.get("path", "").removeprefix("/").partition("/")
        service = self.state.services.get(name) if slash and scope["type"] == "http" else None
        if service is None:
            await super().__call__(scope, receive, send)
            return
        root = scope.get("root_path", "")
        await service({**scope, "root_path": f"{root}/{name}", "app_root_path": root}, receive, send)


def root_app(operator: Operator, runtimes: Mapping[str, Runtime], conductor: Conductor | None, app_of: AppOf = create_app) -> FastAPI:
    """One address: `/billing`, `/collections`, … and, on a simulated clock, `/simulation/clock`. `/` says where to look."""
    app = _Address(title="Reconecta", openapi_url=None, docs_url=None, redoc_url=None, dependencies=[Depends(refuse_unknown)])
    app.state.operator = operator
    app.state.verifier = verifier_of(next(iter(runtimes.values())).settings)
    add_handlers(app)
    app.include_router(front_router(operator, [each.service for each in runtimes.values()]))
    if conductor is not None:
        app.include_router(clock_router(conductor))
    app.state.services = {name: app_of(runtime) for name, runtime in runtimes.items()}
    for name, service in app.state.services.items():
        app.mount(f"/{name}", service)
    return app
