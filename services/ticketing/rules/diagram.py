"""A procedure as a picture: Mermaid text, with a ticket's progress on it when one is given."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from services.ticketing.rules.states import StepState
from services.ticketing.rules.ticket import Ticket
from shared.operator.conditions import Condition, Unless, When, values_of
from shared.operator.forms import CaptureField
from shared.operator.procedures import Close, ClosingEvent, Procedure
from shared.operator.steps import REQUESTER, Step

STYLES = (
    "classDef task fill:#ffffff,stroke:#5b6b7b,color:#1f2933",
    "classDef automatic fill:#eef2f7,stroke:#5b6b7b,color:#1f2933",
    "classDef open fill:#fff3c4,stroke:#b7791f,stroke-width:3px,color:#1f2933",
    "classDef late fill:#ffd9d2,stroke:#b42318,stroke-width:3px,color:#1f2933",
    "classDef finished fill:#d9f2e3,stroke:#1f7a4d,color:#1f2933",
    "classDef skipped fill:#f5f5f5,stroke:#b0b8c0,stroke-dasharray:2 4,color:#7b8794",
    "classDef dropped fill:#f5f5f5,stroke:#b0b8c0,stroke-dasharray:4 3,color:#7b8794",
    "classDef ending fill:#ffffff,stroke:#5b6b7b,color:#1f2933",
    "classDef reached fill:#1f7a4d,stroke:#1f7a4d,color:#ffffff",
    "classDef start fill:#5b6b7b,stroke:#5b6b7b,color:#ffffff",
)
# Boxes are as wide as their lines, which are broken here.
SETTINGS = '%%{init: {"flowchart": {"wrappingWidth": 2000}}}%%'
LINE, ARROW_LINE = 40, 24
# What a ticket knows from its beginning, in words.
LABELS = {"delivery": "Entrega", "cause": "Origen"}
VALUES = {"delivery": {"own": "directa", "third_party": "por terceros"}, "cause": {"unpaid": "falta de pago"}}
CLOSING: Mapping[ClosingEvent, str] = {
    "payment_reported": "se reporta un pago",
    "payment_confirmed": "se confirma un pago",
    "invoice_voided": "se anula una factura",
    "suspension_withdrawn": "se retira la suspensión",
    "debt_covered": "lo que debía está reportado como pagado",
    "service_reconnected": "el servicio se reconecta",
    "agreement_refused": "facturación no puede aplicar el acuerdo",
}
ESCAPES = str.maketrans({"&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;"})


def mermaid(procedure: Procedure, names: Mapping[str, str], ticket: Ticket | None = None, zone: ZoneInfo | None = None) -> str:
    """The procedure as Mermaid text in Spanish. `names` are desks and people by code; a ticket's steps are marked, times in `zone`."""
    lines = [SETTINGS, "flowchart TD", f'inicio(["{_text(procedure.kind)}"]):::start']
    lines += [_node(procedure, step, names, ticket, zone) for step in procedure.steps]
    reached = ticket.closed.outcome if ticket and ticket.closed else None
    for code, name in procedure.outcomes.items():
        lines.append(f'fin_{code}(["{_text(name)}"]):::{"reached" if code == reached else "ending"}')
    lines += [f"inicio --> paso_{code}" for code in procedure.start]
    for step in procedure.steps:
        lines += _arrows(step, procedure.ends)
    started = sorted({code for step in procedure.steps for outcome in step.outcomes.values() for code in outcome.starts})
    lines += [f'empieza_{code}(["{_text(f"empieza «{code}»")}"]):::start' for code in started]
    if procedure.cancel is not None:
        lines.append(f'inicio -. "{_text(_cancel(procedure), ARROW_LINE)}" .-> fin_{procedure.cancel.outcome}')
    for outcome in dict.fromkeys(each.outcome for each in procedure.closes_on):
        events = " / ".join(_closing(procedure, each) for each in procedure.closes_on if each.outcome == outcome)
        lines.append(f'inicio -. "{_text(events, ARROW_LINE)}" .-> fin_{outcome}')
    return "\n".join([*lines, *STYLES]) + "\n"


def _node(procedure: Procedure, step: Step, names: Mapping[str, str], ticket: Ticket | None, zone: ZoneInfo | None) -> str:
    who = (
        "el sistema" if step.kind == "automatic" else "quien lo pidió" if step.role == REQUESTER else names.get(step.role or "", step.role)
    )
    words = [*_lines(step.name, "b"), *_lines(str(who), "i")]
    if step.joins:
        words += _lines("espera a: " + ", ".join(procedure.step(code).name for code in step.joins))
    if step.when:
        words += _lines("solo si " + _conditions(procedure, step.when))
    if step.work is not None:
        words += _lines("no se repite si otro ticket del cliente ya lo hace")
    if step.work_order is not None:
        words += _lines(step.work_order.name)
    if step.deadline is not None:
        words += _lines(_deadline(step, names))
    style: str = step.kind
    turn = ticket.latest(step.code) if ticket else None
    if turn is not None:
        style = {"OPEN": "late" if turn.late else "open", "FINISHED": "finished", "DROPPED": "dropped"}.get(turn.state, style)
        style = "skipped" if turn.state is StepState.SKIPPED else style
    if turn is not None and turn.state is StepState.FINISHED and turn.finished_at is not None:
        at = turn.finished_at.astimezone(zone) if zone else turn.finished_at
        words += _lines(f"{names.get(turn.by or '', turn.by or '')}, {at:%d/%m/%Y %H:%M}")
    elif turn is not None and turn.state is StepState.OPEN:
        words.append("fuera de plazo" if turn.late else "abierto")
    left, right = ("[[", "]]") if step.kind == "automatic" else ("[", "]")
    return f'paso_{step.code}{left}"{"<br/>".join(words)}"{right}:::{style}'


def _arrows(step: Step, ends: str | None) -> list[str]:
    """An arrow per outcome and target; outcomes with the same target share one. A piece of work that just ends leads to how the ticket
    closes once nothing is open any more."""
    by_target: dict[str, list[str]] = {}
    for outcome in step.outcomes.values():
        targets = [f"fin_{outcome.closes}"] if outcome.closes else [f"paso_{code}" for code in outcome.opens]
        targets = targets or ([f"fin_{ends}"] if ends else [])
        targets += [f"empieza_{code}" for code in outcome.starts]
        for target in targets:
            by_target.setdefault(target, []).append(outcome.label)
    return [f'paso_{step.code} -- "{_text(" / ".join(labels), ARROW_LINE)}" --> {target}' for target, labels in by_target.items()]


def _closing(procedure: Procedure, close: Close) -> str:
    only = f", si {_conditions(procedure, close.when)}" if close.when else ""
    return f"{CLOSING[close.event]}{only}"


def _cancel(procedure: Procedure) -> str:
    assert procedure.cancel is not None
    until = " o ".join(f"«{procedure.step(code).name}»" for code in procedure.cancel.until) or "la conmutación"
    return f"pago o retiro antes de {until}"


def _deadline(step: Step, names: Mapping[str, str]) -> str:
    """How long the step may stay open, and what happens then."""
    deadline = step.deadline
    assert deadline is not None
    if deadline.hours is not None:
        span = f"{deadline.hours} horas"
    elif deadline.business_hours is not None:
        span = f"{deadline.business_hours} horas hábiles"
    else:
        span = f"{deadline.business_days} días hábiles"
    expiry = deadline.on_expiry
    if expiry is None:
        return f"plazo: {span}"
    told = [f"se avisa a {', '.join(names.get(code, code) for code in expiry.tell)}"] if expiry.tell else []
    follows = [f"sigue como «{step.outcomes[expiry.outcome].label}»"] if expiry.outcome else []
    return f"plazo: {span}; después {' y '.join([*follows, *told])}"


def _conditions(procedure: Procedure, when: When) -> str:
    """Conditions in words: `entrega por terceros`, `Qué se acordó: Upgrade o Downgrade`, `no por terceros`."""
    labels = {field.name: field for field in procedure.fields}
    return " y ".join(_condition(name, condition, labels.get(name)) for name, condition in when.items())


def _condition(name: str, condition: Condition, field: CaptureField | None) -> str:
    words = {**VALUES.get(name, {}), **(field.names if field else {}), **({"true": "sí", "false": "no"} if field else {})}
    values = " o ".join(words.get(value, value) for value in values_of(condition))
    label = field.label if field else LABELS.get(name, name)
    return f"{label}: {'no ' if isinstance(condition, Unless) else ''}{values}"


def _text(words: str, width: int = LINE) -> str:
    """Words that Mermaid shows as they are."""
    return "<br/>".join(_lines(words, width=width))


def _lines(words: str, tag: str = "", width: int = LINE) -> list[str]:
    """Words broken into lines that a box can hold."""
    lines = [""]
    for word in words.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    safe = [line.translate(ESCAPES) for line in lines]
    return [f"<{tag}>{line}</{tag}>" for line in safe] if tag else safe
