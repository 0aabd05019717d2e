"""How the NOC is put together."""

from services.noc.handlers import events
from services.noc.models import Table
from shared.worker import Service

SERVICE = Service(name="noc", description="NOC: cortes de nodos de acceso", events=events, tables=Table.metadata)
