"""Queue the switches of a step, and take back those that nobody has touched."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, NetworkSwitch, Ticket
from services.ticketing.operations.keeping import Kept
from services.ticketing.queries.facts import ServiceView, services_on
from services.ticketing.queries.restrictions import restricted_by
from services.ticketing.rules.switching import ACTIONS, UNDONE_BY, StepResult, SwitchAction, result_of
from services.ticketing.rules.ticket import Turn
from shared.bulk import made
from shared.db import execute, new_id, ring
from shared.operator.steps import Action


def queue_switches(
    session: AsyncSession,
    kept: Kept,
    *,
    ticket: Ticket,
    turn: Turn,
    action: Action,
    customer: Customer,
    left_on: Collection[str],
    day: date,
    now: datetime,
) -> StepResult | None:
    """Queue one switch for each service that the customer has, of a cut or a restriction but for those that it leaves on; what third
    parties deliver is not restricted. Answers the step's result at once when there is none."""
    spared = left_on if ACTIONS[action] in UNDONE_BY else ()
    services = [each for each in services_on(customer, day) if str(each.service_id) not in spared]
    if ACTIONS[action] == "restrict":
        services = [each for each in services if each.delivery == "own"]
    kept.switches += [new_switch(ticket, turn.code, turn.number, ACTIONS[action], each, now=now) for each in services]
    ring(session, "switching")
    return None if services else _only_result(ACTIONS[action])


async def queue_release(
    session: AsyncSession, kept: Kept, *, ticket: Ticket, turn: Turn, customer: Customer, day: date, now: datetime
) -> StepResult | None:
    """Queue one switch for each service that the ticket's restriction restricted; of a customer that came to us restricted for all that our
    network delivers. Answers the step's result at once when there is none."""
    order, done = await restricted_by(session, ticket.request_id)
    if order is not None and order.ticket_id is None:
        services = [each for each in services_on(customer, day) if each.delivery == "own"]
    else:
        services = [service_of(each, day) for each in done]
    kept.switches += [new_switch(ticket, turn.code, turn.number, "release", each, now=now) for each in services]
    ring(session, "switching")
    return None if services else _only_result("release")


def service_of(switch: NetworkSwitch, day: date) -> ServiceView:
    """The service that a switch was about, as the network knew it then."""
    return ServiceView(
        service_id=switch.service_id,
        delivery="own" if switch.adapter == "network" else "third_party",
        network_login=switch.network_login,
        access_node=switch.access_node or None,
        active_from=day,
    )


def queue_change(
    session: AsyncSession,
    kept: Kept,
    *,
    ticket: Ticket,
    turn: Turn,
    uses: Mapping[str, Any],
    customer: Customer,
    day: date,
    zone: ZoneInfo,
    now: datetime,
) -> StepResult | None:
    """Queue the change of one service to the agreed plan, on the agreed day where that is still to come (VIP-28). Answers the step's
    result at once when no plan was agreed, and when it is not known which service is meant."""
    if "plan" not in uses:
        return StepResult("done", "El plan no cambia: la red no tiene nada que hacer.")
    services = services_on(customer, day)
    if "service" in uses:
        services = [each for each in services if str(each.service_id) == uses["service"]["id"]]
    if len(services) != 1:
        return StepResult("refused", f"Hay {len(services)} servicios activos que podrían cambiar: debe ser uno.")
    switch = new_switch(ticket, turn.code, turn.number, "change", services[0], now=now)
    switch.plan = uses["plan"]
    if (begins := date.fromisoformat(uses.get("from", day.isoformat()))) > day:
        switch.next_attempt_at = datetime.combine(begins, time.min, tzinfo=zone).astimezone(UTC)
    kept.switches.append(switch)
    ring(session, "switching")
    return None


def new_switch(ticket: Ticket, step: str, number: int, action: SwitchAction, service: ServiceView, *, now: datetime) -> NetworkSwitch:
    """A switch to be done; what third parties deliver is switched by hand."""
    return made(
        NetworkSwitch,
        id=new_id(),
        ticket_id=ticket.id,
        step=step,
        number=number,
        customer_id=ticket.customer_id,
        service_id=service.service_id,
        action=action,
        adapter="network" if service.delivery == "own" else "manual",
        network_login=service.network_login or str(service.service_id),
        access_node=service.access_node or "",
        queued_at=now,
    )


async def cancel_switches(session: AsyncSession, *, ticket_id: UUID, step: str, now: datetime) -> None:
    """Take back what was queued and never touched."""
    await execute(
        session,
        "UPDATE network_switch SET state = 'CANCELLED', settled_at = $3 "
        "WHERE ticket_id = $1 AND step = $2 AND state = 'QUEUED' AND attempts = 0",
        ticket_id,
        step,
        now,
    )


def _only_result(action: SwitchAction) -> StepResult:
    result = result_of(action, [])
    assert isinstance(result, StepResult)
    return result
