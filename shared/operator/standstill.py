"""Could a ticket of a procedure stop with nothing open and yet not closed? Every way through it is walked before anybody takes one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from shared.operator.conditions import all_hold
from shared.operator.forms import CaptureField
from shared.operator.steps import Step

PLACES = 5_000
# What a ticket may know without anybody writing it down: how the customer's services are delivered, and that it is about an unpaid cut.
FROM_THE_START: Mapping[str, tuple[Any, ...]] = {
    "delivery": (("own", "third_party"), "third_party", "own"),  # the plainest last: it is walked first
    "cause": ("unpaid", None),
}
Known = frozenset[tuple[str, Any]]


@dataclass(frozen=True)
class _Place:
    """Where a ticket may be: what is known of it, steps that are open, held by their joins, and done with (finished or passed over)."""

    known: Known
    open: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    past: frozenset[str] = frozenset()


def standstill(procedure: Sequence[Step], start: Sequence[str], opening: Sequence[CaptureField], ends: str | None) -> str | None:
    """How a ticket of these steps could stop with nothing open and yet not closed (Spanish); None when it cannot. `opening` is what people
    write down to open one, `ends` how it closes once nothing is open any more.

    Walks through every way to finish steps in any order with anything written down that a `when` asks about; of procedures with very
    many ways only the first PLACES places.
    """
    steps = {step.code: step for step in procedure}
    asked = {name for step in procedure for name in step.when}
    seen, ahead = set[_Place](), list[_Place]()
    for known in _at_opening(opening, asked):
        first = _call(steps, _Place(known), start)
        if not first.open and (first.held or ends is None):
            return f"ningún paso puede abrirse al empezar{_told(known)}: todos esperan a otros, o ninguno corresponde"
        seen.add(first)
        ahead.append(first)
    while ahead and len(seen) < PLACES:
        place = ahead.pop()
        for code, name, after in _next(steps, place, asked):
            if not after.open and (after.held or ends is None):
                where = _told(after.known)
                return (
                    f"si «{code}» termina con «{name}»{where} puede no quedar nada abierto, y el ticket no se cierra: use `closes` o `ends`"
                )
            if after not in seen:
                seen.add(after)
                ahead.append(after)
    return None


def _at_opening(opening: Sequence[CaptureField], asked: set[str]) -> Iterator[Known]:
    """What may be known of a ticket when it begins. One that the system opens comes without a form."""
    choices: dict[str, Sequence[Any]] = {name: values for name, values in FROM_THE_START.items() if name in asked}
    for field in opening:
        if field.name in asked:
            choices[field.name] = (*possible_values(field), None)
    return _ways(choices)


def _next(steps: Mapping[str, Step], place: _Place, asked: set[str]) -> Iterator[tuple[str, str, _Place]]:
    """Every outcome of every open step that does not close the ticket, with everything that may be written down: where it leads."""
    for code in sorted(place.open):
        for name, outcome in steps[code].outcomes.items():
            if outcome.closes is not None:
                continue
            for written in _ways({field.name: _values(field, steps[code], name) for field in steps[code].capture if field.name in asked}):
                known = frozenset((dict(place.known) | dict(written)).items())
                after = replace(place, known=known, open=place.open - {code}, past=place.past | {code})
                yield code, name, _call(steps, after, outcome.opens)


def _values(field: CaptureField, step: Step, outcome: str) -> Sequence[Any]:
    """What may be written into a field; nothing when it need not be, or when the outcome is followed because the time ran out."""
    expiry = step.deadline.on_expiry if step.deadline else None
    may_lack = not field.required or field.when or (expiry is not None and expiry.outcome == outcome)
    return (*possible_values(field), None) if may_lack else possible_values(field)


def possible_values(field: CaptureField) -> tuple[Any, ...]:
    """The values of a field that a `when` may ask about; none for fields of other kinds."""
    return tuple(field.choices) if field.kind == "choice" else ("true", "false") if field.kind == "yes_no" else ()


def _ways(choices: Mapping[str, Sequence[Any]]) -> Iterator[Known]:
    """Every combination of values; what has none is not known."""
    for values in product(*choices.values()):
        yield frozenset((name, value) for name, value in zip(choices, values, strict=True) if value is not None)


def _call(steps: Mapping[str, Step], place: _Place, codes: Sequence[str]) -> _Place:
    """The place after these steps are called for: open, held until their joins are done with, or passed over."""
    called = frozenset(codes) - place.open - place.held
    place = replace(place, held=place.held | called, past=place.past - called)
    known = dict(place.known)
    while ready := frozenset(code for code in place.held if place.past.issuperset(steps[code].joins)):
        opened = frozenset(code for code in ready if all_hold(steps[code].when, known))
        place = replace(place, open=place.open | opened, held=place.held - ready, past=place.past | (ready - opened))
    return place


def _told(known: Known) -> str:
    """What is known, in words for a mistake: ` (delivery: own)`."""
    said = [f"{name}: {' y '.join(value) if isinstance(value, tuple) else value}" for name, value in sorted(known)]
    return f" ({', '.join(said)})" if said else ""
