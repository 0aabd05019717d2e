"""A list's items as rows of a table: the columns follow from the model that the route answers with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel

from shared.web.headings import heading, word
from shared.web.values import words_of

Cell = str | int | Decimal | bool | datetime | date | None
DEPTH = 4  # objects inside objects that have columns of their own; what lies deeper is told in one cell
NOT_IN_FILES = "not in files"  # in a field's Annotated: it is for programs, or a line of a list is without it
MONEY = {"amount", "currency"}


@dataclass(frozen=True)
class Kind:
    """What a field holds: its type, without whether it may be empty, and the Spanish words of its values, where they are ours."""

    type: Any
    words: Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """Where a column's values lie in an item, what they are, and what the column is called."""

    path: tuple[str, ...]
    kind: Kind
    heading: str


def columns_of(model: type[BaseModel]) -> list[Column]:
    """The columns of a model's items: an object inside has its own columns, a list is told in one cell."""
    return [Column(path, kind, heading(path)) for path, kind in _fields(model, ())]


def cells(item: Mapping[str, Any], columns: Sequence[Column], zone: ZoneInfo) -> list[Cell]:
    """One item, as the API's JSON shows it, as a row; instants are local times in the zone (aware)."""
    return [_cell(_at(item, each.path), each.kind, zone) for each in columns]


def kinds_of(model: type[BaseModel]) -> dict[str, Kind]:
    """What the fields of a model hold that are in files."""
    return {
        name: _kind(field.annotation, model.__name__, name)
        for name, field in model.model_fields.items()
        if NOT_IN_FILES not in field.metadata
    }


def _fields(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Kind]]:
    for name, kind in kinds_of(model).items():
        if _is_model(kind.type) and len(above) < DEPTH:
            yield from _fields(kind.type, (*above, name))
        else:
            yield (*above, name), kind


def _kind(annotation: Any, owner: str, name: str) -> Kind:
    bare = _bare(annotation)
    return Kind(bare, words_of(inside(bare), owner, name))


def _bare(annotation: Any) -> Any:
    """A type without what is said about it, and without whether it may be empty."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        parts = [each for each in get_args(annotation) if each is not type(None)]
        return _bare(parts[0]) if len(parts) == 1 else Any
    return annotation


def inside(kind: Any) -> Any:
    """What a list holds, or an object whose names are data; of others the type itself."""
    if get_origin(kind) in (list, dict):
        return inside(_bare(get_args(kind)[-1]))
    return kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _at(item: Any, path: Sequence[str]) -> Any:
    for name in path:
        if item is None:
            return None
        item = item[name]
    return item


def _cell(value: Any, kind: Kind, zone: ZoneInfo) -> Cell:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, str) and _of(kind.type, Decimal):
        return _tidy(value)
    if isinstance(value, str) and _of(kind.type, datetime, AwareDatetime):
        return datetime.fromisoformat(value).astimezone(zone)
    if isinstance(value, str) and _of(kind.type, date):
        return date.fromisoformat(value)
    return _told(value, kind, zone)


def _tidy(value: str) -> Decimal:
    """A figure without the zeros behind its cents."""
    found = Decimal(value)
    cents = round(found, 2)
    return cents if found == cents and found.as_tuple().exponent < -2 else found  # type: ignore[operator]


def _of(kind: Any, *wanted: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, wanted)


def _told(value: Any, kind: Kind, zone: ZoneInfo) -> str:
    """A value in a cell as one would say it: names and values of ours in Spanish (those that are data stay), instants as on the wall, an
    amount before its currency, an object that one of its fields says (`TOLD_BY` of its class) by that."""
    if isinstance(value, list):
        return "; ".join(_told(each, kind, zone) for each in value)
    model = inside(kind.type)
    if isinstance(value, dict) and (one := getattr(model, "TOLD_BY", None)):
        return str(value[one])
    if isinstance(value, dict) and set(value) == MONEY:
        return f"{_tidy(value['amount']):f} {value['currency']}"
    if isinstance(value, dict):
        known = kinds_of(model) if _is_model(model) else {}
        parts = ((name, each, known.get(name, kind)) for name, each in value.items() if not known or name in known)
        return ", ".join(f"{word(name)}: {_told(each, of, zone)}" for name, each, of in parts if each not in (None, "", [], {}))
    if isinstance(value, bool):
        return "sí" if value else "no"
    if isinstance(value, str) and _of(model, Decimal):
        return f"{_tidy(value):f}"
    if isinstance(value, str) and _of(model, datetime, AwareDatetime):
        return datetime.fromisoformat(value).astimezone(zone).strftime("%Y-%m-%d %H:%M")
    return kind.words.get(value, value) if isinstance(value, str) else str(value)
