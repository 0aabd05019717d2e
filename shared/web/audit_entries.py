"""`/audit-entries`: who wrote what in a service, and who took which list along, for those who may look at what others do."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.db import Fetched
from shared.sorting import Order
from shared.trail import ENTRIES, find_entries
from shared.web.asking import Actor, Documents, Session, permits
from shared.web.commands import command_router
from shared.web.paging import Page, page, sorted_by

EXAMPLE: dict[str, Any] = {
    "id": "0198c2f0-6f5e-7c1a-9d52-3b0c7a1f2e11",
    "at": "2026-03-26T15:04:00Z",
    "recorded_at": "2026-03-26T15:04:00.183Z",
    "person": "oscar.banegas",
    "name": "Óscar Banegas",
    "desks": ["noc"],
    "method": "POST",
    "path": "/outages",
    "status": 201,
    "body": '{"access_node": "SPS-OLT-1", "description": "Fibra cortada en el anillo norte"}',
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
}


class AuditEntry(BaseModel):
    """A write that was carried out, or a list that was taken along as a file (`GET`). What was refused changed nothing and is not here."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})
    id: UUID
    at: datetime = Field(description="cuándo, en la hora del negocio")
    recorded_at: datetime = Field(description="cuándo, en el reloj de la máquina")
    person: str
    name: str = Field(description="cómo se llamaba entonces")
    desks: list[str] = Field(description="en qué escritorios estaba entonces")
    method: str
    path: str
    status: int
    body: str | None = Field(description="lo que mandó (los primeros 16 KiB), o lo que se llevó")
    trace_id: str | None = Field(description="con qué se halla en los registros")


Person = Annotated[str | None, Query(max_length=200, description="solo lo de esta persona, como la nombran los tokens")]
Begins = Annotated[str | None, Query(max_length=400, description="solo rutas que empiezan así: /customers/{id}")]
Method = Annotated[
    Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None, Query(description="solo estas; GET: listas que alguien se llevó")
]
Since = Annotated[AwareDatetime | None, Query(description="desde este instante del negocio")]
Until = Annotated[AwareDatetime | None, Query(description="antes de este instante del negocio")]


def audit_entry_router() -> APIRouter:
    """The route of `/audit-entries`; every service has it."""
    router = command_router(prefix="/audit-entries", tags=["audits"])

    @router.get("")
    async def list_entries(
        session: Session,
        actor: Actor,
        documents: Documents,
        order: Annotated[Order, sorted_by(ENTRIES)],
        person: Person = None,
        path: Begins = None,
        method: Method = None,
        since: Since = None,
        until: Until = None,
    ) -> Page[AuditEntry]:
        """Who did what in this service, the latest first."""
        permits(actor, documents, "audit.read")
        found = await find_entries(session, order, person=person, path=path, method=method, since=since, until=until)
        return page(found, order, show=_show)

    return router


def _show(row: Fetched) -> AuditEntry:
    return AuditEntry(**{name: row[name] for name in AuditEntry.model_fields})
