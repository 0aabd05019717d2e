"""Imports over HTTP: a file is streamed to disk and queued, its report follows while it is worked on."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from services.billing.adapters.mapping_files import MappingError, load_mapping, shipped_mapping
from services.billing.adapters.uploads import Upload, receive
from services.billing.models import ImportBatch, ImportFault, ImportMissing
from services.billing.operations.imports import queue_import
from services.billing.queries.imports import FAULTS, IMPORTS, MISSING, faults_of, find_imports, get_import, missing_of
from services.billing.rules.mapping import Mapping
from services.billing.rules.states import ImportState, Severity
from shared import idempotency
from shared.errors import FieldError, Invalid
from shared.operator import Operator
from shared.web import (
    Actor,
    Documents,
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
    runtime_of,
    sorted_by,
)
from shared.web.shapes import example

router = command_router(tags=["imports"])
uploads = APIRouter(route_class=UploadRoute, tags=["imports"])
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "mapping"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "CSV de un CRM o de un banco, hasta 2 GiB"},
                        "mapping": {"type": "string", "description": "el mapeo en YAML, o el nombre de uno del operador (`clientes`)"},
                    },
                },
                "example": {"file": "Código;Nombre;Plan\nC-1;Norma Oliva;Hogar\n", "mapping": "clientes"},
            }
        },
    }
}


class ImportShown(BaseModel):
    """An import as it stands: `rows_read` grows while it is READING; new, changed and unchanged rows while it is MERGING. `rows_bad` were
    not applied, `notices` tell of values left out, `rows_missing` counts the source's customers that the file does not have."""

    model_config = example(
        id="019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51",
        kind="customers",
        source="crm",
        file_name="clientes.csv",
        state="DONE",
        requested_by="admin",
        requested_at="2026-03-01T06:00:00Z",
        started_at="2026-03-01T06:00:00Z",
        finished_at="2026-03-01T06:00:00Z",
        rows_read=303,
        rows_new=300,
        rows_changed=0,
        rows_unchanged=0,
        rows_bad=3,
        rows_missing=0,
        notices=2,
        rows_per_second=5400,
        failure=None,
    )
    id: UUID
    kind: Literal["customers", "payments"]
    source: str
    file_name: str
    state: ImportState
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    rows_read: int
    rows_new: int
    rows_changed: int = Field(description="clientes cambiados; en un archivo de pagos, los reportados que se confirman")
    rows_unchanged: int
    rows_bad: int
    rows_missing: int
    notices: int
    rows_per_second: int
    failure: str | None


class FaultShown(BaseModel):
    """What was wrong with a row: ERROR, it was not applied; NOTICE, it was, without this value. Line 0 speaks of the whole file."""

    model_config = example(
        line=17,
        column="Precio",
        value="sesenta",
        reason="No es un importe con «,» decimal.",
        remedy="Corrija el valor.",
        severity="ERROR",
    )
    line: int
    column: str
    value: str
    reason: str
    remedy: str
    severity: Severity


class MissingShown(BaseModel):
    """A customer of the source that the file does not have; nothing was done to it."""

    model_config = example(external_id="C-10007", customer_id="019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51")
    external_id: str
    customer_id: UUID


@uploads.post("/imports", status_code=202, response_model=ImportShown, openapi_extra=BODY)
async def import_file(request: Request, actor: Actor, now: Now, documents: Documents) -> Response:
    """Take a file of customers or payments (parts `file` and `mapping`); a worker imports it, GET the Location for its report."""
    permits(actor, documents, "billing.imports")
    settings = runtime_of(request).settings
    folder = settings.data_folder / "imports"
    upload = await receive(incoming(request), request.headers.get("content-type", ""), folder, settings.upload_limit)
    keep = False
    try:
        mapping = _mapping(upload, documents)

        async def work() -> Response:
            batch = await queue_import(
                request.state.session,
                kind=mapping.kind,
                source=mapping.source,
                file_name=upload.file_name,
                path=str(upload.path.resolve()),
                mapping=mapping.model_dump(mode="json", by_alias=True),
                requested_by=actor.person,
                now=now,
            )
            location = {"Location": f"/billing/imports/{batch.id}"}
            return JSONResponse(_show(batch).model_dump(mode="json"), status_code=202, headers=location)

        parts = [upload.digest, upload.file_name, mapping.model_dump_json()]
        response = await run_command(request, idempotency.fingerprint(*(part.encode() for part in parts)), work)
        keep = "Idempotency-Replayed" not in response.headers
        return response
    finally:
        if not keep:
            upload.discard()


@router.get("/imports")
async def list_imports(
    session: Session, actor: Actor, documents: Documents, order: Annotated[Order, sorted_by(IMPORTS)]
) -> Page[ImportShown]:
    """Imports, the latest first."""
    permits(actor, documents, "billing.read")
    return page(await find_imports(session, order), order, show=_show)


@router.get("/imports/{import_id}")
async def show_import(import_id: UUID, session: Session, actor: Actor, documents: Documents) -> ImportShown:
    """The report of one import, also while it is under way."""
    permits(actor, documents, "billing.read")
    return _show(await get_import(session, import_id))


@router.get("/imports/{import_id}/faults")
async def list_faults(
    import_id: UUID, session: Session, actor: Actor, documents: Documents, order: Annotated[Order, sorted_by(FAULTS)]
) -> Page[FaultShown]:
    """What was wrong with the file's rows, by line."""
    permits(actor, documents, "billing.read")
    return page(await faults_of(session, import_id, order), order, show=_fault)


@router.get("/imports/{import_id}/missing")
async def list_missing(
    import_id: UUID, session: Session, actor: Actor, documents: Documents, order: Annotated[Order, sorted_by(MISSING)]
) -> Page[MissingShown]:
    """The source's customers that the file does not have, by external id."""
    permits(actor, documents, "billing.read")
    return page(await missing_of(session, import_id, order), order, show=_missing)


def _mapping(upload: Upload, documents: Operator) -> Mapping:
    """The mapping that came along: one of the operator's by its name, or a text. Raises Invalid, naming line and field of each mistake."""
    text = upload.texts.get("mapping", "")
    unknown = sorted(set(upload.texts) - {"mapping"})
    if not text.strip() or unknown:
        message = f"esta parte no existe: {', '.join(unknown)}" if unknown else "falta: el mapeo en YAML, o el nombre de uno del operador"
        raise Invalid("Corrija: mapping.", errors=[FieldError(field=unknown[0] if unknown else "mapping", message=message)])
    path = shipped_mapping(documents, text.strip())
    if path is not None:
        return _loaded(path, documents)
    path = upload.path.with_suffix(".mapping.yaml")
    try:
        path.write_text(text, encoding="utf-8")
        return _loaded(path, documents)
    finally:
        path.unlink(missing_ok=True)


def _loaded(path: Path, documents: Operator) -> Mapping:
    try:
        return load_mapping(path, documents)
    except MappingError as error:
        errors = [FieldError(field=f"mapping:{each.line}: {each.field}".rstrip(": "), message=each.message) for each in error.mistakes]
        raise Invalid(f"El mapeo tiene {len(errors)} error(es).", errors=errors, remedy="Corrija el mapeo y envíe de nuevo.") from None


def _show(batch: ImportBatch) -> ImportShown:
    return ImportShown.model_validate(batch, from_attributes=True)


def _fault(fault: ImportFault) -> FaultShown:
    return FaultShown(column=fault.column_name, **fault.model_dump(include=set(FaultShown.model_fields)))


def _missing(missing: ImportMissing) -> MissingShown:
    return MissingShown.model_validate(missing, from_attributes=True)
