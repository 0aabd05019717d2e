"""Tickets over HTTP: looked up, and their steps finished."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import Field, StringConstraints

from services.ticketing.api.shapes import TicketShown, show_row, show_ticket
from services.ticketing.operations.steps import finish_step
from services.ticketing.queries.tickets import TicketView, list_tickets, view_ticket
from shared.web import Actor, Cursor, Documents, IfMatch, Input, Now, Page, Session, command_router, page, permits, set_etag
from shared.web.shapes import example

router = command_router(tags=["tickets"])


class FinishInput(Input):
    """How a step is finished. `captured` holds the fields that the step asks for; its comment may be given in either place."""

    model_config = example(outcome="done", captured={"comentario": "Suspendido con el proveedor, caso 88-1024"}, comment=None)
    outcome: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    captured: dict[str, Any] = Field(default_factory=dict, max_length=100)
    comment: Annotated[str, StringConstraints(max_length=4_000)] | None = None


@router.get("/tickets")
async def read_tickets(
    session: Session,
    actor: Actor,
    documents: Documents,
    cursor: Cursor,
    desk: Annotated[str | None, Query(max_length=60, description="escritorio del ticket, o que tiene en él un paso abierto")] = None,
    state: Annotated[Literal["open", "closed"] | None, Query(description="abiertos o cerrados")] = None,
    customer_id: UUID | None = None,
    kind: Annotated[str | None, Query(max_length=200, description="por ejemplo SUSPENSION CLIENTE VIP")] = None,
) -> Page[TicketShown]:
    """Lista los tickets, los más nuevos primero."""
    permits(actor, documents, "ticketing.read")
    after = cursor.after(int)
    found = await list_tickets(
        session,
        desk=desk,
        is_open=None if state is None else state == "open",
        customer_id=customer_id,
        kind=kind,
        before=after[0] if after else None,
        limit=cursor.limit,
    )
    return page(found, cursor, key=lambda row: (row.number,), show=show_row)


@router.get("/tickets/{ticket_id}")
async def read_ticket(ticket_id: UUID, session: Session, actor: Actor, documents: Documents, response: Response) -> TicketShown:
    """Muestra un ticket, sus pasos y lo que la red hizo; el ETag es la versión que se envía al terminar un paso."""
    permits(actor, documents, "ticketing.read")
    return _shown(await view_ticket(session, ticket_id), response)


@router.post("/tickets/{ticket_id}/steps/{step}/finish")
async def finish(
    ticket_id: UUID,
    step: Annotated[str, Path(max_length=60)],
    body: FinishInput,
    seen: IfMatch,
    session: Session,
    actor: Actor,
    documents: Documents,
    now: Now,
    response: Response,
) -> TicketShown:
    """Termina un paso abierto; quién puede y qué hay que escribir lo dice el procedimiento del ticket."""
    permits(actor, documents, "ticketing.read")
    await finish_step(
        session,
        ticket_id=ticket_id,
        step=step,
        outcome=body.outcome,
        captured=body.captured,
        comment=body.comment,
        actor=actor,
        seen=seen,
        operator=documents,
        now=now,
    )
    return _shown(await view_ticket(session, ticket_id), response)


def _shown(view: TicketView, response: Response) -> TicketShown:
    set_etag(response, view.ticket.revision)
    return show_ticket(view.ticket, view.customer.name, view.customer.external_id, view.turns, view.switches)
