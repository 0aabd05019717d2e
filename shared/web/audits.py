"""`/audits`: what a service's nightly audits found in its own database, and one right now."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from shared.auditing import AUDITS, AuditState, ask_for, find_audits, findings
from shared.db import Fetched
from shared.sorting import Order
from shared.web.asking import Actor, Documents, Now, Session, permits
from shared.web.commands import command_router
from shared.web.paging import Page, page, sorted_by

BROKEN: dict[str, Any] = {
    "sentence": "el saldo de cada factura es lo que suman sus asientos",
    "count": 2,
    "first": ["000-001-01-00000117", "000-001-01-00000243"],
}
EXAMPLE: dict[str, Any] = {
    "id": "0198c2f0-6f5e-7c1a-9d52-3b0c7a1f2e11",
    "state": "BROKEN",
    "asked_at": "2026-03-06T09:00:00Z",
    "asked_by": None,
    "audited_at": "2026-03-06T09:00:00Z",
    "seconds": 84.2,
    "failure": None,
    "sentences": 21,
    "wrong": [BROKEN],
}


class BrokenSentence(BaseModel):
    """A sentence that does not hold."""

    model_config = ConfigDict(json_schema_extra={"examples": [BROKEN]})
    sentence: str
    count: int = Field(description="cuántas filas no la cumplen")
    first: list[str] = Field(description="las primeras de ellas, por su id o su número")


class Audit(BaseModel):
    """An audit of this service's database. `WAITING`: asked for or under way; `FAILED`: it could not be worked out."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})
    id: UUID
    state: AuditState
    asked_at: datetime
    asked_by: str | None = Field(description="quién la pidió; vacío: la de cada noche")
    audited_at: datetime | None = Field(description="el instante que revisó")
    seconds: float | None = Field(description="cuánto tardó")
    failure: str | None = Field(description="por qué no se pudo terminar")
    sentences: int = Field(description="cuántas frases se revisaron")
    wrong: list[BrokenSentence] = Field(description="las que no se cumplen")


State = Annotated[AuditState | None, Query(description="solo las que están así: BROKEN, las que hallaron algo")]


def audit_router() -> APIRouter:
    """The routes of `/audits`; every service has them."""
    router = command_router(prefix="/audits", tags=["audits"])

    @router.get("")
    async def list_audits(
        session: Session, actor: Actor, documents: Documents, order: Annotated[Order, sorted_by(AUDITS)], state: State = None
    ) -> Page[Audit]:
        """The audits that are kept, the latest first: what each found, with ids."""
        permits(actor, documents, "events.replay")
        return page(await find_audits(session, order, state=state), order, show=_show)

    @router.post("", status_code=202)
    async def ask(session: Session, now: Now, actor: Actor, documents: Documents) -> Audit:
        """Ask for an audit now; look at the list until it is not `WAITING` any more. One that waits already is the answer to this, too."""
        permits(actor, documents, "events.replay")
        return _show(await ask_for(session, by=actor.person, now=now))

    return router


def _show(row: Fetched) -> Audit:
    found = findings(row)
    return Audit(
        id=row.id,
        state=row.state,
        asked_at=row.asked_at,
        asked_by=row.asked_by,
        audited_at=row.audited_at,
        seconds=row.seconds,
        failure=row.failure,
        sentences=len(found),
        wrong=[BrokenSentence(sentence=each.sentence, count=each.count, first=list(each.found)) for each in found if each.count],
    )
