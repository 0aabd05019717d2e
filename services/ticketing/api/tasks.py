"""The tasks of each desk over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from services.ticketing.api.shapes import CUSTOMER_ID, TICKET_ID, OutcomeShown
from services.ticketing.queries.tickets import OPEN_TASKS, list_tasks
from shared.operator import CaptureField, Procedure
from shared.web import Actor, Documents, Order, Page, Session, command_router, page, permits, sorted_by
from shared.web.columns import NOT_IN_FILES
from shared.web.shapes import example

router = command_router(tags=["tasks"])


class TaskShown(BaseModel):
    """An open step that waits for somebody: finish it with POST /tickets/{ticket_id}/steps/{step}/finish and If-Match `version`."""

    model_config = example(
        ticket_id=TICKET_ID,
        ticket_number=118,
        kind="SUSPENDIDO CLIENTE VIP",
        customer_id=CUSTOMER_ID,
        customer_name="Hotel Copán, S.A.",
        external_id="C-0042",
        step="confirmar",
        name="Ingeniería suspende con el proveedor y lo confirma con un comentario",
        rule="VIP-14",
        desk="ingenieria",
        person=None,
        requested_by="ana.martinez",
        opened_at="2026-03-28T15:00:00Z",
        deadline=None,
        late=False,
        capture=[
            {"name": "comentario", "label": "Comentario que confirma la suspensión", "kind": "comment", "required": True, "choices": []}
        ],
        outcomes=[{"code": "done", "label": "Suspendido con el proveedor"}, {"code": "refused", "label": "El proveedor no suspendió"}],
        version=1,
    )
    ticket_id: UUID
    ticket_number: int
    kind: str
    customer_id: UUID
    customer_name: str
    external_id: str
    step: str
    name: str
    rule: str | None
    desk: str | None
    person: str | None
    requested_by: str
    opened_at: datetime
    deadline: datetime | None
    late: bool
    capture: Annotated[list[CaptureField], NOT_IN_FILES]
    outcomes: Annotated[list[OutcomeShown], NOT_IN_FILES]
    version: int


@router.get("/tasks")
async def read_tasks(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(OPEN_TASKS)],
    desk: Annotated[
        str | None, Query(max_length=60, description="un escritorio; sin él, las tareas de quien pregunta y de sus escritorios")
    ] = None,
) -> Page[TaskShown]:
    """Lista las tareas abiertas de un escritorio, o las propias, las más antiguas primero."""
    permits(actor, documents, "ticketing.read")
    desks, person = ([desk], None) if desk else (sorted(actor.desks), actor.person)
    return page(await list_tasks(session, order, desks=desks, person=person), order, show=_shown)


def _shown(row: Any) -> TaskShown:
    step = Procedure.model_validate(row.document).step(row.code)
    return TaskShown(
        ticket_id=row.ticket_id,
        ticket_number=row.number,
        kind=row.kind,
        customer_id=row.customer_id,
        customer_name=row.customer_name,
        external_id=row.external_id,
        step=row.code,
        name=step.name,
        rule=step.rule,
        desk=row.desk,
        person=row.person,
        requested_by=row.requested_by,
        opened_at=row.opened_at,
        deadline=row.deadline,
        late=row.late,
        capture=step.capture,
        outcomes=[OutcomeShown(code=code, label=each.label) for code, each in step.outcomes.items()],
        version=row.revision,
    )
