"""Do an operator's documents fit together? Everything that one of them says about another, and what pydantic cannot see in one alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from shared.errors import nearest
from shared.events import CATALOGUE
from shared.events.base import Event
from shared.events.collections import ReminderRequested, SuspensionNoticeRequested
from shared.operator.company import Company
from shared.operator.conditions import Condition, values_of
from shared.operator.files import Place, Wrong
from shared.operator.notices import Notice
from shared.operator.operator import Operator
from shared.operator.permissions import PERMISSIONS
from shared.operator.policies import Policy
from shared.operator.policy_checks import check_restriction, check_switching, switching
from shared.operator.procedure_checks import check_procedures, procedure_uses
from shared.operator.templates import ENDINGS, syntax_error
from shared.operator.templates import mistakes as template_mistakes

# What is printed, by its template: every operator can be asked for these; a work order only where a procedure has one.
PAPERS = {"invoice.typ": "las facturas", "credit_note.typ": "las notas de crédito", "dossier.typ": "los expedientes"}
RECOVERED = "paid"  # how a recovery's ticket closes when the debt is covered


@dataclass(frozen=True)
class Known:
    """What exists, by kind of thing: codes that a reference may name."""

    codes: dict[str, set[str]]

    @classmethod
    def of(cls, operator: Operator) -> "Known":
        return cls(
            {
                "política": set(operator.policies),
                "escritorio": {each.code for each in operator.desks},
                "impuesto": {each.code for each in operator.taxes},
                "tipo de plan": {each.kind for each in operator.plans},
                "regla": set(operator.rules),
                "procedimiento": set(operator.procedures),
                "aviso": set(operator.notices),
                "permiso": set(PERMISSIONS),
            }
        )


def check_references(operator: Operator, rule_ids: list[str], wrong: Wrong) -> None:
    """Note everything that does not fit together. `rule_ids` as rules.yaml lists them, repeated ones included."""
    known = Known.of(operator)
    for name, place, kind, code in _uses(operator):
        if code not in known.codes[kind]:
            wrong(name, place, f"no existe {kind} «{code}»{nearest(code, known.codes[kind])}")
    _check_company(operator, wrong)
    _check_catalog(operator, wrong)
    _twice("rules.yaml", "rules", rule_ids, wrong)
    _twice("qualification.yaml", "any_of", [each.code for each in operator.qualification.any_of], wrong)
    for policy in operator.policies.values():
        _check_policy(policy, operator, wrong)
    check_procedures(operator.procedures, wrong)
    for notice in operator.notices.values():
        _check_notice(notice, operator, wrong)
    _check_notices_differ(operator, wrong)
    _check_templates(operator, wrong)


def _uses(operator: Operator) -> Iterator[tuple[str, Place, str, str]]:
    """Every reference: file, place, what kind of thing, its code."""
    yield "operator.yaml", ("default_policy",), "política", operator.default_policy
    yield from _desk_uses(operator)
    for number, plan in enumerate(operator.plans):
        yield "catalog/plans.yaml", ("plans", number, "tax"), "impuesto", plan.tax
    for number, fee in enumerate(operator.fees):
        yield "catalog/plans.yaml", ("fees", number, "tax"), "impuesto", fee.tax
    qualification = operator.qualification
    yield "qualification.yaml", ("policy",), "política", qualification.policy
    yield "qualification.yaml", ("rule",), "regla", qualification.rule
    for number, criterion in enumerate(qualification.any_of):
        for at, kind in enumerate(criterion.plan_kinds or []):
            yield "qualification.yaml", ("any_of", number, "plan_kinds", at), "tipo de plan", kind
    for policy in operator.policies.values():
        yield from _policy_uses(policy)
    for procedure in operator.procedures.values():
        yield from procedure_uses(procedure)
    for notice in operator.notices.values():
        name = f"notices/{notice.code}.yaml"
        for at, desk in enumerate(notice.to.desks):
            yield name, ("to", "desks", at), "escritorio", desk
        for at, rule in enumerate(notice.rules):
            yield name, ("rules", at), "regla", rule


def _desk_uses(company: Company) -> Iterator[tuple[str, Place, str, str]]:
    for permission, desks in company.permissions.items():
        yield "operator.yaml", ("permissions", permission), "permiso", permission
        for at, desk in enumerate(desks):
            yield "operator.yaml", ("permissions", permission, at), "escritorio", desk
    for number, person in enumerate(company.people):
        for at, desk in enumerate(person.desks):
            yield "operator.yaml", ("people", number, "desks", at), "escritorio", desk


def _policy_uses(policy: Policy) -> Iterator[tuple[str, Place, str, str]]:
    name = f"policies/{policy.code}.yaml"
    for decision, rule in policy.rules.items():
        yield name, ("rules", decision), "regla", rule
    for at, choice in enumerate(policy.choices):
        yield name, ("choices", at, "rule"), "regla", choice.rule
    for place, code, _ in switching(policy):
        yield name, place, "procedimiento", code
    if policy.recovery is not None:
        yield name, ("recovery", "procedure"), "procedimiento", policy.recovery.procedure
    for at, reminder in enumerate(policy.reminders):
        yield name, ("reminders", at, "notice"), "aviso", reminder.notice
    if policy.suspension.notice is not None:
        yield name, ("suspension", "notice", "name"), "aviso", policy.suspension.notice.name
    for kind in ("late", "reconnection"):
        if (fee := getattr(policy.fees, kind, None)) is not None:
            yield name, ("fees", kind, "rule"), "regla", fee.rule
    if policy.suspension.approval is not None:
        yield name, ("suspension", "approval", "rule"), "regla", policy.suspension.approval.rule


def _twice(name: str, place: str, codes: list[str], wrong: Wrong) -> None:
    for number, code in enumerate(codes):
        if code in codes[:number]:
            wrong(name, (place, number), f"«{code}» está dos veces")


def _check_company(operator: Operator, wrong: Wrong) -> None:
    _twice("operator.yaml", "desks", [each.code for each in operator.desks], wrong)
    _twice("operator.yaml", "people", [each.person for each in operator.people], wrong)
    _twice("operator.yaml", "own_days", [str(each.date) for each in operator.own_days], wrong)
    for missing in sorted(set(PERMISSIONS) - set(operator.permissions)):
        wrong("operator.yaml", ("permissions",), f"falta «{missing}»: quién puede {PERMISSIONS[missing]}")


def _check_catalog(operator: Operator, wrong: Wrong) -> None:
    _twice("catalog/plans.yaml", "plans", [each.code for each in operator.plans], wrong)
    _twice("catalog/plans.yaml", "fees", [each.kind for each in operator.fees], wrong)
    _twice("catalog/taxes.yaml", "taxes", [each.code for each in operator.taxes], wrong)
    name, series = "catalog/fiscal_series.yaml", operator.fiscal_series
    _twice(name, "fiscal_series", [each.code for each in series], wrong)
    for number, each in enumerate(series):
        if each.to_number < each.from_number:
            wrong(name, ("fiscal_series", number, "to_number"), "es menor que from_number")
        if len(str(each.to_number)) > each.digits:
            wrong(name, ("fiscal_series", number, "digits"), f"no alcanzan para el número {each.to_number}")
    for (_, one), (at, other) in combinations(enumerate(series), 2):
        if one.prefix == other.prefix and one.from_number <= other.to_number and other.from_number <= one.to_number:
            wrong(name, ("fiscal_series", at, "from_number"), f"el rango se cruza con el de «{one.code}»: un número saldría dos veces")


def _check_policy(policy: Policy, operator: Operator, wrong: Wrong) -> None:
    name = f"policies/{policy.code}.yaml"
    check_switching(name, policy, operator, wrong)
    check_restriction(name, policy, operator, wrong)
    _check_recovery(name, policy, operator, wrong)
    _check_fees(name, policy, operator, wrong)
    due, allowed = policy.due.day_of_month, policy.suspension.allowed_from.day_of_month
    if due is not None and allowed is not None and allowed < due:
        wrong(name, ("suspension", "allowed_from", "day_of_month"), f"se cortaría el día {allowed}, antes de que venza el día {due}")
    if policy.invoice.send_by_day < policy.invoice.send_from_day:
        wrong(name, ("invoice", "send_by_day"), "es anterior a send_from_day")
    _twice(name, "reminders", [each.code for each in policy.reminders], wrong)
    for at, reminder in enumerate(policy.reminders):
        _check_listens(name, ("reminders", at, "notice"), reminder.notice, ReminderRequested, operator, wrong)
    if policy.suspension.notice is not None:
        place = ("suspension", "notice", "name")
        _check_listens(name, place, policy.suspension.notice.name, SuspensionNoticeRequested, operator, wrong)


def _check_recovery(name: str, policy: Policy, operator: Operator, wrong: Wrong) -> None:
    recovery = operator.procedures.get(policy.recovery.procedure) if policy.recovery is not None else None
    if recovery is not None and RECOVERED not in {each.outcome for each in recovery.closes_on}:
        message = f"ningún `closes_on` de «{recovery.code}» cierra con `{RECOVERED}`: quien paga seguiría en recuperación"
        wrong(name, ("recovery", "procedure"), message)


def _check_fees(name: str, policy: Policy, operator: Operator, wrong: Wrong) -> None:
    for kind in ("late", "reconnection"):
        if getattr(policy.fees, kind, None) is not None and operator.fee(kind) is None:
            wrong(name, ("fees", kind), f"falta «{kind}» en `fees` de catalog/plans.yaml: cómo se llama en la factura y qué impuesto lleva")


def _check_listens(name: str, place: Place, code: str, event: type[Event], operator: Operator, wrong: Wrong) -> None:
    notice = operator.notices.get(code)
    if notice is not None and notice.on != event.TYPE:
        wrong(name, place, f"el aviso «{code}» sale con {notice.on}; aquí hace falta uno que salga con {event.TYPE}")


def _check_notice(notice: Notice, operator: Operator, wrong: Wrong) -> None:
    name = f"notices/{notice.code}.yaml"
    event = CATALOGUE.get(notice.on)
    if event is None:
        wrong(name, ("on",), f"no existe el evento «{notice.on}»{nearest(notice.on, set(CATALOGUE))}")
    else:
        for field, condition in notice.when.items():
            _check_condition(name, event, field, condition, operator, wrong)
        for file, line, message in template_mistakes(operator.folder, notice.template, event):
            wrong(f"templates/{file}", (), message, line)
    for ending in ENDINGS:
        if not (operator.folder / "templates" / f"{notice.template}.{ending}").is_file():
            wrong(name, ("template",), f"falta templates/{notice.template}.{ending}")


def _check_condition(name: str, event: type[Event], field: str, condition: Condition, operator: Operator, wrong: Wrong) -> None:
    if field not in event.model_fields:
        wrong(name, ("when", field), f"el evento no tiene este campo{nearest(field, set(event.model_fields))}")
        return
    possible = _possible(event, field, event.model_fields[field], operator)
    for value in values_of(condition):
        if possible is not None and value not in possible:
            wrong(name, ("when", field), f"nunca vale «{value}»{nearest(value, possible)}; puede ser: {', '.join(sorted(possible))}")


def _possible(event: type[Event], field: str, info: FieldInfo, operator: Operator) -> set[str] | None:
    """The values that a field of an event can have; None where anything is possible."""
    if get_origin(info.annotation) is Literal:
        return {str(each) for each in get_args(info.annotation)}
    if info.annotation is bool:
        return {"true", "false"}
    of_tickets = {
        "kind": {each.kind for each in operator.procedures.values()},
        "outcome": {code for each in operator.procedures.values() for code in each.outcomes},
    }
    decided: dict[str, set[str]] = {
        "procedure": set(operator.procedures),
        "desk": {each.code for each in operator.desks},
        "policy": set(operator.policies),
        "reminder": {each.code for policy in operator.policies.values() for each in policy.reminders},
        "notice": set(operator.notices),
        "currency": {operator.currency},
    }
    return (decided | of_tickets if event.TYPE.startswith("ticketing.ticket_") else decided).get(field)


def _check_notices_differ(operator: Operator, wrong: Wrong) -> None:
    """Two notices that tell the same people of the same thing would be two mails."""
    seen: dict[Any, str] = {}
    for code in sorted(operator.notices):
        notice = operator.notices[code]
        same = repr((notice.on, sorted(notice.when.items()), notice.to, notice.template))
        if same in seen:
            wrong(f"notices/{code}.yaml", ("on",), f"es igual a notices/{seen[same]}.yaml: el mismo correo saldría dos veces")
        seen.setdefault(same, code)


def _check_templates(operator: Operator, wrong: Wrong) -> None:
    logo = operator.brand.logo
    if logo is not None and not (operator.folder / "templates" / logo).is_file():
        wrong("operator.yaml", ("brand", "logo"), f"falta templates/{logo}")
    orders = any(step.work_order for procedure in operator.procedures.values() for step in procedure.steps)
    for name, printed in (PAPERS | ({"work_order.typ": "las órdenes de trabajo"} if orders else {})).items():
        if not (operator.folder / "templates" / name).is_file():
            wrong(f"templates/{name}", (), f"falta esta plantilla, con la que se imprimen {printed}: copie la de deploy/operators/vip_isp")
    for path in sorted((operator.folder / "templates").glob("*.j2")):
        name = path.relative_to(operator.folder).as_posix()
        try:
            if (error := syntax_error(path.read_text(encoding="utf-8"))) is not None:
                wrong(name, (), f"la plantilla no es válida: {error[0]}", error[1])
        except UnicodeDecodeError:
            wrong(name, (), "no está en UTF-8")
