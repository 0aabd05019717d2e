"""How ticketing is put together."""

from services.ticketing.handlers import events
from services.ticketing.models import Table
from shared.worker import Service

SERVICE = Service(
    name="ticketing",
    description="Tickets: procedimientos en curso, tareas de cada área y conmutación de la red",
    events=events,
    tables=Table.metadata,
)
