"""How the NOC is put together."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from services.noc.api import router
from services.noc.handlers import events
from services.noc.models import Table
from services.noc.queries import SENTENCES, count_open_outages
from shared.service import Service


async def _metrics(session: AsyncSession) -> Mapping[tuple[str, str], float]:
    return {("outages", "open"): float(await count_open_outages(session))}


SERVICE = Service(
    name="noc",
    description="NOC: nodos de acceso y sus cortes",
    events=events,
    tables=Table.metadata,
    routers=(router,),
    metrics=_metrics,
    sentences=SENTENCES,
)
