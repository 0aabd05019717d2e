"""What a work order prints: texts only, in the operator's words. Without results it is a form to be filled in by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.ticketing.rules.appointments import Appointment, order_number
from services.ticketing.rules.facts import Fact
from services.ticketing.rules.states import StepState
from services.ticketing.rules.ticket import Turn
from services.ticketing.rules.wording import as_read
from shared.operator import Operator, words
from shared.operator.forms import CaptureField
from shared.operator.steps import Step


@dataclass(frozen=True)
class Site:
    """Where the work is done: the customer, whom to ask for, and the services (each in one line)."""

    name: str
    external_id: str
    contacts: Sequence[tuple[str, str]]
    services: Sequence[str]


@dataclass(frozen=True)
class Order:
    """A turn of a step that is a work order, in its ticket: `place` is the turn's among all turns."""

    kind: str
    ticket_number: int
    step: Step
    turn: Turn
    place: int
    facts: Sequence[Fact]
    site: Site
    now: datetime
    picture: bytes | None = None

    @property
    def number(self) -> str:
        """The number that is printed on it."""
        return order_number(self.ticket_number, self.place)


def printed(operator: Operator, order: Order) -> dict[str, Any]:
    """What the template places."""
    step, turn = order.step, order.turn
    assert step.work_order is not None
    done = turn.state is StepState.FINISHED
    result = step.outcomes[turn.outcome].label if done and turn.outcome in step.outcomes else ""
    return {
        "issuer": {name: str(getattr(operator, name)) for name in ("name", "legal_name", "tax_id", "address", "phone", "website")},
        "name": step.work_order.name,
        "number": order.number,
        "ticket": f"{order.kind} n.º {order.ticket_number}",
        "task": step.name,
        "desk": next((desk.name for desk in operator.desks if desk.code == step.role), ""),
        "customer": {"name": order.site.name, "id": order.site.external_id},
        "contacts": [{"name": name, "how": how} for name, how in order.site.contacts],
        "services": list(order.site.services),
        "facts": [{"label": each.label, "value": each.text} for each in order.facts if each.told],
        "appointment": _appointment(operator, turn.appointment),
        "done": {"at": words.instant(operator, turn.finished_at), "result": result} if done and turn.finished_at else {},
        "lists": [_list(each, turn, done) for each in step.capture if each.kind == "items" and (not done or each.name in turn.captured)],
        "written": _written(operator, step.capture, turn) if done else [],
        "signature": _signature(operator, step.capture, turn, done),
        "picture": list(order.picture or b""),
        "printed": words.instant(operator, order.now),
    }


def _appointment(operator: Operator, made: Appointment | None) -> dict[str, str]:
    if made is None:
        return {}
    day = words.weekday(operator, made.day)
    return {"day": f"{day} de {made.day:%Y}", "hours": f"{made.opens:%H:%M} a {made.closes:%H:%M}", "technician": made.technician}


def _list(asked: CaptureField, turn: Turn, done: bool) -> dict[str, Any]:
    """A list of pieces; one that is still to be written has room for it."""
    return {
        "label": asked.label,
        "conditions": " / ".join(asked.choices),
        "rows": [_piece(asked, each) for each in turn.captured.get(asked.name, [])] if done else [],
        "blank": 0 if done else 5 if asked.required else 2,
    }


def _piece(asked: CaptureField, each: Mapping[str, str]) -> dict[str, str]:
    condition = each.get("condition", "")
    named = asked.names.get(condition, condition)
    return {name: each.get(name, "") for name in ("code", "description", "serial", "quantity")} | {"condition": named}


def _written(operator: Operator, capture: Sequence[CaptureField], turn: Turn) -> list[dict[str, str]]:
    """What else was written down, the pieces and the signature apart."""
    plain = [each for each in capture if each.kind not in ("items", "signature") and each.name in turn.captured]
    return [{"label": each.label, "value": as_read(operator, each, turn.captured[each.name])} for each in plain]


def _signature(operator: Operator, capture: Sequence[CaptureField], turn: Turn, done: bool) -> dict[str, str]:
    """Who signed and when; a line to sign on while nobody has. Empty where no signature is asked for."""
    asked = next((each for each in capture if each.kind == "signature"), None)
    if asked is None:
        return {}
    signed = turn.captured.get(asked.name) if done else None
    if signed is None:
        return {"label": asked.label, "name": "", "identity": "", "at": "" if not done else "sin firma"}
    at = signed.get("signed_at") or (turn.finished_at.isoformat() if turn.finished_at else "")
    return {"label": asked.label, "name": signed["name"], "identity": signed.get("identity", ""), "at": words.instant(operator, at)}
