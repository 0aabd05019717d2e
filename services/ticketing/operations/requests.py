"""What collections orders: to cut, not to cut after all, to reconnect."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Reconnection, Suspension
from services.ticketing.operations import reconnections, steps, suspensions, tickets
from services.ticketing.operations.facts import lock_customers, lock_whole_customers
from services.ticketing.operations.reconnections import Back
from services.ticketing.queries.facts import agent_of, is_covered, missing_invoices
from services.ticketing.queries.orders import reconnected_suspensions, suspensions_by_id
from services.ticketing.rules.facts import left_on
from services.ticketing.rules.states import ReconnectionState, SuspensionState
from services.ticketing.rules.ticket import SYSTEM
from shared.bulk import insert, made
from shared.db import lock
from shared.events.collections import ReconnectionRequested, RecoveryRequested, SuspensionRequested
from shared.operator import Operator
from shared.routing import FactMissing


async def request_suspension(session: AsyncSession, *, wanted: SuspensionRequested, operator: Operator, now: datetime) -> None:
    """Open the ticket of an order to cut, unless it is there already. An order that is paid for by now falls at once.

    Raises FactMissing while billing has not told us of the customer or of one of the invoices.
    """
    if not await lock_customers(session, [wanted.customer_id]):
        raise FactMissing(f"customer {wanted.customer_id}")
    if await session.get(Suspension, wanted.suspension_id) is not None:
        return
    if missing := await missing_invoices(session, wanted.invoice_ids):
        raise FactMissing(f"invoice {missing[0]}")
    customer = await lock(session, Customer, wanted.customer_id)
    agent = wanted.agent if wanted.agent != SYSTEM else await agent_of(session, customer)
    facts = [left_on(wanted.except_services)] if wanted.except_services else []
    new = tickets.NewTicket(operator.procedure(wanted.procedure), customer, wanted.suspension_id, wanted.agent, agent, facts=facts)
    ticket = await tickets.open_ticket(session, new=new, operator=operator, now=now)
    order = Suspension(
        id=wanted.suspension_id,
        ticket_id=ticket.id,
        **wanted.model_dump(include={"customer_id", "procedure", "delivery", "rule", "reason", "release_on", "agent", "requested_at"}),
        invoice_ids=list(wanted.invoice_ids),
    )
    session.add(order)
    await session.flush()
    if ticket.closed_at is not None:
        await suspensions.fall(session, order, "refused", now=now)
    elif await is_covered(session, order):
        await suspensions.release(session, order=order, cause="payment", operator=operator, now=now)


async def withdraw_suspension(session: AsyncSession, *, suspension_id: UUID, customer_id: UUID, operator: Operator, now: datetime) -> None:
    """Collections no longer wants the cut. One that cannot be stopped any more is taken back once it is done."""
    await lock_customers(session, [customer_id])
    order = await session.get(Suspension, suspension_id, populate_existing=True)
    if order is None or order.state != SuspensionState.REQUESTED:
        return
    order.withdrawn_at = now
    await suspensions.release(session, order=order, cause="withdrawn", operator=operator, now=now)


async def request_reconnections(
    session: AsyncSession, *, wanted: Sequence[ReconnectionRequested], operator: Operator, now: datetime
) -> None:
    """Take orders to reconnect: send one, hold it while a cut cannot be stopped any more, or let it stop the cut.

    One is absorbed when another of the same suspension is under way or done, and when there was no cut. A suspension that we do not know
    is that of a customer who came to us suspended. Raises FactMissing while billing has not told us of a customer.
    """
    customers = await lock_whole_customers(session, [each.customer_id for each in wanted])
    if strangers := {each.customer_id for each in wanted} - customers.keys():
        raise FactMissing(f"customer {min(strangers)}")
    cuts = await _cuts_behind(session, wanted, now)
    taken = await reconnected_suspensions(session, [each.suspension_id for each in wanted], [each.reconnection_id for each in wanted])
    ready: list[Back] = []
    stopping: list[Suspension] = []
    for each in wanted:
        order = cuts[each.suspension_id]
        if order.id in taken or order.state not in (SuspensionState.REQUESTED, SuspensionState.SUSPENDED):
            continue
        taken.add(order.id)
        if order.state == SuspensionState.SUSPENDED:
            ready.append(Back(_reconnection(each, now), order, customers[each.customer_id]))
        else:
            session.add(_reconnection(each, now))
            stopping.append(await session.get_one(Suspension, order.id, populate_existing=True))
    await reconnections.send_many(session, backs=ready, operator=operator, now=now)
    if back := [each.customer.id for each in ready if each.reconnection.state == ReconnectionState.DONE]:
        await steps.close_on_events(session, events=["service_reconnected"], customers=back, operator=operator, now=now)
    for order in stopping:
        await suspensions.release(session, order=order, cause="withdrawn", operator=operator, now=now)


async def _cuts_behind(session: AsyncSession, wanted: Sequence[ReconnectionRequested], now: datetime) -> dict[UUID, Suspension]:
    """The cuts that are to be taken back, by their ids; one that we do not know is that of a customer who came suspended."""
    known = await suspensions_by_id(session, [each.suspension_id for each in wanted])
    before_us = {each.suspension_id: imported(each, [], now=now) for each in reversed(wanted) if each.suspension_id not in known}
    await insert(session, list(before_us.values()))
    return known | before_us


def _reconnection(wanted: ReconnectionRequested, now: datetime) -> Reconnection:
    return made(
        Reconnection,
        id=wanted.reconnection_id,
        suspension_id=wanted.suspension_id,
        **wanted.model_dump(include={"customer_id", "procedure", "basis", "target_status", "rule", "agent"}),
        state=ReconnectionState.HELD,
        requested_at=now,
    )


def imported(wanted: ReconnectionRequested | RecoveryRequested, invoice_ids: Sequence[UUID], *, now: datetime) -> Suspension:
    """The suspension of a customer that came to us suspended, for these invoices as far as is known."""
    return made(
        Suspension,
        id=wanted.suspension_id,
        customer_id=wanted.customer_id,
        procedure="",
        delivery=wanted.delivery,
        rule=wanted.rule,
        reason="Suspendido antes de llegar a este sistema.",
        agent=wanted.agent,
        invoice_ids=list(invoice_ids),
        state=SuspensionState.SUSPENDED,
        requested_at=now,
        settled_at=now,
    )
