"""Do procedures fit together: what their steps wait for, count from and use, and what a procedure brings to those that it starts?"""

from collections.abc import Iterator, Mapping

from shared.errors import nearest
from shared.operator.files import Place, Wrong
from shared.operator.forms import OUTCOME, CaptureField
from shared.operator.procedures import Procedure
from shared.operator.standstill import FROM_THE_START
from shared.operator.steps import AGREEMENTS, MAY_USE, REQUESTER, Step

AUTOMATIC_OUTCOMES = ("done", "refused", "cancelled")
Fields = Mapping[str, list[CaptureField]]


def procedure_uses(procedure: Procedure) -> Iterator[tuple[str, Place, str, str]]:
    """Every desk, rule and procedure that a procedure names: file, place, what kind of thing, its code."""
    name = f"procedures/{procedure.code}.yaml"
    yield name, ("desk",), "escritorio", procedure.desk
    for at, rule in enumerate(procedure.rules):
        yield name, ("rules", at), "regla", rule
    opening = procedure.opening
    for at, desk in enumerate(opening.by if opening else []):
        yield name, ("opening", "by", at), "escritorio", desk
    if opening is not None and opening.rule is not None:
        yield name, ("opening", "rule"), "regla", opening.rule
    for number, step in enumerate(procedure.steps):
        if step.role is not None and step.role != REQUESTER:
            yield name, ("steps", number, "role"), "escritorio", step.role
        if step.rule is not None:
            yield name, ("steps", number, "rule"), "regla", step.rule
        for outcome, follows in step.outcomes.items():
            for at, code in enumerate(follows.starts):
                yield name, ("steps", number, "outcomes", outcome, "starts", at), "procedimiento", code
        expiry = step.deadline.on_expiry if step.deadline else None
        for at, desk in enumerate(expiry.tell if expiry else []):
            yield name, ("steps", number, "deadline", "on_expiry", "tell", at), "escritorio", desk


def check_procedures(procedures: Mapping[str, Procedure], wrong: Wrong) -> None:
    """Note what does not fit."""
    for procedure in procedures.values():
        fields = _known_fields(procedure, procedures)
        _check_steps(procedure, wrong)
        _check_forms(procedure, fields, wrong)
        for number, step in enumerate(procedure.steps):
            _check_deadline(procedure, number, step, fields, wrong)
            _check_uses(procedure, number, step, fields, wrong)


def _known_fields(procedure: Procedure, procedures: Mapping[str, Procedure]) -> Fields:
    """What may be known in a ticket of the procedure, by name: its own fields, and those of procedures that start it, one by the other."""
    before, found = [procedure], dict[str, list[CaptureField]]()
    for each in before:
        for field in each.fields:
            found.setdefault(field.name, []).append(field)
        before += [other for other in procedures.values() if other not in before and each.code in _started(other)]
    return found


def _started(procedure: Procedure) -> set[str]:
    return {code for step in procedure.steps for outcome in step.outcomes.values() for code in outcome.starts}


def _check_steps(procedure: Procedure, wrong: Wrong) -> None:
    """Nothing may wait for an outcome that has no continuation."""
    name = f"procedures/{procedure.code}.yaml"
    for number, step in enumerate(procedure.steps):
        place: Place = ("steps", number, "outcomes")
        if step.kind == "automatic" and (missing := [each for each in AUTOMATIC_OUTCOMES if each not in step.outcomes]):
            wrong(name, place, f"un paso automático dice qué sigue a cada resultado; falta: {', '.join(missing)}")
        for each in sorted(set(step.outcomes) - set(AUTOMATIC_OUTCOMES)) if step.kind == "automatic" else []:
            wrong(name, (*place, each), f"un paso automático no tiene este resultado{nearest(each, AUTOMATIC_OUTCOMES)}")
    closes = any(outcome.closes for step in procedure.steps for outcome in step.outcomes.values()) or procedure.closes_on
    if not closes and procedure.ends is None:
        wrong(name, ("steps",), "ningún resultado cierra el ticket (`closes`, o `ends`)")


def _check_forms(procedure: Procedure, fields: Fields, wrong: Wrong) -> None:
    """A field that is asked for under a condition waits for something that is known."""
    forms: list[tuple[Place, list[CaptureField]]] = [(("steps", at), step.capture) for at, step in enumerate(procedure.steps)]
    forms += [(("opening",), procedure.opening.capture)] if procedure.opening else []
    known = {*fields, *FROM_THE_START, OUTCOME}
    for place, form in forms:
        for number, field in enumerate(form):
            for name in field.when:
                if name not in known:
                    at: Place = (*place, "capture", number, "when", name)
                    wrong(f"procedures/{procedure.code}.yaml", at, f"nada que se llame así se anota antes{nearest(name, known)}")


def _check_deadline(procedure: Procedure, number: int, step: Step, fields: Fields, wrong: Wrong) -> None:
    name = step.deadline.from_ if step.deadline else None
    dates = {each for each, found in fields.items() if any(field.kind == "date" for field in found)}
    if name is not None and name not in dates:
        place: Place = ("steps", number, "deadline", "from")
        wrong(f"procedures/{procedure.code}.yaml", place, f"ninguna fecha que se anota se llama «{name}»{nearest(name, dates)}")


def _check_uses(procedure: Procedure, number: int, step: Step, fields: Fields, wrong: Wrong) -> None:
    """What an action is told comes from fields of the right kind; an agreement is one of those that billing understands."""
    may = MAY_USE.get(step.action, {}) if step.action else {}
    for use, name in step.uses.items():
        place: Place = ("steps", number, "uses", use)
        kinds = may[use]
        found = fields.get(name, [])
        if not any(field.kind in kinds for field in found):
            message = f"ningún campo de `kind: {' o '.join(kinds)}` se llama «{name}»{nearest(name, fields)}"
            wrong(f"procedures/{procedure.code}.yaml", place, message)
        strange = sorted({choice for field in found for choice in field.choices} - set(AGREEMENTS)) if use == "kind" else []
        if strange:
            message = f"«{name}» elige entre {', '.join(AGREEMENTS)}; no: {', '.join(strange)}"
            wrong(f"procedures/{procedure.code}.yaml", place, message)
