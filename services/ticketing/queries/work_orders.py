"""A work order with everything that is printed on it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer
from services.ticketing.queries.documents import get_document, part_of
from services.ticketing.queries.facts import About, services_on
from services.ticketing.queries.tickets import as_engine, view_ticket
from services.ticketing.rules.facts import Fact
from services.ticketing.rules.states import StepState
from services.ticketing.rules.ticket import Turn
from services.ticketing.rules.work_orders import Order, Site
from shared.errors import NotFound
from shared.operator import Operator, Procedure
from shared.operator.steps import Step

PICTURES = ("image/png", "image/jpeg")
LARGEST_PICTURE = 400 * 1024


async def work_order(session: AsyncSession, *, ticket_id: UUID, step: str, operator: Operator, now: datetime) -> Order:
    """The last turn of a step as a work order. Raises NotFound where the ticket has no such work order (yet)."""
    view = await view_ticket(session, ticket_id)
    procedure = Procedure.model_validate(view.ticket.document)
    task = next((each for each in procedure.steps if each.code == step and each.work_order is not None), None)
    state = as_engine(view.ticket, view.turns)
    turn = state.latest(step)
    if task is None or turn is None or turn.state not in (StepState.OPEN, StepState.FINISHED):
        raise NotFound(f"El ticket {view.ticket.number} no tiene una orden de trabajo en el paso «{step}».")
    return Order(
        kind=view.ticket.kind,
        ticket_number=view.ticket.number or 0,
        step=task,
        turn=turn,
        place=state.turns.index(turn),
        facts=[Fact.model_validate(each) for each in view.ticket.facts],
        site=_site(view.customer, operator, now),
        now=turn.finished_at or now,
        picture=await _picture(session, task, turn),
    )


def _site(customer: Customer, operator: Operator, now: datetime) -> Site:
    about = About.model_validate(customer.about)
    plans = {each.code: each.name for each in operator.plans}
    services = [
        " · ".join(filter(None, (plans.get(each.plan_code or "", each.plan_code), each.network_login, each.access_node)))
        for each in services_on(customer, now.astimezone(operator.zone).date())
    ]
    contacts = [(each.name, " · ".join(filter(None, (each.phone, each.email)))) for each in about.contacts]
    return Site(customer.name, customer.external_id, contacts, services)


async def _picture(session: AsyncSession, task: Step, turn: Turn) -> bytes | None:
    """The stored picture of the signature, where it is one that can be printed and is not too large."""
    files = [turn.captured[each.name] for each in task.capture if each.kind == "file" and each.name in turn.captured]
    for each in files:
        if each["media_type"] in PICTURES and each["size"] <= LARGEST_PICTURE:
            document = await get_document(session, UUID(each["id"]))
            parts, number = bytearray(), 0
            while (part := await part_of(session, document.id, number)) is not None:
                parts += part
                number += 1
            return bytes(parts)
    return None
