"""What a form must hold: typed fields, each mistake named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from services.ticketing.rules.papers import read_items, read_signature
from shared.errors import FieldError, nearest
from shared.operator.conditions import all_hold
from shared.operator.forms import OUTCOME, CaptureField, Fill
from shared.operator.steps import Step

LONGEST_TEXT = 4_000


@dataclass(frozen=True)
class Named:
    """What a form may name and what the system knows for it: the operator's plans, the customer's services (id: what they are), stored
    documents (id: what they are), and what can be looked up now."""

    plans: frozenset[str] = frozenset()
    services: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    looked_up: Mapping[Fill, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """The fields that are asked for on an operator's day, the rule that asks, what is known of the ticket, what was filled in already."""

    fields: Sequence[CaptureField]
    rule: str | None
    today: date
    known: Mapping[str, Any] = field(default_factory=dict)
    filled: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    """A form that was read: the values in their JSON form, the fields that are missing, those that are wrong."""

    values: dict[str, Any]
    missing: list[FieldError]
    wrong: list[FieldError]


def read_form(form: Form, given: Mapping[str, Any], comment: str | None, named: Named, outcome: str | None = None) -> Written:
    """What somebody wrote. A field of kind `comment` is the comment that finishes the step; it may be given as either. What the system
    filled in is confirmed by leaving it, unless it is no longer so."""
    found = Written({}, [], [])
    asked = []
    for each in form.fields:
        if not all_hold(each.when, {**form.known, **found.values, OUTCOME: outcome}):
            continue
        asked.append(each.name)
        value = _given(each, given, comment, form, named, found)
        if value is None or (isinstance(value, str) and not value.strip()):
            if each.required and not any(error.field == _path(each.name) for error in found.wrong):
                found.missing.append(_error(each.name, f"falta: {each.label}", form.rule))
            continue
        try:
            read = READERS[each.kind](each, value, named)
            _not_too_early_or_late(each, read, form.today)
            found.values[each.name] = read
        except ValueError as error:
            found.wrong.append(_error(each.name, str(error), form.rule))
    strange = [name for name in given if name not in asked]
    found.wrong.extend(_error(name, _why_strange(name, form, asked), form.rule) for name in strange)
    return found


def comment_of(step: Step, captured: Mapping[str, Any], comment: str | None) -> str | None:
    """The comment that the step was finished with, wherever it was written."""
    written = next((captured[each.name] for each in step.capture if each.kind == "comment" and each.name in captured), None)
    return str(written) if written is not None else comment


def _given(asked: CaptureField, given: Mapping[str, Any], comment: str | None, form: Form, named: Named, found: Written) -> Any:
    """What was written, or what goes without writing it: the comment, the customer's only service, what the system filled in."""
    value = given.get(asked.name)
    if value is None and asked.kind == "comment":
        return comment
    if value is None and asked.kind == "service" and len(named.services) == 1:
        return next(iter(named.services))
    if value is not None or asked.fill is None or asked.name not in form.filled:
        return value
    filled, now = form.filled[asked.name]["value"], named.looked_up.get(asked.fill)
    if filled != now:
        changed = f"el sistema anotó {_brief(filled)} y ahora es {_brief(now)}: escriba lo que vale"
        found.wrong.append(_error(asked.name, changed, form.rule))
        return None
    return filled


def _not_too_early_or_late(asked: CaptureField, value: Any, today: date) -> None:
    if asked.latest and date.fromisoformat(value) > today:
        raise ValueError(f"es posterior a hoy ({today.isoformat()})")
    if asked.earliest and date.fromisoformat(value) < today:
        raise ValueError(f"es anterior a hoy ({today.isoformat()})")


def _why_strange(name: str, form: Form, asked: Sequence[str]) -> str:
    if any(each.name == name for each in form.fields):
        return "este campo no corresponde a lo que eligió"
    return f"este paso no tiene ese campo{nearest(name, asked)}"


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{value['amount']} {value['currency']}"
    return "nada" if value is None else str(value)


def _path(name: str) -> str:
    return f"captured.{name}"


def _error(name: str, message: str, rule: str | None) -> FieldError:
    return FieldError(field=_path(name), message=message, rule=rule)


def _text(asked: CaptureField, value: Any, named: Named) -> str:
    if not isinstance(value, str):
        raise ValueError("debe ser texto")
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"es demasiado largo: a lo sumo {LONGEST_TEXT} caracteres")
    return value.strip()


def _number(asked: CaptureField, value: Any, named: Named) -> str:
    """Numbers are kept as text: a JSON number would pass through a float."""
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        raise ValueError('debe ser un número escrito como texto, por ejemplo "12.50"')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError('no es un número: escríbalo con punto, por ejemplo "12.50"') from None
    if not number.is_finite():
        raise ValueError("no es un número finito")
    return str(number)


def _money(asked: CaptureField, value: Any, named: Named) -> dict[str, str]:
    if not isinstance(value, Mapping) or set(value) != {"amount", "currency"}:
        raise ValueError('debe ser un importe con su moneda, por ejemplo {"amount": "12.50", "currency": "USD"}')
    currency = value["currency"]
    if not isinstance(currency, str) or len(currency) != 3 or not currency.isascii() or not currency.isupper():
        raise ValueError("la moneda son tres letras mayúsculas, por ejemplo USD")
    return {"amount": _number(asked, value["amount"], named), "currency": currency}


def _date(asked: CaptureField, value: Any, named: Named) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise ValueError("no es una fecha: escriba 2026-03-01") from None


def _yes_no(asked: CaptureField, value: Any, named: Named) -> bool:
    if not isinstance(value, bool):
        raise ValueError("debe ser true (sí) o false (no), sin comillas")
    return value


def _choice(asked: CaptureField, value: Any, named: Named) -> str:
    if value not in asked.choices:
        raise ValueError(f"debe ser uno de: {', '.join(asked.choices)}")
    return str(value)


def _plan(asked: CaptureField, value: Any, named: Named) -> str:
    if not isinstance(value, str) or value not in named.plans:
        raise ValueError(f"no existe ese plan{nearest(str(value), named.plans)}: es el código de uno del catálogo")
    return value


def _service(asked: CaptureField, value: Any, named: Named) -> dict[str, str]:
    if not isinstance(value, str) or value not in named.services:
        known = "; ".join(f"{code} ({label})" for code, label in named.services.items()) or "el cliente no tiene ninguno"
        raise ValueError(f"no es un servicio activo del cliente: {known}")
    return {"id": value, "label": named.services[value]}


def _file(asked: CaptureField, value: Any, named: Named) -> dict[str, Any]:
    if not isinstance(value, str) or value not in named.files:
        raise ValueError("no es un documento guardado de este cliente: guárdelo con POST /ticketing/documents y escriba su `id`")
    return dict(named.files[value])


READERS: Mapping[str, Callable[[CaptureField, Any, Named], Any]] = {
    "text": _text,
    "comment": _text,
    "number": _number,
    "money": _money,
    "date": _date,
    "yes_no": _yes_no,
    "choice": _choice,
    "plan": _plan,
    "service": _service,
    "file": _file,
    "items": read_items,
    "signature": read_signature,
}
