"""What is told of a ticket's work: finished tasks as people read them, and what stands behind a switch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.ticketing.models import NetworkSwitch, Ticket
from services.ticketing.rules import engine
from services.ticketing.rules.states import StepState, SwitchState
from services.ticketing.rules.ticket import SYSTEM, Turn
from services.ticketing.rules.ticket import Ticket as EngineTicket
from shared.events.ticketing import Captured, StepFinished, SwitchProof
from shared.operator import Procedure
from shared.operator.procedures import Step
from shared.outbox import Outgoing


def finished_tasks(ticket: Ticket, procedure: Procedure, before: EngineTicket, after: EngineTicket) -> Iterator[Outgoing]:
    """The tasks that an input finished. What the system does by an action is told by what it did."""
    done = {(turn.code, turn.number) for turn in before.turns if turn.state is StepState.FINISHED}
    for turn in after.turns:
        step = procedure.step(turn.code)
        if step.kind == "task" and turn.state is StepState.FINISHED and (turn.code, turn.number) not in done:
            ticket.version += 1
            yield Outgoing(
                _finished(ticket, step, turn, engine.owner_of(procedure, after, step).desk), f"ticket/{ticket.id}", ticket.version
            )


def _finished(ticket: Ticket, step: Step, turn: Turn, desk: str | None) -> StepFinished:
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
            Captured(name=each.name, label=each.label, kind=each.kind, value=as_read(turn.captured[each.name]))
            for each in step.capture
            if each.name in turn.captured
        ],
        comment=turn.comment,
        late=turn.late,
        finished_at=turn.finished_at,
    )


def as_read(value: Any) -> str:
    """A captured value in words: `sí`, `2 · ONT · SN-1`, one line for each item of a list."""
    if isinstance(value, bool):
        return "sí" if value else "no"
    if isinstance(value, Mapping):
        return " · ".join(as_read(each) for each in value.values() if each not in (None, ""))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(as_read(each) for each in value)
    return str(value)


def proof_of(switches: Sequence[NetworkSwitch]) -> list[SwitchProof]:
    """What stands behind a cut or a reconnection: the switches of its step that were carried out."""
    fields = set(SwitchProof.model_fields) - {"switch_id"}
    return [SwitchProof(switch_id=each.id, **each.model_dump(include=fields)) for each in switches if each.state == SwitchState.DONE]
