"""How billing is put together."""

from services.billing.handlers import events
from services.billing.jobs import JOBS
from services.billing.models import Table
from shared.worker import Service

SERVICE = Service(
    name="billing",
    description="Facturación: clientes, contratos, facturas, pagos e importaciones",
    events=events,
    tables=Table.metadata,
    jobs=JOBS,
)
