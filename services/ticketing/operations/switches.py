"""Switches: answered by the network or by a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, NetworkSwitch, Ticket
from services.ticketing.operations.claiming import Claim
from services.ticketing.operations.facts import lock_whole_customers
from services.ticketing.operations.queueing import new_switch, service_of
from services.ticketing.operations.steps import Settled, settle_steps
from services.ticketing.queries.switches import get_switch, lock_switches, switches_of_steps
from services.ticketing.queries.tickets import get_tickets
from services.ticketing.rules.states import SETTLED, SwitchState
from services.ticketing.rules.switching import (
    ACTIONS,
    BY_NAME,
    UNDONE_BY,
    SwitchAction,
    SwitchView,
    Undo,
    must_be_told,
    pause_after,
    result_of,
)
from shared.bulk import update
from shared.db import lock, ring
from shared.errors import Conflict
from shared.events.ticketing import ChangeUnresolved, RestrictionUnresolved, SwitchUnresolved
from shared.operator import Operator
from shared.outbox import publish

# What an answer changes of a switch.
ANSWERED = (
    "state", "detail", "claimed_by", "claimed_until", "unknown_answers", "told", "next_attempt_at", "settled_at", "version"
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What the network said. `by_hand`: trying again does not help, a person has to look."""

    outcome: Literal["done", "refused", "unknown"]
    detail: str | None = None
    by_hand: bool = False


async def record_answers(session: AsyncSession, *, answered: Sequence[tuple[Claim, Answer]], operator: Operator, now: datetime) -> int:
    """Keep what the network said to claimed switches, and go on with their tickets. Answers how many: not those that another worker has
    taken over."""
    customers = await lock_whole_customers(session, [claim.customer_id for claim, _ in answered])
    switches = await lock_switches(session, [claim.id for claim, _ in answered])
    kept = [
        (switches[claim.id], answer)
        for claim, answer in answered
        if switches[claim.id].state == SwitchState.CLAIMED and switches[claim.id].claimed_by == claim.holder
    ]
    settled = []
    for switch, answer in kept:
        switch.detail, switch.claimed_by, switch.claimed_until = answer.detail, None, None
        if answer.outcome == "unknown":
            await _not_known(session, switch, by_hand=answer.by_hand, now=now)
        else:
            await _set(session, switch, done=answer.outcome == "done", now=now)
            settled.append(switch)
    await update(session, [switch for switch, _ in kept], *ANSWERED)
    await _settle(session, settled, customers, operator=operator, now=now)
    return len(kept)


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
    await _set(session, switch, done=outcome == "done", now=now)
    await session.flush()
    await _settle(session, [switch], {customer.id: customer}, operator=operator, now=now)
    return switch


async def _not_known(session: AsyncSession, switch: NetworkSwitch, *, by_hand: bool, now: datetime) -> None:
    switch.state = SwitchState.UNKNOWN
    switch.unknown_answers += 1
    switch.next_attempt_at = None if by_hand else now + pause_after(switch.unknown_answers)
    if (by_hand or must_be_told(switch.unknown_answers)) and not switch.told:
        switch.told = True
        await _tell(session, switch, "unknown", now=now)


async def _set(session: AsyncSession, switch: NetworkSwitch, *, done: bool, now: datetime) -> None:
    """The switch is done or refused."""
    switch.state = SwitchState.DONE if done else SwitchState.REFUSED
    switch.settled_at, switch.next_attempt_at = now, None
    if not done:
        await _tell(session, switch, "refused", now=now)


async def _settle(
    session: AsyncSession, switches: Sequence[NetworkSwitch], customers: Mapping[UUID, Customer], *, operator: Operator, now: datetime
) -> None:
    """These switches are settled; where all of a step are, the step is."""
    if not switches:
        return
    of_ticket = await get_tickets(session, [each.ticket_id for each in switches])
    steps = await switches_of_steps(session, switches)
    settled: list[Settled] = []
    for (ticket_id, step, _), all_of_step in steps.items():
        ticket = of_ticket[ticket_id]
        action = _action_of_step(ticket, step)
        views = [SwitchView(each.service_id, BY_NAME[each.action], SwitchState(each.state), each.detail) for each in all_of_step]
        result = result_of(action, views)
        if isinstance(result, Undo):
            session.add_all(
                _undo(ticket, each, now=now) for each in all_of_step if each.service_id in result.services and each.state in SETTLED
            )
            ring(session, "switching")
        elif result is not None:
            settled.append(Settled(ticket, customers[ticket.customer_id], step, action, result, all_of_step))
    while settled:  # two steps of one ticket follow each other
        turn = {each.ticket.id: each for each in reversed(settled)}
        await settle_steps(session, settled=list(turn.values()), operator=operator, now=now)
        if settled := [each for each in settled if turn[each.ticket.id] is not each]:
            of_ticket = await get_tickets(session, [each.ticket.id for each in settled])
            settled = [replace(each, ticket=of_ticket[each.ticket.id]) for each in settled]


def _undo(ticket: Ticket, cut: NetworkSwitch, *, now: datetime) -> NetworkSwitch:
    """The switch that takes back a cut, or a restriction, which was carried out for this service and refused for another."""
    return new_switch(ticket, cut.step, cut.number, UNDONE_BY[BY_NAME[cut.action]], service_of(cut, now.date()), now=now)


async def _tell(session: AsyncSession, switch: NetworkSwitch, outcome: Literal["unknown", "refused"], *, now: datetime) -> None:
    switch.version += 1
    about: dict[str, Any] = {"switch_id": switch.id, **switch.model_dump(include={"ticket_id", "customer_id"})}
    about |= {"outcome": outcome, "at": now, "detail": switch.detail or "La red no explicó por qué."}
    event: ChangeUnresolved | RestrictionUnresolved | SwitchUnresolved
    if switch.action == "change":
        event = ChangeUnresolved.model_validate({**about, "service_id": switch.service_id, "plan_code": switch.plan})
    elif switch.action in ("restrict", "release"):
        event = RestrictionUnresolved.model_validate({**about, "action": switch.action})
    else:
        event = SwitchUnresolved.model_validate({**about, "action": switch.action})
    await publish(session, event, subject=f"switch/{switch.id}", version=switch.version, now=now)


def _action_of_step(ticket: Ticket, step: str) -> SwitchAction:
    found = next(each for each in ticket.document["steps"] if each["code"] == step)
    return ACTIONS[found["action"]]
