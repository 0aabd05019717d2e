"""Tickets over HTTP: opened by people, looked up, and their steps finished."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import Field, StringConstraints

from services.ticketing.api.shapes import TicketShown, show_row, show_ticket
from services.ticketing.operations.opening import open_by_hand
from services.ticketing.operations.steps import finish_step
from services.ticketing.queries.tickets import TICKETS, TicketView, list_tickets, view_ticket
from shared.operator import Operator
from shared.web import Actor, Documents, IfMatch, Input, Now, Order, Page, Session, command_router, page, permits, set_etag, sorted_by
from shared.web.shapes import example

router = command_router(tags=["tickets"])


class FinishInput(Input):
    """How a step is finished. `captured` holds the fields that the step asks for; its comment may be given in either place."""

    model_config = example(outcome="done", captured={"comentario": "Suspendido con el proveedor, caso 88-1024"}, comment=None)
    outcome: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    captured: dict[str, Any] = Field(default_factory=dict, max_length=100)
    comment: Annotated[str, StringConstraints(max_length=4_000)] | None = None


class OpenInput(Input):
    """A ticket that somebody opens. `captured` holds the fields that the procedure's `opening` asks for."""

    model_config = example(
        procedure="solicitud_dx_vip",
        customer_id="019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50",
        captured={"recibido_el": "2026-04-10", "medio": "carta", "notificacion": "019d2f6e-7f0b-7c7a-9a35-0a8b0f6f4b56"},
    )
    procedure: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    customer_id: UUID
    captured: dict[str, Any] = Field(default_factory=dict, max_length=100)


@router.post("/tickets", status_code=201)
async def open_ticket(body: OpenInput, session: Session, actor: Actor, documents: Documents, now: Now, response: Response) -> TicketShown:
    """Abre un ticket de un procedimiento que abren las personas; qué escritorios pueden y qué hay que escribir lo dice su `opening`."""
    permits(actor, documents, "ticketing.read")
    ticket = await open_by_hand(
        session,
        procedure=body.procedure,
        customer_id=body.customer_id,
        captured=body.captured,
        actor=actor,
        operator=documents,
        now=now,
    )
    response.headers["Location"] = f"/ticketing/tickets/{ticket.id}"
    return _shown(await view_ticket(session, ticket.id), documents, now, response)


@router.get("/tickets")
async def read_tickets(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(TICKETS)],
    desk: Annotated[str | None, Query(max_length=60, description="escritorio del ticket, o que tiene en él un paso abierto")] = None,
    state: Annotated[Literal["open", "closed"] | None, Query(description="abiertos o cerrados")] = None,
    customer_id: UUID | None = None,
    kind: Annotated[str | None, Query(max_length=200, description="por ejemplo SUSPENSION CLIENTE VIP")] = None,
) -> Page[TicketShown]:
    """Lista los tickets, los más nuevos primero."""
    permits(actor, documents, "ticketing.read")
    is_open = None if state is None else state == "open"
    found = await list_tickets(session, order, desk=desk, is_open=is_open, customer_id=customer_id, kind=kind)
    return page(found, order, show=show_row)


@router.get("/tickets/{ticket_id}")
async def read_ticket(ticket_id: UUID, session: Session, actor: Actor, documents: Documents, now: Now, response: Response) -> TicketShown:
    """Muestra un ticket con su cliente, lo que se sabe, sus pasos y lo que la red hizo; el ETag es la versión para terminar un paso."""
    permits(actor, documents, "ticketing.read")
    return _shown(await view_ticket(session, ticket_id), documents, now, response)


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
    return _shown(await view_ticket(session, ticket_id), documents, now, response)


def _shown(view: TicketView, operator: Operator, now: datetime, response: Response) -> TicketShown:
    set_etag(response, view.ticket.revision)
    return show_ticket(view, operator, now.astimezone(operator.zone).date())
