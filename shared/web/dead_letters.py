"""Events that a service could not handle, for people who mend things: look, put back in line, discard. Never the events' data."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from shared import parking
from shared.db import Fetched
from shared.errors import NotFound
from shared.sorting import Order
from shared.web.asking import Actor, Documents, Session, permits
from shared.web.commands import command_router
from shared.web.paging import Page, page, sorted_by

EXAMPLE: dict[str, Any] = {
    "id": 41,
    "reason": "dead",
    "key": "0198c2f0-6f5e-7c1a-9d52-3b0c7a1f2e11",
    "sender": "billing",
    "type": "billing.invoice_overdue.v1",
    "subject": "invoice/0198c2f0-7a10-7b3d-8c44-5e2f9a6b1c20",
    "sequence": 3,
    "event_id": "0198c2f1-02aa-7e9f-b1d3-6c8e4f5a7b90",
    "occurred_at": "2026-03-06T06:00:00Z",
    "parked_at": "2026-11-24T20:15:09Z",
    "attempts": 3,
    "detail": "LookupError: … [operations/cases.py:88 open_case]",
    "behind": 2,
}


class DeadLetter(BaseModel):
    """An event that was set aside. `dead`: a person must look; `waiting`: another service has not told something yet."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})
    id: int
    reason: Literal["dead", "waiting"]
    key: str = Field(description="de quién es: el cliente o el equipo")
    sender: str
    type: str
    subject: str
    sequence: int
    event_id: UUID
    occurred_at: datetime
    parked_at: datetime
    attempts: int
    detail: str = Field(description="qué falló y dónde")
    behind: int = Field(description="cuántos sucesos de la misma clave esperan detrás")


class Released(BaseModel):
    """How many dead letters were put back in line, or discarded."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"count": 1}]})
    count: int


Key = Annotated[str, Path(max_length=200, description="la clave parada: el cliente o el equipo")]
Reason = Annotated[Literal["dead", "waiting"] | None, Query(description="solo las muertas o solo las que esperan")]


def dead_letter_router() -> APIRouter:
    """The routes of `/dead-letters`; every service has them."""
    router = command_router(prefix="/dead-letters", tags=["events"])

    @router.get("")
    async def list_letters(
        session: Session,
        actor: Actor,
        documents: Documents,
        order: Annotated[Order, sorted_by(parking.LETTERS)],
        reason: Reason = None,
    ) -> Page[DeadLetter]:
        """What could not be handled and what waits for another service's fact, oldest first; never the events' data."""
        permits(actor, documents, "events.replay")
        return page(await parking.letters(session, order, reason=reason), order, show=_show)

    @router.post("/{key:path}/replay")
    async def replay(key: Key, session: Session, actor: Actor, documents: Documents) -> Released:
        """Put the dead letters of this key back in line, once their cause is mended; what waits behind them follows in order."""
        permits(actor, documents, "events.replay")
        return Released(count=await _replay(session, key, discard=False))

    @router.post("/{key:path}/discard")
    async def discard(key: Key, session: Session, actor: Actor, documents: Documents) -> Released:
        """Give the dead letters of this key up for good; what waits behind them goes on."""
        permits(actor, documents, "events.replay")
        return Released(count=await _replay(session, key, discard=True))

    return router


async def _replay(session: Session, key: str, *, discard: bool) -> int:
    count = await parking.replay(session, key=key, discard=discard)
    if not count:
        raise NotFound(f"No hay sucesos muertos con la clave {key}.", remedy="Vea cuáles hay en GET /dead-letters.")
    return count


def _show(row: Fetched) -> DeadLetter:
    return DeadLetter(**{name: row[name] for name in DeadLetter.model_fields})
