"""One service in a process of its own, as production runs it: `reconecta serve api SERVICE`, `reconecta serve worker SERVICE`.

Both answer below `/<service>` (the gateway changes no path): the API with all its routes, the worker with health, metrics and its end of
the conductor's line. What they are told comes from the environment (shared/settings.py). Neither starts on a database that is behind.
"""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import httpx
from fastapi import Depends, FastAPI

from services.conductor import clock_router
from services.installation import InstallationError, given_databases
from services.local import root_app
from services.serving import listen, serving, stop_signals
from services.wiring import open_runtime, open_worker, service_of
from shared.auth import verifier_of
from shared.log import configure
from shared.loop import settled, stand_back
from shared.migrations import require_current
from shared.operator import Operator, load_operator
from shared.settings import SERVICES, Settings, settings_from_environment
from shared.simulation import Conductor, HttpEnd, SimulationStuck
from shared.web.asking import refuse_unknown
from shared.web.problems import add_handlers

Role = Literal["api", "worker"]
TOKEN, ENDS = "RECONECTA_CONDUCTOR_TOKEN", "RECONECTA_CONDUCTOR_ENDS"
ASK_SECONDS = 30.0


@dataclass(frozen=True)
class Listening:
    """Where a process answers."""

    host: str
    port: int


async def run_service(role: Role, name: str, on: Listening, ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT. Raises CannotListen, InstallationError and DatabaseBehind."""
    settings = environment_settings(name)
    configure(settings.log_level)
    operator = load_operator(settings.operator_folder)
    service = service_of(name)
    await require_current(name, settings.database_url)
    async with AsyncExitStack() as stack:
        socket = stack.enter_context(listen(on.host, on.port))
        stop = await stack.enter_async_context(stop_signals())
        shown = service if role == "api" else replace(service, routers=())
        runtime = await stack.enter_async_context(open_runtime(service, settings, operator))
        runtime.database.wakeup.connect(runtime.database.dsn)
        if role == "worker":
            stand_back()  # on a machine that is full whoever has sent a request goes first
            databases = given_databases() if settings.transport == "courier" else {}
            await stack.enter_async_context(open_worker(runtime, databases))
        app = root_app(operator, {name: replace(runtime, service=shown)}, None)
        await stack.enter_async_context(serving(app, socket))
        settled()
        ready(f"http://{on.host}:{socket.getsockname()[1]}")
        await stop.wait()


async def run_conductor(on: Listening, start: datetime | None, ready: Callable[[str], None]) -> None:
    """Serve `/simulation/clock` for services in other processes. With `start` (aware) their business time begins there."""
    settings = Settings(service="conductor", database_url="")
    configure(settings.log_level)
    operator = load_operator(settings.operator_folder)
    async with AsyncExitStack() as stack:
        socket = stack.enter_context(listen(on.host, on.port))
        stop = await stack.enter_async_context(stop_signals())
        ends = await stack.enter_async_context(_ends())
        if start is not None:
            await _begin(ends, start)
        await stack.enter_async_context(serving(conductor_app(operator, settings, ends), socket))
        ready(f"http://{on.host}:{socket.getsockname()[1]}")
        await stop.wait()


async def _begin(ends: Sequence[HttpEnd], start: datetime) -> None:
    """Set every clock, waiting for workers that do not answer yet. Raises InstallationError for one that refuses, or never answers."""
    try:
        for end in ends:
            await end.set(start)
    except SimulationStuck as stuck:
        raise InstallationError(f"El reloj de prueba no empieza: {stuck}") from None


def conductor_app(operator: Operator, settings: Settings, ends: list[HttpEnd]) -> FastAPI:
    """The app that only moves clocks."""
    app = FastAPI(title="Reconecta · reloj", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(refuse_unknown)])
    app.state.operator, app.state.verifier = operator, verifier_of(settings)
    add_handlers(app)
    app.include_router(clock_router(Conductor(ends)))

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    return app


@asynccontextmanager
async def _ends() -> AsyncIterator[list[HttpEnd]]:
    """The workers of all services, from RECONECTA_CONDUCTOR_ENDS (`billing=http://…,collections=http://…`)."""
    found = dict(each.strip().split("=", 1) for each in os.environ.get(ENDS, "").split(",") if "=" in each)
    missing = [] if os.environ.get(TOKEN) else [TOKEN]
    missing += [f"{name} en {ENDS} (billing=http://…,collections=http://…)" for name in SERVICES if name not in found]
    if missing:
        raise InstallationError(f"Al reloj de prueba le falta: {'; '.join(missing)}.")
    headers = {"authorization": f"Bearer {os.environ[TOKEN]}"}
    async with httpx.AsyncClient(headers=headers, timeout=ASK_SECONDS) as client:
        yield [HttpEnd(name, client, f"{found[name].rstrip('/')}/{name}/simulation") for name in SERVICES]


def environment_settings(name: str) -> Settings:
    """A service's settings. Raises InstallationError naming what is missing or wrong."""
    if name not in SERVICES:
        raise InstallationError(f"No hay ningún servicio «{name}»; hay: {', '.join(SERVICES)}.")
    try:
        return settings_from_environment(name)
    except ValueError as error:
        raise InstallationError(f"La configuración de {name} no sirve: {error}") from None
