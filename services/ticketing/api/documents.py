"""Documents of tickets over HTTP: stored as they are, given back as a download. None is ever shown as a page of ours."""

from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from services.ticketing.api.shapes import CUSTOMER_ID, TICKET_ID
from services.ticketing.models import Document
from services.ticketing.operations.documents import store_document
from services.ticketing.queries.documents import get_document, part_of
from shared import idempotency
from shared.errors import TooLarge
from shared.web import Actor, Documents, Now, Session, UploadRoute, command_router, incoming, permits, run_command, runtime_of
from shared.web.shapes import example

router = command_router(tags=["documents"])
uploads = APIRouter(route_class=UploadRoute, tags=["documents"])
downloads = APIRouter(tags=["documents"])
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary", "description": "PDF, imagen PNG, JPEG o TIFF, o un correo (.eml)"},
                "example": "%PDF-1.7 …",
            }
        },
    }
}
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "El documento, tal como se guardó",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
# It is somebody's letter: no browser may show it as a page of ours, guess another kind, or keep it for others.
GUARDS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
}


class DocumentShown(BaseModel):
    """A stored document. `media_type` is what its content is; write its `id` into a field of kind `file` when you open a ticket or finish a
    step. One that no ticket names within seven days is forgotten."""

    model_config = example(
        id="019d2f6e-7f0b-7c7a-9a35-0a8b0f6f4b56",
        customer_id=CUSTOMER_ID,
        ticket_id=TICKET_ID,
        name="carta-desconexion.pdf",
        media_type="application/pdf",
        size=184320,
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        stored_by="elena.paz",
        stored_at="2026-04-10T23:40:00Z",
    )
    id: UUID
    customer_id: UUID
    ticket_id: UUID | None
    name: str
    media_type: str
    size: int
    sha256: str
    stored_by: str
    stored_at: datetime


@uploads.post("/documents", status_code=201, response_model=DocumentShown, openapi_extra=BODY)
async def store(
    request: Request,
    actor: Actor,
    documents: Documents,
    now: Now,
    customer_id: UUID,
    name: Annotated[str, Query(min_length=1, max_length=200, description="cómo se llama el archivo, por ejemplo carta.pdf")],
) -> Response:
    """Guarda un documento de un cliente: el cuerpo es el archivo mismo. Su clase se conoce por el contenido, no por el nombre."""
    permits(actor, documents, "ticketing.documents")
    content = await _content(request)

    async def work() -> Response:
        kept = await store_document(
            request.state.session, customer_id=customer_id, name=name, content=content, stored_by=actor.person, now=now
        )
        location = {"Location": f"/ticketing/documents/{kept.id}"}
        return JSONResponse(show_document(kept).model_dump(mode="json"), status_code=201, headers=location)

    return await run_command(request, idempotency.fingerprint(customer_id.bytes, name.encode(), content), work)


@router.get("/documents/{document_id}")
async def read_document(document_id: UUID, session: Session, actor: Actor, documents: Documents) -> DocumentShown:
    """Muestra qué documento es: nombre, clase, tamaño, huella sha256 y quién lo guardó."""
    permits(actor, documents, "ticketing.documents")
    return show_document(await get_document(session, document_id))


@downloads.get("/documents/{document_id}/content", response_class=StreamingResponse, responses=FILE)
async def read_content(document_id: UUID, request: Request, actor: Actor, documents: Documents) -> StreamingResponse:
    """Descarga el documento, byte por byte como llegó."""
    permits(actor, documents, "ticketing.documents")
    async with runtime_of(request).database.transaction() as session:
        document = await get_document(session, document_id)
    headers = {
        **GUARDS,
        "Content-Length": str(document.size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(document.name)}",
        "ETag": f'"{document.sha256}"',
        "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(document.sha256)).decode()}:",
    }
    return StreamingResponse(_pieces(request, document_id), media_type=document.media_type, headers=headers)


async def _pieces(request: Request, document_id: UUID) -> AsyncIterator[bytes]:
    """The content piece by piece, each read by itself: a slow reader holds no connection to the database."""
    number = 0
    while True:
        async with runtime_of(request).database.look() as session:
            piece = await part_of(session, document_id, number)
        if piece is None:
            return
        yield piece
        number += 1


async def _content(request: Request) -> bytes:
    """The whole body. Raises TooLarge."""
    limit, found = runtime_of(request).settings.document_limit, bytearray()
    async for chunk in incoming(request):
        found += chunk
        if len(found) > limit:
            raise TooLarge(
                f"El documento pasa de {limit // 1024} KiB.", remedy="Escanéelo con menos resolución, o suba RECONECTA_DOCUMENT_LIMIT."
            )
    return bytes(found)


def show_document(document: Document) -> DocumentShown:
    return DocumentShown.model_validate(document, from_attributes=True)
