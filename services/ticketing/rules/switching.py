"""What a step's switches mean together, and when an unanswered one is tried again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from services.ticketing.rules.states import SETTLED, SwitchState
from shared.operator.steps import Action

SwitchAction = Literal["suspend", "reconnect", "restrict", "release", "change"]
ACTIONS: dict[Action, SwitchAction] = {
    "network.suspend": "suspend",
    "network.reconnect": "reconnect",
    "network.restrict": "restrict",
    "network.release": "release",
    "network.change": "change",
}
# What takes back a switch that was carried out for one service and refused for another: nobody is cut or restricted by halves.
UNDONE_BY: dict[SwitchAction, SwitchAction] = {"suspend": "reconnect", "restrict": "release"}
BY_NAME: dict[str, SwitchAction] = {each: each for each in ACTIONS.values()}
# Business time: a router that restarts is back in minutes, a broken one wants a person.
PAUSES = [timedelta(minutes=each) for each in (1, 5, 15, 30, 60)]
TOLD_PAUSE = timedelta(hours=4)
NODE_PAUSES = [timedelta(seconds=each) for each in (5, 15, 30, 60, 120, 300)]  # of an access node that was silent so often in a row
UNKNOWN_LIMIT = 5


@dataclass(frozen=True)
class SwitchView:
    """One switch of a step: which service, which way, and how far it is."""

    service_id: UUID | None
    action: SwitchAction
    state: SwitchState
    detail: str | None = None


@dataclass(frozen=True)
class StepResult:
    """All switches are settled; the step is done or refused."""

    outcome: Literal["done", "refused"]
    detail: str | None = None


@dataclass(frozen=True)
class Undo:
    """A cut or a restriction was refused for some services and carried out for these: take it back before the refusal is told."""

    services: tuple[UUID, ...]


def result_of(action: SwitchAction, switches: Sequence[SwitchView]) -> StepResult | Undo | None:
    """What the step's switches say: nothing yet, a result, or what to take back first.

    A cut that is refused in part must not leave a customer half cut, nor a restriction half restricted; a reconnection that is refused in
    part leaves on what is on.
    """
    if not switches:
        nothing = "Ningún servicio del cliente está restringido." if action == "release" else "El cliente no tiene servicios activos."
        return StepResult("refused", nothing) if action in UNDONE_BY else StepResult("done", nothing)
    if any(each.state not in SETTLED for each in switches):
        return None
    own = [each for each in switches if each.action == action]
    refused = [each for each in own if each.state is not SwitchState.DONE]
    if not refused:
        return StepResult("done")
    undone = {each.service_id for each in switches if each.action != action}
    half = tuple(each.service_id for each in own if each.state is SwitchState.DONE and each.service_id not in undone and each.service_id)
    if action in UNDONE_BY and half:
        return Undo(half)
    return StepResult("refused", refused[0].detail)


def pause_after(unknown_answers: int) -> timedelta:
    """How long to wait (business time) after the n-th unknown answer."""
    return PAUSES[unknown_answers - 1] if 0 < unknown_answers < UNKNOWN_LIMIT else TOLD_PAUSE


def must_be_told(unknown_answers: int) -> bool:
    """Has it been unknown so often that a person should look?"""
    return unknown_answers >= UNKNOWN_LIMIT
