"""How notifier is put together."""

from services.notifier.handlers import events
from services.notifier.models import Table
from shared.worker import Service

SERVICE = Service(name="notifier", description="Avisos: mensajes, entregas y su resultado", events=events, tables=Table.metadata)
