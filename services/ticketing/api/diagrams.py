"""Pictures of procedures and of tickets. Drawing takes a moment, so these routes hold no transaction meanwhile."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.ticketing.adapters.pictures import draw
from services.ticketing.api.procedures import ProcedureCode, find_procedure
from services.ticketing.operations.tickets import names_of, procedure_of
from services.ticketing.queries.tickets import as_engine, view_ticket
from services.ticketing.rules.diagram import mermaid
from shared.web import Actor, Documents, permits, runtime_of

router = APIRouter(tags=["diagrams"])
Format = Annotated[Literal["svg", "mermaid"], Query(alias="format", description="imagen SVG, o su texto Mermaid")]
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"description": "El dibujo", "content": {"image/svg+xml": {"example": "<svg …>"}, "text/plain": {"example": "flowchart TD\n"}}}
}


@router.get("/tickets/{ticket_id}/diagram", response_class=Response, responses=PICTURE)
async def draw_ticket(ticket_id: UUID, request: Request, actor: Actor, documents: Documents, picture_format: Format = "svg") -> Response:
    """Dibuja el procedimiento de un ticket, con lo que está abierto resaltado y lo terminado marcado."""
    permits(actor, documents, "ticketing.read")
    async with runtime_of(request).database.transaction() as session:
        view = await view_ticket(session, ticket_id)
    state = as_engine(view.ticket, view.turns)
    return await _picture(mermaid(procedure_of(view.ticket), names_of(documents), state, documents.zone), picture_format)


@router.get("/procedures/{code}/diagram", response_class=Response, responses=PICTURE)
async def draw_procedure(code: ProcedureCode, actor: Actor, documents: Documents, picture_format: Format = "svg") -> Response:
    """Dibuja un procedimiento del operador."""
    permits(actor, documents, "ticketing.read")
    return await _picture(mermaid(find_procedure(documents, code), names_of(documents)), picture_format)


async def _picture(text: str, picture_format: str) -> Response:
    if picture_format == "mermaid":
        return Response(text, media_type="text/plain; charset=utf-8")
    return Response(await draw(text), media_type="image/svg+xml")
