"""Pictures of the manager's figures: collected against billed, and ageing; no transaction is held while they are drawn."""

from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request, Response

from services.collections.adapters.charts import bars, summed
from services.collections.api.access import PORTFOLIOS
from services.collections.api.figures import counted_rows
from services.collections.rules.wording import dated
from shared.web import Actor, Documents, permits, runtime_of

router = APIRouter(tags=["cifras de gerencia"])
BUCKETS = ("current", "1-30", "31-60", "61-90", "90+")
PICTURE: dict[int | str, dict[str, Any]] = {200: {"description": "El dibujo", "content": {"image/svg+xml": {"example": "<svg …>"}}}}


@router.get("/figures/collected.svg", response_class=Response, responses=PICTURE)
async def draw_collected(request: Request, actor: Actor, documents: Documents) -> Response:
    """Collected (in front) against billed, by month, in the operator's currency."""
    permits(actor, documents, PORTFOLIOS)
    async with runtime_of(request).database.transaction() as session:
        as_of, rows = await counted_rows(session, "collected")
    own = sorted((each for each in rows if each["currency"] == documents.currency), key=lambda each: str(each["period"]))
    billed, collected = summed(own, "period", "billed"), summed(own, "period", "collected")
    title = f"Cobrado (oscuro) contra facturado (claro) al {dated(documents, as_of)}"
    names = list(billed) or ["sin facturas"]
    drawn = [list(each.values()) or [Decimal(0)] for each in (billed, collected)]
    return Response(await bars(title, names, documents.currency, *drawn), media_type="image/svg+xml")


@router.get("/figures/ageing.svg", response_class=Response, responses=PICTURE)
async def draw_ageing(request: Request, actor: Actor, documents: Documents) -> Response:
    """What is open by days since it was due, in the operator's currency."""
    permits(actor, documents, PORTFOLIOS)
    async with runtime_of(request).database.transaction() as session:
        as_of, rows = await counted_rows(session, "ageing")
    found = summed([each for each in rows if each["currency"] == documents.currency], "bucket", "amount")
    title = f"Antigüedad de la deuda al {dated(documents, as_of)}"
    names = ["sin vencer", *(f"{each} días" for each in BUCKETS[1:])]
    return Response(await bars(title, names, documents.currency, [found.get(each, 0) for each in BUCKETS]), media_type="image/svg+xml")
