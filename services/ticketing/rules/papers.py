"""What is written down at the customer's: pieces of equipment or material, and who signed for them."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.operator.forms import CaptureField

MOST_ITEMS, LONGEST = 200, 300
ITEM = ("code", "description", "serial", "quantity", "condition")
SIGNED = ("name", "identity", "signed_at")
SIGNATURE = '{"name": "Julia Paz", "identity": "0501-1980-01234"}'
EXAMPLE = '{"code": "ONT", "description": "Router óptico", "serial": "SN123"}'


def read_items(asked: CaptureField, value: Any, _: object) -> list[dict[str, str]]:
    """A list of pieces: code and description always, serial number if there is one, how many (1 unless said), and the condition where the
    form wants one. Raises ValueError (Spanish)."""
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise ValueError(f"debe ser una lista de piezas, por ejemplo [{EXAMPLE}]")
    if len(value) > MOST_ITEMS:
        raise ValueError(f"son demasiadas piezas: a lo sumo {MOST_ITEMS}")
    if asked.required and not value:
        raise ValueError("la lista está vacía")
    return [_item(asked, each, number) for number, each in enumerate(value, start=1)]


def _item(asked: CaptureField, given: Mapping[str, Any], number: int) -> dict[str, str]:
    where = f"pieza {number}"
    found = _texts(given, ITEM, ("code", "description"), where, EXAMPLE)
    quantity = found.get("quantity", "1")
    try:
        if not 0 < Decimal(quantity) < 1_000_000:
            raise ValueError
    except (InvalidOperation, ValueError):
        raise ValueError(f"{where}: la cantidad debe ser un número mayor que cero escrito como texto") from None
    if asked.choices and found.get("condition") not in asked.choices:
        raise ValueError(f"{where}: `condition` debe ser uno de: {', '.join(asked.choices)}")
    if not asked.choices and "condition" in found:
        raise ValueError(f"{where}: aquí no se pregunta por `condition`")
    return {**found, "quantity": quantity}


def read_signature(asked: CaptureField, value: Any, _: object) -> dict[str, str]:
    """Who signed: the name, the number of the identity card if it was shown, when if it was not just now. Raises ValueError (Spanish)."""
    if not isinstance(value, Mapping):
        raise ValueError(f"debe decir quién firmó, por ejemplo {SIGNATURE}")
    found = _texts(value, SIGNED, ("name",), "firma", SIGNATURE)
    if "signed_at" in found:
        try:
            signed_at = datetime.fromisoformat(found["signed_at"])
        except ValueError:
            signed_at = None
        if signed_at is None or signed_at.tzinfo is None:
            raise ValueError("firma: `signed_at` es un instante con su zona, por ejemplo 2026-04-08T10:30:00-06:00")
    return found


def _texts(given: Mapping[str, Any], known: tuple[str, ...], needed: tuple[str, ...], where: str, example: str) -> dict[str, str]:
    """The texts of a piece of a form, without what is empty."""
    if strange := sorted(set(map(str, given)) - set(known)):
        raise ValueError(f"{where}: no se conoce {', '.join(strange)}; se puede escribir: {', '.join(known)}")
    found = {}
    for name in known:
        value = given.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str) or len(value) > LONGEST:
            raise ValueError(f"{where}: `{name}` debe ser texto, a lo sumo {LONGEST} caracteres")
        if value.strip():
            found[name] = value.strip()
    if missing := [name for name in needed if name not in found]:
        raise ValueError(f"{where}: falta {', '.join(missing)}; por ejemplo {example}")
    return found
