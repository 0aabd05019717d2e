"""Legal dossiers over HTTP: asked for, followed while they are printed, given out, and verified."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, Field

from services.collections.operations.dossiers import request_dossier
from services.collections.queries import dossiers
from services.collections.rules.states import DossierState
from services.collections.rules.wording import who
from shared import idempotency
from shared.db import Fetched
from shared.errors import Conflict, TooLarge
from shared.operator import Operator
from shared.web import (
    Actor,
    Documents,
    Input,
    Now,
    Order,
    Page,
    Session,
    UploadRoute,
    command_router,
    incoming,
    page,
    permits,
    run_command,
    sorted_by,
)

router = command_router(tags=["expedientes"])
uploads = APIRouter(route_class=UploadRoute, tags=["expedientes"])
DOSSIERS = "collections.dossiers"
LIMIT = 32 * 1024 * 1024  # ten years of a customer are some two megabytes
PDF = {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}
FILE = {"schema": {"type": "string", "format": "binary"}, "example": "%PDF-1.7 …"}
BODY = {"requestBody": {"required": True, "content": {"application/pdf": FILE, "application/octet-stream": FILE}}}


class DossierInput(Input):
    """Which case: one of the customer's suspensions, or none for its whole history alone."""

    model_config = {"json_schema_extra": {"examples": [{"suspension_id": "01920000-0000-7000-8000-000000000009"}]}}
    suspension_id: UUID | None = None


class DossierView(BaseModel):
    """A dossier: QUEUED until it is printed, READY to be given out, or FAILED with the reason. `content_sha256` is that of its canonical
    content (printed on every page, attached to the file), `file_sha256` that of the file as it is given out."""

    id: UUID
    customer_id: UUID
    suspension_id: UUID | None
    state: DossierState
    requested_by: str
    requested_by_name: str
    requested_at: AwareDatetime
    ready_at: AwareDatetime | None
    pages: int | None
    size: int | None = Field(description="bytes")
    content_sha256: str | None
    file_sha256: str | None
    failure: str | None
    pdf: str | None = Field(description="de dónde se descarga; null hasta que esté listo")


class VerdictView(BaseModel):
    """What a file is: exactly a dossier that was given out (`genuine`), one that was `altered` since, or neither. `text` says for whom it
    was and when."""

    genuine: bool
    altered: bool
    text: str
    sha256: str
    dossier_id: UUID | None
    customer_id: UUID | None
    requested_by: str | None
    ready_at: AwareDatetime | None


@router.post("/customers/{customer_id}/dossiers", status_code=202)
async def ask_for_dossier(
    customer_id: UUID, body: DossierInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> DossierView:
    """Have everything that is known of the customer printed as one PDF: contract, invoices, payments, contacts, agreements, notices with
    the proof that they were sent, cuts with the proof of the network, tickets and work orders, the status, the timeline. A worker prints
    it; GET the Location until it is READY."""
    permits(actor, documents, DOSSIERS)
    made = await request_dossier(session, customer_id=customer_id, suspension_id=body.suspension_id, actor=actor, now=now)
    await session.flush()
    response.headers["Location"] = f"/collections/dossiers/{made.id}"
    return _show(await dossiers.get_dossier(session, made.id), documents)


@router.get("/dossiers")
async def list_dossiers(
    session: Session,
    order: Annotated[Order, sorted_by(dossiers.DOSSIERS)],
    actor: Actor,
    documents: Documents,
    customer_id: Annotated[UUID | None, Query(description="solo los de este cliente")] = None,
) -> Page[DossierView]:
    """The dossiers that were asked for, the newest first: who asked for each and when."""
    permits(actor, documents, DOSSIERS)
    found = await dossiers.list_dossiers(session, order, customer_id=customer_id)
    return page(found, order, show=lambda each: _show(each, documents))


@router.get("/dossiers/{dossier_id}")
async def get_dossier(dossier_id: UUID, session: Session, actor: Actor, documents: Documents) -> DossierView:
    """One dossier: how far it is, and its hashes."""
    permits(actor, documents, DOSSIERS)
    return _show(await dossiers.get_dossier(session, dossier_id), documents)


@router.get(
    "/dossiers/{dossier_id}/pdf",
    response_class=Response,
    responses={200: {"description": "El expediente, byte por byte como se entregó", "content": PDF}},
)
async def download_dossier(dossier_id: UUID, session: Session, actor: Actor, documents: Documents) -> Response:
    """The dossier as it is given out: always the same bytes."""
    permits(actor, documents, DOSSIERS)
    known = await dossiers.get_dossier(session, dossier_id)
    file = await dossiers.file_of(session, dossier_id)
    if file is None:
        raise Conflict("El expediente todavía no está impreso.", remedy="Consulte su estado en GET /dossiers/{id} hasta que esté READY.")
    headers = {"Content-Disposition": f'inline; filename="expediente-{dossier_id}.pdf"', "ETag": f'"{known.file_sha256}"'}
    return Response(file, media_type="application/pdf", headers=headers)


@uploads.post("/dossiers/verify", response_model=VerdictView, openapi_extra=BODY)
async def verify_dossier(request: Request, actor: Actor, now: Now, documents: Documents) -> Response:
    """Is this file, to the last byte, a dossier that was given out, for whom and when? The body is the file itself."""
    permits(actor, documents, DOSSIERS)
    file = await _file(request)
    fingerprint = idempotency.fingerprint(request.scope["path"].encode(), request.scope["query_string"], file)

    async def work() -> Response:
        verdict = await dossiers.verify(request.state.session, file)
        given = verdict.given
        shown = VerdictView(
            genuine=verdict.genuine,
            altered=given is not None and not verdict.genuine,
            text=verdict.said(documents),
            sha256=verdict.sha256,
            dossier_id=given.dossier_id if given else None,
            customer_id=given.customer_id if given else None,
            requested_by=given.requested_by if given else None,
            ready_at=given.ready_at if given else None,
        )
        return JSONResponse(shown.model_dump(mode="json"))

    return await run_command(request, fingerprint, work)


async def _file(request: Request) -> bytes:
    """The whole body. Raises TooLarge."""
    file = bytearray()
    async for chunk in incoming(request):
        file += chunk
        if len(file) > LIMIT:
            raise TooLarge(f"Un expediente tiene a lo sumo {LIMIT // 1024**2} MiB.", remedy="Envíe solo el archivo PDF, sin comprimir.")
    return bytes(file)


def _show(row: Fetched, documents: Operator) -> DossierView:
    ready = row.state == DossierState.READY
    pdf = f"/collections/dossiers/{row.id}/pdf" if ready else None
    return DossierView(**dict(row), requested_by_name=who(documents, row.requested_by), pdf=pdf)
