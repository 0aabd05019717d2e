"""How billing is put together."""

from services.billing.api import ROUTERS
from services.billing.handlers import events
from services.billing.jobs import JOBS
from services.billing.models import Table
from services.billing.queries.gauges import gauges
from services.billing.queries.invariants import SENTENCES
from shared.service import Service

SERVICE = Service(
    name="billing",
    description="Facturación: clientes, contratos, facturas, pagos e importaciones",
    events=events,
    tables=Table.metadata,
    routers=ROUTERS,
    jobs=JOBS,
    metrics=gauges,
    sentences=SENTENCES,
    paces={"inbox": 0.25},
)
