"""Switches: claimed by a worker, answered by the network or by a person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, NetworkSwitch, Ticket
from services.ticketing.operations.queueing import new_switch
from services.ticketing.operations.steps import settle_step
from services.ticketing.queries.facts import ServiceView
from services.ticketing.queries.switches import get_switch, switches_of_step
from services.ticketing.queries.tickets import get_ticket
from services.ticketing.rules.states import SETTLED, SwitchState
from services.ticketing.rules.switching import SwitchAction, SwitchView, Undo, must_be_told, pause_after, result_of
from shared.db import lock, ring, rows
from shared.errors import Conflict
from shared.events.ticketing import SwitchUnresolved
from shared.operator import Operator
from shared.outbox import publish

PER_NODE = 2
LEASE_SECONDS = 20
# One at a time, and at most PER_NODE calls under way at one access server: a dead one holds up nobody else.
# A switch whose worker died comes up again when the lease (machine time) ends, under the same id.
IN_TURN = "SELECT pg_advisory_xact_lock(hashtext('ticketing.claim'))"
CLAIM = """
UPDATE network_switch SET state = 'CLAIMED', attempts = attempts + 1, claimed_by = $2,
    claimed_until = clock_timestamp() + make_interval(secs => $3)
WHERE id = (
    SELECT id FROM network_switch s
    WHERE (state = 'QUEUED' OR (state = 'UNKNOWN' AND next_attempt_at <= $1)
        OR (state = 'CLAIMED' AND claimed_until < clock_timestamp()))
    AND (access_node = '' OR (SELECT count(*) FROM network_switch o WHERE o.state = 'CLAIMED' AND o.access_node = s.access_node
        AND o.claimed_until >= clock_timestamp()) < $4)
    ORDER BY coalesce(next_attempt_at, queued_at), id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, action, adapter, network_login, access_node, service_id, attempts
"""


@dataclass(frozen=True)
class Claim:
    """A switch that one worker has to itself. `again`: somebody may have called the network for it already."""

    id: UUID
    holder: str
    action: SwitchAction
    adapter: Literal["network", "manual"]
    service_id: UUID
    login: str
    node: str
    again: bool


@dataclass(frozen=True)
class Answer:
    """What the network said. `by_hand`: trying again does not help, a person has to look."""

    outcome: Literal["done", "refused", "unknown"]
    detail: str | None = None
    by_hand: bool = False


async def claim_switch(session: AsyncSession, *, holder: str, now: datetime) -> Claim | None:
    """Take the next switch that is due; None when there is none. From its commit on the cut cannot be cancelled."""
    await rows(session, IN_TURN)  # else two claims would not count each other
    found = await rows(session, CLAIM, now, holder, LEASE_SECONDS, PER_NODE)
    if not found:
        return None
    row = found[0]
    return Claim(row.id, holder, row.action, row.adapter, row.service_id, row.network_login, row.access_node, row.attempts > 1)


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
    ring(session)


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
        ring(session)
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
