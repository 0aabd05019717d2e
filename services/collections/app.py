"""How collections is put together."""

from services.collections.adapters.streams import Streams
from services.collections.api import ROUTERS
from services.collections.handlers import events
from services.collections.jobs import JOBS
from services.collections.models import Table
from services.collections.queries.gauges import gauges
from services.collections.queries.invariants import SENTENCES
from shared.service import Service

SERVICE = Service(
    name="collections",
    description="Cobros: estados, carteras, gestiones, compromisos, planes, avisos, órdenes de suspensión y de reconexión",
    events=events,
    tables=Table.metadata,
    routers=ROUTERS,
    metrics=gauges,
    sentences=SENTENCES,
    jobs=JOBS,
    # `compared`: the policies whose files were held against those in force since this process started
    resources=lambda settings, operator: {"streams": Streams(operator, settings.streams_limit), "compared": set()},
)
