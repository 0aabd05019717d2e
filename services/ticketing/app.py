"""How ticketing is put together."""

from services.ticketing.api import ROUTERS
from services.ticketing.handlers import events
from services.ticketing.jobs import JOBS, TIMERS
from services.ticketing.models import Table
from services.ticketing.queries.invariants import SENTENCES
from services.ticketing.queries.switches import gauges
from shared.service import Service

SERVICE = Service(
    name="ticketing",
    description="Tickets: procedimientos en curso, tareas de cada área y conmutación de la red",
    events=events,
    tables=Table.metadata,
    routers=ROUTERS,
    timers=TIMERS,
    jobs=JOBS,
    metrics=gauges,
    sentences=SENTENCES,
    paces={"relay": 0.1},  # it tells what was done; what is to be done comes to it
)
