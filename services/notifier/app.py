"""How notifier is put together."""

from services.notifier.adapters import carrier, poster
from services.notifier.api import routers
from services.notifier.handlers import events
from services.notifier.jobs import JOBS
from services.notifier.models import Table
from services.notifier.queries import SENTENCES, gauges
from shared.sealing import Seal
from shared.service import Service

SERVICE = Service(
    name="notifier",
    description="Avisos: mensajes, entregas y su resultado",
    events=events,
    tables=Table.metadata,
    routers=routers,
    jobs=JOBS,
    resources=lambda settings, operator: {"mail": carrier(settings), "webhooks": poster(settings), "seal": Seal(settings.webhook_keys)},
    metrics=gauges,
    sentences=SENTENCES,
    paces=dict.fromkeys(("relay", "inbox", "deliveries"), 0.25),
    last=frozenset({"inbox", "deliveries"}),  # nobody notices that a mail comes two seconds later
    inbox_batch=25,  # to write a mail takes a millisecond or two, during which nobody else is served; more are another step
)
