"""What is known of a ticket from its beginning: how the services are delivered, what was written down, what the ticket before it knew."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.ticketing.rules.states import StepState
from services.ticketing.rules.ticket import Ticket
from services.ticketing.rules.wording import as_read
from shared.operator import Operator, Procedure
from shared.operator.forms import CaptureField

DELIVERY = "delivery"
LEFT_ON = "services_left_on"
DELIVERIES = {"own": "entrega propia", "third_party": "por terceros"}


class Fact(BaseModel):
    """One thing known: its value as the engine compares it, its text as people read it; `told` ones go with the ticket's events."""

    model_config = ConfigDict(frozen=True)
    name: str
    label: str
    kind: str
    value: Any
    text: str
    told: bool = False


def written(operator: Operator, fields: Sequence[CaptureField], values: Mapping[str, Any]) -> list[Fact]:
    """What a form holds."""
    return [
        Fact(
            name=each.name,
            label=each.label,
            kind=each.kind,
            value=values[each.name],
            text=as_read(operator, each, values[each.name]),
            told=each.told,
        )
        for each in fields
        if each.name in values
    ]


def delivered(deliveries: Iterable[str]) -> Fact:
    """How the services are delivered that the ticket is about: of several both ways may hold."""
    found = sorted(set(deliveries))
    return Fact(
        name=DELIVERY,
        label="Entrega",
        kind="choice",
        value=found,
        text=" y ".join(DELIVERIES.get(each, each) for each in found) or "ninguna",
    )


def left_on(services: Sequence[UUID], what: str = "la suspensión") -> Fact:
    """The services that a cut, or a restriction (`what`), leaves as they are: they are on hold (COB-1)."""
    text = f"{len(services)} servicio(s) excluidos de {what}: {', '.join(map(str, services))}"
    return Fact(name=LEFT_ON, label="Quedan activos", kind="services", value=[str(each) for each in services], text=text)


def learned(operator: Operator, procedure: Procedure, ticket: Ticket, facts: Sequence[Fact]) -> list[Fact]:
    """The facts of a ticket and what was written down in its finished steps, the latest of a name last and alone."""
    found = {each.name: each for each in facts}
    for turn in ticket.turns:
        if turn.state is StepState.FINISHED and turn.captured:
            for each in written(operator, procedure.step(turn.code).capture, turn.captured):
                found.pop(each.name, None)
                found[each.name] = each
    return list(found.values())


def covers(theirs: Sequence[Mapping[str, Any]], ours: Sequence[Mapping[str, Any]], services: frozenset[str]) -> bool:
    """Is a ticket with their facts about all that a ticket with ours is about? By the ways in which the services are delivered, and by the
    services that the forms name: one that names none is about all that the customer has (`services`, by id)."""
    return _ways(theirs) >= _ways(ours) and (_named(theirs) or services) >= (_named(ours) or services)


def _ways(facts: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(way for each in facts if each["name"] == DELIVERY for way in each["value"])


def _named(facts: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(each["value"]["id"] for each in facts if each["kind"] == "service")
