"""Why the engine refuses: each refusal names the rule, what is missing, and who may."""

from collections.abc import Mapping, Sequence

from services.ticketing.rules.states import StepState
from services.ticketing.rules.ticket import Actor, Owner, Ticket
from shared.errors import FieldError, Forbidden, Invalid, Problem, Refused, nearest
from shared.operator.forms import CaptureField
from shared.operator.procedures import Opening, Procedure
from shared.operator.steps import Step

REREAD = "Vea los pasos abiertos en el ticket."


class NotTheirs(Refused):
    """The step is somebody else's. `named` puts the operator's names in the place of codes."""

    def __init__(self, rule: str, task: str, owner: Owner, actor: Actor, names: Mapping[str, str] | None = None) -> None:
        self._rule, self._task, self._owner, self._actor = rule, task, owner, actor
        known = names or {}
        holder = owner.person or owner.desk or ""
        whose = known.get(holder, holder)
        desks = ", ".join(known.get(desk, desk) for desk in sorted(actor.desks)) or "ningún escritorio"
        super().__init__(
            rule,
            f"El paso «{task}» corresponde a {whose}, y {known.get(actor.person, actor.person)} trabaja en {desks}.",
            remedy=f"Lo termina {whose}.",
        )

    def named(self, names: Mapping[str, str]) -> "NotTheirs":
        """The same refusal with names: desks and people by code."""
        return NotTheirs(self._rule, self._task, self._owner, self._actor, names)


def rule_of(procedure: Procedure, task: Step | None = None) -> str:
    """The rule that a refusal quotes: the step's own, else the procedure's first."""
    return (task.rule if task else None) or next(iter(procedure.rules), procedure.code)


def closed_already(procedure: Procedure, ticket: Ticket) -> Refused:
    assert ticket.closed is not None
    how = procedure.outcomes[ticket.closed.outcome]
    return Refused(
        rule_of(procedure), f"El ticket ya está cerrado: {how}.", remedy="Un ticket cerrado no se cambia; abra otro si corresponde."
    )


def unknown_step(procedure: Procedure, code: str) -> Problem:
    known = [each.code for each in procedure.steps]
    message = f"el procedimiento no tiene ese paso{nearest(code, known)}; tiene: {', '.join(known)}"
    return Invalid(f"No existe el paso «{code}».", errors=[FieldError(field="step", message=message)])


def not_open(procedure: Procedure, ticket: Ticket, task: Step) -> Refused:
    """Why nobody can finish this step now."""
    rule = rule_of(procedure, task)
    turn = ticket.latest(task.code)
    if task.kind != "task":
        return Refused(rule, f"El paso «{task.name}» lo hace el sistema.", remedy="Termina solo, cuando la red contesta.")
    if turn is not None and turn.state is StepState.FINISHED:
        return Refused(rule, f"El paso «{task.name}» ya lo terminó {turn.by}.", remedy=REREAD)
    if turn is not None and turn.state is StepState.SKIPPED:
        return Refused(rule, turn.comment or f"El paso «{task.name}» no corresponde a este caso.", remedy=REREAD)
    if turn is not None and turn.state is StepState.WAITING and turn.comment:
        return Refused(rule, turn.comment, remedy="Siga con ese ticket; si se cierra sin hacerlo, el paso se abre aquí.")
    if turn is not None and turn.state is StepState.WAITING:
        wanted = " y ".join(f"«{procedure.step(code).name}»" for code in task.joins if code not in ticket.past)
    else:
        wanted = " o ".join(f"«{each.name}»" for each in _before(procedure, task.code))
    return Refused(rule, f"El paso «{task.name}» todavía no está abierto.", remedy=f"Antes debe terminarse {wanted}.")


def _before(procedure: Procedure, code: str) -> list[Step]:
    """The steps that open this one for the first time: not those that are only reached through it and send the case back."""
    reached, coming = set(), [*procedure.start]
    while coming:
        at = coming.pop()
        if at not in reached and at != code:
            reached.add(at)
            coming += [each for outcome in procedure.step(at).outcomes.values() for each in outcome.opens]
    return [each for each in procedure.steps if each.code in reached and leads_to(each, code)]


def leads_to(task: Step, code: str) -> bool:
    """Does an outcome of the step open the other one?"""
    return any(code in outcome.opens for outcome in task.outcomes.values())


def not_theirs(procedure: Procedure, task: Step, owner: Owner, actor: Actor) -> NotTheirs:
    return NotTheirs(rule_of(procedure, task), task.name, owner, actor)


def wrong_outcome(task: Step, outcome: str) -> Problem:
    known = ", ".join(f"{code} ({each.label})" for code, each in task.outcomes.items())
    return Invalid(
        f"El paso «{task.name}» no tiene el resultado «{outcome}».",
        rule=task.rule,
        errors=[FieldError(field="outcome", message=f"debe ser uno de: {known}", rule=task.rule)],
    )


def wrong_form(procedure: Procedure, task: Step, missing: Sequence[FieldError], wrong: Sequence[FieldError]) -> Problem:
    """What is missing is refused by the step's rule; what is merely miswritten is bad input."""
    return _wrong_fields(rule_of(procedure, task), f"terminar «{task.name}»", task.capture, missing, wrong)


def wrong_opening(procedure: Procedure, opening: Opening, missing: Sequence[FieldError], wrong: Sequence[FieldError]) -> Problem:
    """The same of the form that opens a ticket."""
    return _wrong_fields(opening.rule or rule_of(procedure), f"abrir «{procedure.kind}»", opening.capture, missing, wrong)


def _wrong_fields(
    rule: str, intention: str, fields: Sequence[CaptureField], missing: Sequence[FieldError], wrong: Sequence[FieldError]
) -> Problem:
    errors = [*missing, *wrong]
    if missing:
        labels = ", ".join(field.label for field in fields if f"captured.{field.name}" in {each.field for each in missing})
        return Refused(
            rule,
            f"Para {intention} falta: {labels}.",
            remedy=f"Complete {', '.join(each.field for each in missing)} y envíe de nuevo.",
            errors=errors,
        )
    names = ", ".join(each.field for each in wrong)
    return Invalid(f"Corrija: {names}.", rule=rule, errors=errors, remedy="No se guardó nada; corrija los campos y envíe de nuevo.")


def not_opened_by_hand(procedure: Procedure) -> Refused:
    return Refused(
        rule_of(procedure),
        f"Los tickets {procedure.kind} los abre el sistema.",
        remedy="Se abren solos cuando corresponde; los procedimientos con `opening` los abren las personas.",
    )


def may_not_open(procedure: Procedure, name: str, desks: Sequence[str], allowed: Sequence[str]) -> Forbidden:
    return Forbidden(
        f"{name} ({', '.join(desks) or 'sin escritorio'}) no puede abrir tickets {procedure.kind}.",
        rule=procedure.opening.rule if procedure.opening else None,
        remedy=f"Pueden: {', '.join(allowed)}. Se decide en el procedimiento «{procedure.code}», `opening`.",
    )


def not_suspended(procedure: Procedure, customer: str) -> Refused:
    return Refused(
        (procedure.opening.rule if procedure.opening else None) or rule_of(procedure),
        f"{procedure.kind} es para clientes suspendidos que deben, y {customer} no está suspendido o ya reportó el pago.",
        remedy="Si falla sin estar suspendido, es una falla: repórtela al NOC. Si ya pagó, espera la reconexión.",
    )


def open_already(procedure: Procedure, number: int) -> Refused:
    return Refused(
        rule_of(procedure),
        f"El cliente ya tiene abierto el ticket {procedure.kind} n.º {number}.",
        remedy="Siga con ese; se abre otro cuando ese esté cerrado.",
    )


def gone_procedure(procedure: Procedure, code: str) -> Refused:
    return Refused(
        rule_of(procedure),
        f"Este resultado empieza el procedimiento «{code}», que el operador ya no tiene.",
        remedy="Restablezca el archivo del procedimiento, o termine el paso con otro resultado.",
    )


def cannot_cancel(procedure: Procedure, ticket: Ticket) -> Refused:
    if ticket.closed is not None:
        return closed_already(procedure, ticket)
    if procedure.cancel is None:
        return Refused(rule_of(procedure), "Este procedimiento no se cancela.", remedy="Termina por sus propios pasos.")
    done = sorted(procedure.step(code).name for code in procedure.cancel.until if code in ticket.finished)
    why = f"«{done[0]}» ya está terminado" if done else "la red ya recibió la orden"
    return Refused(
        rule_of(procedure), f"El ticket ya no se puede cancelar: {why}.", remedy="Se conocerá el resultado y después se revierte."
    )


def no_work_order(procedure: Procedure, task: Step) -> Refused:
    return Refused(rule_of(procedure, task), f"El paso «{task.name}» no es una orden de trabajo: no lleva cita.", remedy=REREAD)


def no_appointment(procedure: Procedure, task: Step) -> Refused:
    return Refused(
        rule_of(procedure, task),
        f"Para terminar «{task.name}» falta la cita con el cliente.",
        remedy="Acuérdela y anótela en la orden de trabajo: día, horas y técnico.",
    )


def wrong_appointment(task: Step, wrong: Sequence[FieldError]) -> Problem:
    names = ", ".join(each.field for each in wrong)
    return Invalid(f"Corrija la cita: {names}.", rule=task.rule, errors=list(wrong), remedy="No se guardó nada; acuerde otra cita.")
