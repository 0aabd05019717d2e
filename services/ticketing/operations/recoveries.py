"""The work after a cut: the case that collections hands to recovery, and equipment that the customer switches off (VIP-16 to VIP-19)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Suspension, Ticket
from services.ticketing.operations import steps, tickets
from services.ticketing.operations.facts import lock_customers
from services.ticketing.operations.requests import imported
from services.ticketing.operations.tickets import NewTicket
from services.ticketing.queries.facts import agent_of, customer_of_login, deliveries_on, missing_invoices
from services.ticketing.queries.orders import is_suspended
from services.ticketing.queries.tickets import open_ticket_of, ticket_of_request
from services.ticketing.rules.facts import Fact, delivered
from services.ticketing.rules.states import SuspensionState
from services.ticketing.rules.ticket import SYSTEM
from shared.db import lock
from shared.errors import NotFound
from shared.events.collections import RecoveryRequested
from shared.operator import Operator
from shared.operator.procedures import NetworkEvent
from shared.routing import FactMissing

UNPAID = Fact(name="cause", label="Origen", kind="choice", value="unpaid", text="Falta de pago")


async def request_recovery(session: AsyncSession, *, wanted: RecoveryRequested, operator: Operator, now: datetime) -> None:
    """Open the procedure that the policy names, once. One whose debt is covered by now closes at once; none where the service is on again.

    Raises FactMissing while billing has not told us of the customer or of an invoice that it owes.
    """
    if not await lock_customers(session, [wanted.customer_id]):
        raise FactMissing(f"customer {wanted.customer_id}")
    if missing := await missing_invoices(session, wanted.invoice_ids):
        raise FactMissing(f"invoice {missing[0]}")
    order = await session.get(Suspension, wanted.suspension_id, populate_existing=True)
    gone = order is not None and order.state != SuspensionState.SUSPENDED
    if gone or await ticket_of_request(session, wanted.recovery_id) is not None:
        return
    if order is None and wanted.imported:  # what it was cut for we do not know: paying what it owes now closes its case
        session.add(imported(wanted, wanted.invoice_ids, now=now))
    customer = await lock(session, Customer, wanted.customer_id)
    facts = [UNPAID, _said("reason", "Motivo", wanted.reason)]
    if not deliveries_on(customer, now.astimezone(operator.zone).date()):
        facts.insert(0, delivered([wanted.delivery]))  # all services have ended: what collections knew counts
    agent = wanted.agent if wanted.agent != SYSTEM else await agent_of(session, customer)
    new = NewTicket(operator.procedure(wanted.procedure), customer, wanted.recovery_id, SYSTEM, agent, facts=facts)
    await tickets.open_ticket(session, new=new, operator=operator, now=now)
    await steps.close_on_events(session, events=["debt_covered"], customers=[customer.id], operator=operator, now=now)


async def network_told(
    session: AsyncSession, *, event: NetworkEvent, login: str, seen_at: datetime, detail: str, operator: Operator, now: datetime
) -> tuple[Customer, Sequence[Ticket]]:
    """The network's monitoring saw something at a service: begin the procedures that begin with it, none that is open already, and where
    they are for the suspended only while the customer is. Answers the customer and the tickets that were opened. Raises NotFound."""
    customer_id = await customer_of_login(session, login)
    if customer_id is None:
        raise NotFound(f"Ningún cliente tiene el usuario de red «{login}».", remedy="Es el `network_login` de un servicio del cliente.")
    customer = await lock(session, Customer, customer_id)
    opened = []
    for procedure in operator.procedures.values():
        opening = procedure.opening
        if opening is None or opening.on != event or await open_ticket_of(session, customer_id, procedure.code) is not None:
            continue
        if opening.suspended and not await is_suspended(session, customer, operator):
            continue
        told = f"{detail} ({login}, {seen_at.astimezone(operator.zone):%d/%m/%Y %H:%M})"
        facts = [*_where(customer, login), _said("network_event", "Aviso de la red", told)]
        new = NewTicket(procedure, customer, None, SYSTEM, await agent_of(session, customer), facts=facts)
        opened.append(await tickets.open_ticket(session, new=new, operator=operator, now=now))
    return customer, opened


def _where(customer: Customer, login: str) -> list[Fact]:
    """How the service is delivered that the network told of."""
    return [delivered([each["delivery"] for each in customer.services if each.get("network_login") == login])]


def _said(name: str, label: str, text: str) -> Fact:
    return Fact(name=name, label=label, kind="text", value=text, text=text, told=True)
