"""Work orders over HTTP: the appointment with the customer, and the paper that goes with the technician."""

from datetime import date, time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import StringConstraints

from services.ticketing.adapters.papers import print_order
from services.ticketing.api.shapes import TicketShown, show_ticket
from services.ticketing.operations.steps import schedule_step
from services.ticketing.queries.tickets import view_ticket
from services.ticketing.queries.work_orders import work_order
from services.ticketing.rules.appointments import Window
from shared.web import Actor, Documents, IfMatch, Input, Now, Session, command_router, permits, runtime_of, set_etag
from shared.web.shapes import example

router = command_router(tags=["work-orders"])
papers = APIRouter(tags=["work-orders"])
StepCode = Annotated[str, Path(max_length=60)]
PAPER: dict[int | str, dict[str, Any]] = {
    200: {"description": "La orden impresa", "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}
}


class AppointmentInput(Input):
    """When it was agreed that somebody comes: a business day, a window within the working hours, and who."""

    model_config = example(day="2026-04-08", opens="09:00", closes="11:00", technician="Wilmer Antúnez")
    day: date
    opens: time
    closes: time
    technician: Annotated[str, StringConstraints(min_length=1, max_length=200)]


@router.post("/tickets/{ticket_id}/steps/{step}/appointment")
async def schedule(
    ticket_id: UUID,
    step: StepCode,
    body: AppointmentInput,
    seen: IfMatch,
    session: Session,
    actor: Actor,
    documents: Documents,
    now: Now,
    response: Response,
) -> TicketShown:
    """Anota la cita de una orden de trabajo, o la cambia; se acuerda con el cliente en un día y horario de trabajo."""
    permits(actor, documents, "ticketing.read")
    window = Window(body.day, body.opens, body.closes, body.technician)
    await schedule_step(session, ticket_id=ticket_id, step=step, window=window, actor=actor, seen=seen, operator=documents, now=now)
    view = await view_ticket(session, ticket_id)
    set_etag(response, view.ticket.revision)
    return show_ticket(view, documents, now.astimezone(documents.zone).date())


@papers.get("/tickets/{ticket_id}/steps/{step}/work-order", response_class=Response, responses=PAPER)
async def print_work_order(ticket_id: UUID, step: StepCode, request: Request, actor: Actor, documents: Documents, now: Now) -> Response:
    """La orden de trabajo en PDF: para llevar mientras está abierta, con lo retirado y la firma cuando terminó."""
    permits(actor, documents, "ticketing.read")
    async with runtime_of(request).database.transaction() as session:
        order = await work_order(session, ticket_id=ticket_id, step=step, operator=documents, now=now)
    content = await print_order(documents, order)
    headers = {"Content-Disposition": f'inline; filename="{order.number}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)
