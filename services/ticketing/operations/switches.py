"""Switches: answered by the network or by a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, NetworkSwitch, Ticket
from services.ticketing.operations.claiming import Claim
from services.ticketing.operations.facts import lock_customers
from services.ticketing.operations.queueing import new_switch
from services.ticketing.operations.steps import settle_step
from services.ticketing.queries.facts import ServiceView
from services.ticketing.queries.switches import get_switch, switches_of_step
from services.ticketing.queries.tickets import get_ticket
from services.ticketing.rules.states import SETTLED, SwitchState
from services.ticketing.rules.switching import SwitchAction, SwitchView, Undo, must_be_told, pause_after, result_of
from shared.db import lock, ring
from shared.errors import Conflict
from shared.events.ticketing import SwitchUnresolved
from shared.operator import Operator
from shared.outbox import publish


@dataclass(frozen=True)
class Answer:
    """What the network said. `by_hand`: trying again does not help, a person has to look."""

    outcome: Literal["done", "refused", "unknown"]
    detail: str | None = None
    by_hand: bool = False


async def record_answers(session: AsyncSession, *, answered: Sequence[tuple[Claim, Answer]], operator: Operator, now: datetime) -> None:
    """Keep what the network said to claimed switches, and go on with their tickets."""
    await lock_customers(session, [claim.customer_id for claim, _ in answered])
    for claim, answer in answered:
        await record_answer(session, claim=claim, answer=answer, operator=operator, now=now)


async def record_answer(session: AsyncSession, *, claim: Claim, answer: Answer, operator: Operator, now: datetime) -> bool:
    """Keep what the network said to a claimed switch, and go on with its ticket. False when another worker has taken the switch over."""
    switch = await get_switch(session, claim.id)
    customer = await lock(session, Customer, switch.customer_id)
    switch = await lock(session, NetworkSwitch, claim.id)
    if switch.state != SwitchState.CLAIMED or switch.claimed_by != claim.holder:
        return False
    switch.detail, switch.claimed_by, switch.claimed_until = answer.detail, None, None
    if answer.outcome == "unknown":
        await _not_known(session, switch, by_hand=answer.by_hand, now=now)
    else:
        await _settle(session, switch, customer, done=answer.outcome == "done", operator=operator, now=now)
    return True


async def resolve_switch(
    session: AsyncSession, *, switch_id: UUID, outcome: Literal["done", "refused"], detail: str, by: str, operator: Operator, now: datetime
) -> NetworkSwitch:
    """A person has looked at the network and says what it did. Raises NotFound; Conflict unless the outcome is unknown."""
    switch = await get_switch(session, switch_id)
    customer = await lock(session, Customer, switch.customer_id)
    switch = await lock(session, NetworkSwitch, switch_id)
    if switch.state != SwitchState.UNKNOWN:
        state = {
            SwitchState.QUEUED: "todavía espera su turno",
            SwitchState.CLAIMED: "se está intentando en este momento",
        }.get(SwitchState(switch.state), "ya tiene resultado")
        raise Conflict(f"Esta conmutación {state}.", remedy="Solo se resuelve a mano una cuyo resultado no se conoce (estado UNKNOWN).")
    switch.detail = f"{detail} ({by})"
    await _settle(session, switch, customer, done=outcome == "done", operator=operator, now=now)
    return switch


async def _not_known(session: AsyncSession, switch: NetworkSwitch, *, by_hand: bool, now: datetime) -> None:
    switch.state = SwitchState.UNKNOWN
    switch.unknown_answers += 1
    switch.next_attempt_at = None if by_hand else now + pause_after(switch.unknown_answers)
    if (by_hand or must_be_told(switch.unknown_answers)) and not switch.told:
        switch.told = True
        await _tell(session, switch, "unknown", now=now)
    await session.flush()


async def _settle(
    session: AsyncSession, switch: NetworkSwitch, customer: Customer, *, done: bool, operator: Operator, now: datetime
) -> None:
    """The switch is done or refused; when all of its step are, the step is."""
    switch.state = SwitchState.DONE if done else SwitchState.REFUSED
    switch.settled_at, switch.next_attempt_at = now, None
    if not done:
        await _tell(session, switch, "refused", now=now)
    await session.flush()
    ticket = await get_ticket(session, switch.ticket_id)
    await session.refresh(ticket)
    all_of_step = await switches_of_step(session, switch)
    action = _action_of_step(ticket, switch.step)
    views = [SwitchView(each.service_id, _as_action(each.action), SwitchState(each.state), each.detail) for each in all_of_step]
    result = result_of(action, views)
    if isinstance(result, Undo):
        for each in all_of_step:
            if each.service_id in result.services and each.state in SETTLED:
                session.add(_undo(ticket, each, now=now))
        ring(session, "switching")
    elif result is not None:
        await settle_step(
            session, ticket=ticket, customer=customer, step=switch.step, action=action, result=result, operator=operator, now=now
        )


def _undo(ticket: Ticket, cut: NetworkSwitch, *, now: datetime) -> NetworkSwitch:
    """The switch that takes back a cut which was carried out for this service and refused for another."""
    own = cut.adapter == "network"
    service = ServiceView(
        service_id=cut.service_id,
        delivery="own" if own else "third_party",
        network_login=cut.network_login,
        access_node=cut.access_node or None,
        active_from=now.date(),
    )
    return new_switch(ticket, cut.step, cut.number, "reconnect", service, now=now)


async def _tell(session: AsyncSession, switch: NetworkSwitch, outcome: Literal["unknown", "refused"], *, now: datetime) -> None:
    switch.version += 1
    event = SwitchUnresolved(
        switch_id=switch.id,
        ticket_id=switch.ticket_id,
        customer_id=switch.customer_id,
        action=_as_action(switch.action),
        outcome=outcome,
        detail=switch.detail or "La red no explicó por qué.",
        at=now,
    )
    await publish(session, event, subject=f"switch/{switch.id}", version=switch.version, now=now)


def _action_of_step(ticket: Ticket, step: str) -> SwitchAction:
    found = next(each for each in ticket.document["steps"] if each["code"] == step)
    return "suspend" if found["action"] == "network.suspend" else "reconnect"


def _as_action(text: str) -> SwitchAction:
    return "suspend" if text == "suspend" else "reconnect"
