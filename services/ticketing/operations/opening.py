"""Tickets that people open: who may, what they write down, and what is known from then on."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Ticket
from services.ticketing.operations import tickets
from services.ticketing.operations.documents import keep_documents
from services.ticketing.operations.naming import what_may_be_named
from services.ticketing.operations.tickets import NewTicket
from services.ticketing.queries.facts import agent_of, deliveries_on, services_on
from services.ticketing.queries.orders import is_suspended
from services.ticketing.queries.tickets import open_ticket_of
from services.ticketing.rules.capture import Form, read_form
from services.ticketing.rules.facts import Fact, delivered, written
from services.ticketing.rules.refusals import may_not_open, not_opened_by_hand, not_suspended, open_already, wrong_opening
from shared.auth import Principal
from shared.db import lock
from shared.errors import NotFound, nearest
from shared.operator import Opening, Operator, Procedure


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
    if opening.suspended and not await is_suspended(session, customer_id):
        raise not_suspended(found, customer.name)
    day = now.astimezone(operator.zone).date()
    named = await what_may_be_named(session, customer=customer, fields=opening.capture, given=captured, operator=operator, day=day)
    form = read_form(Form(opening.capture, opening.rule, day), captured, None, named)
    if form.missing or form.wrong:
        raise wrong_opening(found, opening, form.missing, form.wrong)
    facts = [_delivery(customer, form.values, day), *written(operator, opening.capture, form.values)]
    new = NewTicket(found, customer, None, actor.person, await agent_of(session, customer), facts=facts)
    ticket = await tickets.open_ticket(session, new=new, operator=operator, now=now)
    await keep_documents(session, ticket_id=ticket.id, values=form.values.values())
    return ticket


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
