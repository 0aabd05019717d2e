"""What a step's form must hold: typed fields, each mistake named."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.errors import FieldError, nearest
from shared.operator.procedures import CaptureField, Step

LONGEST_TEXT = 4_000


def read_captured(
    step: Step, captured: Mapping[str, Any], comment: str | None
) -> tuple[dict[str, Any], list[FieldError], list[FieldError]]:
    """The captured values in their JSON form, then the fields that are missing, then those that are wrong.

    A field of kind `comment` is the comment that finishes the step; it may be given as either.
    """
    found: dict[str, Any] = {}
    missing: list[FieldError] = []
    wrong: list[FieldError] = []
    for field in step.capture:
        value = captured.get(field.name)
        if value is None and field.kind == "comment":
            value = comment
        if value is None or (isinstance(value, str) and not value.strip()):
            if field.required:
                missing.append(_error(field.name, f"falta: {field.label}", step))
            continue
        try:
            found[field.name] = READERS[field.kind](field, value)
        except ValueError as error:
            wrong.append(_error(field.name, str(error), step))
    known = [field.name for field in step.capture]
    wrong += [_error(name, f"este paso no tiene ese campo{nearest(name, known)}", step) for name in captured if name not in known]
    return found, missing, wrong


def comment_of(step: Step, captured: Mapping[str, Any], comment: str | None) -> str | None:
    """The comment that the step was finished with, wherever it was written."""
    written = next((captured[field.name] for field in step.capture if field.kind == "comment" and field.name in captured), None)
    return str(written) if written is not None else comment


def _error(name: str, message: str, step: Step) -> FieldError:
    return FieldError(field=f"captured.{name}", message=message, rule=step.rule)


def _text(field: CaptureField, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("debe ser texto")
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"es demasiado largo: a lo sumo {LONGEST_TEXT} caracteres")
    return value.strip()


def _number(field: CaptureField, value: Any) -> str:
    """Numbers are kept as text: a JSON number would pass through a float."""
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        raise ValueError('debe ser un número escrito como texto, por ejemplo "12.50"')
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("no es un número decimal") from None
    if not number.is_finite():
        raise ValueError("no es un número finito")
    return str(number)


def _date(field: CaptureField, value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise ValueError("no es una fecha: escriba 2026-03-01") from None


def _yes_no(field: CaptureField, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("debe ser true o false")
    return value


def _choice(field: CaptureField, value: Any) -> str:
    if value not in field.choices:
        raise ValueError(f"debe ser uno de: {', '.join(field.choices)}")
    return str(value)


READERS: Mapping[str, Callable[[CaptureField, Any], Any]] = {
    "text": _text,
    "comment": _text,
    "number": _number,
    "date": _date,
    "yes_no": _yes_no,
    "choice": _choice,
}
