"""Tickets that people open: who may, what they write down, and what is known from then on. And those that billing's refusals open."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Ticket
from services.ticketing.operations import steps, tickets
from services.ticketing.operations.documents import keep_documents
from services.ticketing.operations.facts import lock_customers
from services.ticketing.operations.naming import what_may_be_named
from services.ticketing.operations.tickets import Move, NewTicket
from services.ticketing.queries.facts import agent_of, deliveries_on, services_on
from services.ticketing.queries.orders import is_suspended
from services.ticketing.queries.tickets import engine_ticket, open_ticket_of, ticket_of_request
from services.ticketing.rules.capture import Form, read_form
from services.ticketing.rules.facts import Fact, delivered, learned, written
from services.ticketing.rules.refusals import may_not_open, not_opened_by_hand, not_suspended, open_already, wrong_opening
from services.ticketing.rules.ticket import SYSTEM, EventArrived
from shared.auth import Principal
from shared.db import lock
from shared.errors import NotFound, nearest
from shared.events.billing import AgreementRefused
from shared.operator import Opening, Operator, Procedure
from shared.routing import FactMissing


async def open_by_hand(
    session: AsyncSession,
    *,
    procedure: str,
    customer_id: UUID,
    captured: Mapping[str, Any],
    actor: Principal,
    operator: Operator,
    now: datetime,
) -> Ticket:
    """Somebody begins a procedure for a customer (VIP-25). Raises NotFound, Forbidden (whose desk may not), Refused, Invalid (the form)."""
    customer = await lock(session, Customer, customer_id)
    found, opening = _may_be_opened(procedure, actor, operator)
    if opening.single and (open_one := await open_ticket_of(session, customer_id, found.code)) is not None:
        raise open_already(found, open_one)
    if opening.suspended and not await is_suspended(session, customer, operator):
        raise not_suspended(found, customer.name)
    day = now.astimezone(operator.zone).date()
    named = await what_may_be_named(session, customer=customer, fields=opening.capture, given=captured, operator=operator, day=day)
    filled = {each.name: {"value": named.looked_up.get(each.fill)} for each in opening.capture if each.fill}
    form = read_form(Form(opening.capture, opening.rule, day, filled=filled), captured, None, named)
    if form.missing or form.wrong:
        raise wrong_opening(found, opening, form.missing, form.wrong)
    facts = [_delivery(customer, form.values, day), *written(operator, opening.capture, form.values)]
    new = NewTicket(found, customer, None, actor.person, await agent_of(session, customer), facts=facts)
    ticket = await tickets.open_ticket(session, new=new, operator=operator, now=now)
    await keep_documents(session, ticket_id=ticket.id, values=form.values.values())
    return ticket


async def agreement_refused(session: AsyncSession, *, refused: AgreementRefused, operator: Operator, now: datetime) -> None:
    """What was agreed in a ticket cannot be carried out: that ticket ends where its procedure says so, and with what it knew the procedure
    for such cases begins, once (VIP-28). An operator without one has the mail. Raises FactMissing while the customer is not known here."""
    procedure = next((each for each in operator.procedures.values() if each.opening and each.opening.on == "agreement_refused"), None)
    if await ticket_of_request(session, refused.agreement_id) is not None:
        return
    if not await lock_customers(session, [refused.customer_id]):
        raise FactMissing(f"customer {refused.customer_id}")
    customer = await lock(session, Customer, refused.customer_id)
    parent = await session.get(Ticket, refused.ticket_id, populate_existing=True)
    known = await _known_in(session, parent, operator) if parent is not None else []
    if parent is not None:
        await steps.move(session, moves=[Move(parent, customer, EventArrived("agreement_refused"))], operator=operator, now=now)
    if procedure is None:
        return
    why = Fact(name="refusal", label="Por qué no se aplicó el acuerdo", kind="text", value=refused.detail, text=refused.detail, told=True)
    new = NewTicket(
        procedure,
        customer,
        refused.agreement_id,
        SYSTEM,
        parent.agent if parent is not None else await agent_of(session, customer),
        parent.id if parent is not None else None,
        [*known, why],
    )
    await tickets.open_ticket(session, new=new, operator=operator, now=now)


async def _known_in(session: AsyncSession, ticket: Ticket, operator: Operator) -> list[Fact]:
    """What was known in a ticket, but for why an earlier agreement of it was refused."""
    state = await engine_ticket(session, ticket)
    found = learned(operator, tickets.procedure_of(ticket), state, tickets.facts_of(ticket))
    return [each for each in found if each.name != "refusal"]


def _may_be_opened(code: str, actor: Principal, operator: Operator) -> tuple[Procedure, Opening]:
    procedure = operator.procedures.get(code)
    if procedure is None:
        raise NotFound(f"No existe el procedimiento «{code}»{nearest(code, operator.procedures)}.")
    if procedure.opening is None:
        raise not_opened_by_hand(procedure)
    if actor.desks.isdisjoint(procedure.opening.by):
        raise may_not_open(procedure, actor.name, operator.desk_names(actor.desks), operator.desk_names(procedure.opening.by))
    return procedure, procedure.opening


def _delivery(customer: Customer, values: Mapping[str, Any], day: date) -> Fact:
    """How the service is delivered that the form names, else all of the customer's."""
    named = {each["id"] for each in values.values() if isinstance(each, Mapping) and "label" in each}
    of_named = [each.delivery for each in services_on(customer, day) if str(each.service_id) in named]
    return delivered(of_named or deliveries_on(customer, day))
