"""What is told of a ticket: its beginning and end, finished tasks as people read them, agreements, what stands behind a switch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from services.ticketing.models import NetworkSwitch, Ticket
from services.ticketing.rules import engine
from services.ticketing.rules.appointments import order_number
from services.ticketing.rules.facts import DELIVERY, Fact, learned, written
from services.ticketing.rules.states import StepState, SwitchState
from services.ticketing.rules.ticket import SYSTEM, Late, Owner, Turn
from services.ticketing.rules.ticket import Ticket as EngineTicket
from shared.db import new_id
from shared.events.ticketing import (
    AgreementReached,
    Captured,
    StepFinished,
    StepOverdue,
    SwitchProof,
    TicketClosed,
    TicketOpened,
    WorkOrderScheduled,
)
from shared.operator import Operator, Procedure
from shared.operator.steps import Step
from shared.outbox import Outgoing


def finished_tasks(
    ticket: Ticket, procedure: Procedure, before: EngineTicket, after: EngineTicket, operator: Operator
) -> Iterator[Outgoing]:
    """The tasks that an input finished. What the system does by an action is told by what it did."""
    done = {(turn.code, turn.number) for turn in before.turns if turn.state is StepState.FINISHED}
    for turn in after.turns:
        step = procedure.step(turn.code)
        if step.kind == "task" and turn.state is StepState.FINISHED and (turn.code, turn.number) not in done:
            ticket.version += 1
            event = _finished(ticket, step, turn, engine.owner_of(procedure, after, step).desk, operator)
            yield Outgoing(event, f"ticket/{ticket.id}", ticket.version)


def _finished(ticket: Ticket, step: Step, turn: Turn, desk: str | None, operator: Operator) -> StepFinished:
    assert turn.finished_at is not None
    outcome = turn.outcome or ""
    return StepFinished(
        ticket_id=ticket.id,
        number=ticket.number or 0,
        customer_id=ticket.customer_id,
        kind=ticket.kind,
        procedure=ticket.procedure,
        step=step.code,
        turn=turn.number,
        name=step.name,
        outcome=outcome,
        label=step.outcomes[outcome].label if outcome in step.outcomes else outcome,
        desk=desk,
        finished_by=turn.by or SYSTEM,
        captured=[
            Captured(name=each.name, label=each.label, kind=each.kind, value=each.text)
            for each in written(operator, step.capture, turn.captured)
        ],
        comment=turn.comment,
        late=turn.late,
        finished_at=turn.finished_at,
    )


def told_opened(ticket: Ticket, now: datetime) -> Outgoing:
    """The ticket's beginning, with what is known then and meant to be told."""
    facts = [Fact.model_validate(each) for each in ticket.facts]
    deliveries: list[str] = next((each.value for each in facts if each.name == DELIVERY), [])
    event = TicketOpened.model_validate(
        {
            **_about(ticket),
            "desk": ticket.desk,
            "opened_at": now,
            "details": _details(facts),
            "delivery": "mixed" if len(deliveries) > 1 else next(iter(deliveries), None),
        }
    )
    return Outgoing(event, f"ticket/{ticket.id}", ticket.version)


def told_closed(ticket: Ticket, procedure: Procedure, state: EngineTicket, operator: Operator) -> Outgoing:
    """The ticket's end, with what was known and written down in it and is meant to be told."""
    ticket.version += 1
    known = learned(operator, procedure, state, [Fact.model_validate(each) for each in ticket.facts])
    event = TicketClosed.model_validate(
        {**_about(ticket), "outcome": ticket.outcome, "comment": ticket.comment, "closed_at": ticket.closed_at, "details": _details(known)}
    )
    return Outgoing(event, f"ticket/{ticket.id}", ticket.version)


def told_late(ticket: Ticket, procedure: Procedure, state: EngineTicket, late: Late, now: datetime) -> Outgoing:
    """A task was still open at its deadline: whom to tell, and what was followed by itself."""
    ticket.version += 1
    turn, step = state.latest(late.step), procedure.step(late.step)
    owner = engine.owner_of(procedure, state, step) if step.kind == "task" else Owner(None)
    assert turn is not None
    assert turn.deadline is not None
    event = StepOverdue.model_validate(
        {
            **_about(ticket),
            "step": step.code,
            "name": step.name,
            "desk": owner.desk,
            "person": owner.person,
            "deadline": turn.deadline,
            "tell": list(late.tell),
            "outcome": late.outcome,
            "outcome_label": step.outcomes[late.outcome].label if late.outcome else None,
            "at": now,
        }
    )
    return Outgoing(event, f"ticket/{ticket.id}", ticket.version)


def told_scheduled(ticket: Ticket, procedure: Procedure, state: EngineTicket, code: str) -> Outgoing:
    """A work order has an appointment."""
    ticket.version += 1
    turn = state.latest(code)
    assert turn is not None
    assert turn.appointment is not None
    made = turn.appointment
    event = WorkOrderScheduled.model_validate(
        {
            **_about(ticket),
            "step": code,
            "turn": turn.number,
            "name": procedure.step(code).name,
            "order": order_number(ticket.number, state.turns.index(turn)),
            "day": made.day,
            "opens": made.opens,
            "closes": made.closes,
            "technician": made.technician,
            "scheduled_by": made.by,
            "scheduled_at": made.at,
        }
    )
    return Outgoing(event, f"ticket/{ticket.id}", ticket.version)


def _about(ticket: Ticket) -> dict[str, Any]:
    kept = {"number", "customer_id", "kind", "procedure", "requested_by", "request_id", "parent_id"}
    return {"ticket_id": ticket.id, **ticket.model_dump(include=kept)}


def _details(facts: Iterable[Fact]) -> list[Captured]:
    return [Captured(name=each.name, label=each.label, kind=each.kind, value=each.text) for each in facts if each.told]


def told_agreement(ticket: Ticket, state: EngineTicket, agreed: Mapping[str, Any], now: datetime) -> Outgoing:
    """What the customer agreed to, as it was written down: billing carries it out (VIP-28)."""
    by = next((turn.by for turn in reversed(state.turns) if turn.state is StepState.FINISHED and turn.captured), None)
    event = AgreementReached.model_validate(
        {
            "agreement_id": new_id(),
            "ticket_id": ticket.id,
            "customer_id": ticket.customer_id,
            "service_id": agreed["service"]["id"] if "service" in agreed else None,
            "kind": agreed["kind"],
            "plan_code": agreed.get("plan"),
            "effective_from": agreed["from"],
            "detail": agreed["detail"],
            "agreed_by": by or SYSTEM,
            "agreed_at": now,
        }
    )
    return Outgoing(event, f"agreement/{event.agreement_id}", 1)


def proof_of(switches: Sequence[NetworkSwitch]) -> list[SwitchProof]:
    """What stands behind a cut or a reconnection: the switches of its step that were carried out."""
    fields = set(SwitchProof.model_fields) - {"switch_id"}
    return [SwitchProof(switch_id=each.id, **each.model_dump(include=fields)) for each in switches if each.state == SwitchState.DONE]
