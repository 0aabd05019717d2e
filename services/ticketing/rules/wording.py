"""What was written down in a form, as people read it."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.operator import Operator, words
from shared.operator.forms import CaptureField


def as_read(operator: Operator, field: CaptureField, value: Any) -> str:
    """A captured value in the operator's words: `sí`, `$690.00`, `5 de marzo de 2026`, a plan's name, a document's name and hash."""
    match field.kind:
        case "date":
            return words.day(operator, value)
        case "money":
            return words.money(operator, value["amount"], value["currency"])
        case "plan":
            return next((each.name for each in operator.plans if each.code == value), str(value))
        case "service":
            return str(value["label"])
        case "choice":
            return field.names.get(value, str(value))
        case "file":
            return f"{value['name']} ({value['size']} bytes, sha256 {value['sha256']})"
        case _:
            return _plainly(value)


def _plainly(value: Any) -> str:
    """`2 · ONT · SN-1`, one line for each item of a list."""
    if isinstance(value, bool):
        return "sí" if value else "no"
    if isinstance(value, Mapping):
        return " · ".join(_plainly(each) for each in value.values() if each not in (None, ""))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(_plainly(each) for each in value)
    return str(value)
