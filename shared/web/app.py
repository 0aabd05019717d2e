"""A service's HTTP side: its routers, health, metrics, and on a simulated clock its end of the conductor's line."""

from collections.abc import Iterator

from aiokafka.errors import KafkaError
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.security import HTTPBearer
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from shared import auditing
from shared.auth import verifier_of
from shared.db import rows
from shared.discretion import told
from shared.errors import Unavailable
from shared.kafka.cluster import within
from shared.log import get_logger
from shared.migrations import behind
from shared.service import Runtime, Service
from shared.simulation import ClockSetting, ServiceState, move, state_of
from shared.web.asking import Actor, Documents, permits, refuse_unknown, runtime_of
from shared.web.audit_entries import audit_entry_router
from shared.web.audits import audit_router
from shared.web.commands import LimitedRoute
from shared.web.dead_letters import dead_letter_router
from shared.web.documentation import add_documentation
from shared.web.problems import add_handlers

log = get_logger("web")
GAUGES = """
SELECT
    (SELECT coalesce(extract(epoch FROM $1::timestamptz - min(occurred_at)), 0) FROM outbox) AS outbox_oldest_seconds,
    (SELECT count(*) FROM outbox) AS outbox_events,
    (SELECT count(*) FROM outbox_held) AS outbox_held_events,
    (SELECT count(*) FROM inbox_pending) AS inbox_pending_events,
    (SELECT count(DISTINCT key) FROM parked_event WHERE reason = 'waiting') AS inbox_waiting_keys,
    (SELECT count(DISTINCT key) FROM parked_event WHERE reason = 'dead') AS inbox_dead_keys,
    (SELECT count(*) FROM timer WHERE due_at < $1::timestamptz) AS timers_overdue
"""
MARK = 12  # digits of the documents' fingerprint: enough to see that two differ
LAG_SECONDS = 3.0  # whoever collects gauges waits ten


def create_app(runtime: Runtime) -> FastAPI:
    """The API of one service."""
    app = bare_app(runtime.service, simulated=runtime.clock.simulated)
    work_on(app, runtime)
    return app


def work_on(app: FastAPI, runtime: Runtime) -> None:
    """From now on the app answers from this runtime; it must be of the service whose app it is."""
    app.state.runtime, app.state.operator, app.state.crowds = runtime, runtime.operator, {}
    app.state.verifier = verifier_of(runtime.settings)


def bare_app(service: Service, *, simulated: bool) -> FastAPI:
    """A service's routes, with nothing behind them yet."""
    app = FastAPI(
        title=f"Reconecta · {service.name}",
        description=service.description,
        version="1",
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # our own are traces in logs and problems, and /metrics
        dependencies=[Depends(HTTPBearer(auto_error=False, description="Token firmado: `reconecta token`")), Depends(refuse_unknown)],
    )
    add_handlers(app)
    add_documentation(app)
    for router in service.routers:
        app.include_router(router)
    app.include_router(_health_router())
    app.include_router(dead_letter_router())
    app.include_router(audit_router())
    app.include_router(audit_entry_router())
    if simulated:
        app.include_router(_simulation_router())
    return app


def _health_router() -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @router.get("/health/ready")
    async def ready(request: Request) -> dict[str, str]:
        """The database answers and has every migration."""
        runtime = runtime_of(request)
        try:
            late = await behind(runtime.database)
        except Exception as error:
            raise Unavailable("La base de datos no responde.") from error
        if late:
            raise Unavailable("A la base de datos le faltan migraciones.", remedy="Ejecute `reconecta migrate`.")
        return {"status": "ok"}

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
    async def metrics(request: Request, actor: Actor) -> Response:
        """Gauges in Prometheus' text format."""
        return Response(await exposition(runtime_of(request)), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


async def exposition(runtime: Runtime) -> bytes:
    """The service's gauges as they are now."""
    now = await runtime.clock.now()
    async with runtime.database.transaction() as session:
        row = (await rows(session, GAUGES, now))[0]
        own = dict(await runtime.service.metrics(session)) if runtime.service.metrics else {}
        age, found = await auditing.latest(session, now)
    own |= {("audit_broken", each.sentence): float(each.count) for each in found}
    own["documents", runtime.operator.fingerprint[:MARK]] = 1.0  # whoever reads other files than the rest has another mark
    families = []
    for name, value in (*row.items(), ("audit_age_seconds", age)):
        family = GaugeMetricFamily(f"reconecta_{name}", name.replace("_", " "), labels=["service"])
        family.add_metric([runtime.service.name], float(value))
        families.append(family)
    lag = GaugeMetricFamily("reconecta_inbox_lag_events", "events that the transport holds", labels=["service"])
    lag.add_metric([runtime.service.name], await _lag(runtime) if runtime.lag else float(row.inbox_pending_events))
    grouped: dict[str, GaugeMetricFamily] = {}
    for (name, label), value in own.items():
        family = grouped.setdefault(name, GaugeMetricFamily(f"reconecta_{name}", name.replace("_", " "), labels=["service", "kind"]))
        family.add_metric([runtime.service.name, label], float(value))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found([*families, lag, *grouped.values()]))
    return generate_latest(registry)


async def _lag(runtime: Runtime) -> float:
    """Events that the transport holds; NaN where it does not say in time, for whoever looks then needs the other gauges most."""
    assert runtime.lag is not None
    try:
        return float(await within(LAG_SECONDS, runtime.lag()))
    except (KafkaError, TimeoutError, OSError) as error:
        log.warning("lag not counted", service=runtime.service.name, error=told(error))
        return float("nan")


class _Found(Collector):
    """Figures that were read already."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> Iterator[GaugeMetricFamily]:
        return iter(self._families)


def _simulation_router() -> APIRouter:
    router = APIRouter(tags=["simulation"], route_class=LimitedRoute)

    @router.get("/simulation")
    async def state(request: Request, actor: Actor, documents: Documents) -> ServiceState:
        """What is under way, and the next due instant."""
        permits(actor, documents, "simulation.clock")
        return await state_of(runtime_of(request))

    @router.put("/simulation")
    async def put(body: ClockSetting, request: Request, actor: Actor, documents: Documents) -> ServiceState:
        """Set this service's business time; only the conductor should."""
        permits(actor, documents, "simulation.clock")
        runtime = runtime_of(request)
        await move(runtime, body.now)
        return await state_of(runtime)

    return router
