"""A list's items as rows of a table: the columns follow from the model that the route answers with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel

from shared.web.headings import heading

Cell = str | int | Decimal | bool | datetime | date | None
DEPTH = 4  # objects inside objects that have columns of their own; what lies deeper is told in one cell


@dataclass(frozen=True)
class Column:
    """Where a column's values lie in an item, what they are, and what the column is called."""

    path: tuple[str, ...]
    kind: type
    heading: str


def columns_of(model: type[BaseModel]) -> list[Column]:
    """The columns of a model's items: an object inside has its own columns, a list is told in one cell."""
    return [Column(path, kind, heading(path)) for path, kind in _fields(model, ())]


def cells(item: Mapping[str, Any], columns: Sequence[Column], zone: ZoneInfo) -> list[Cell]:
    """One item, as the API's JSON shows it, as a row; instants are local times in the zone (aware)."""
    return [_cell(_at(item, each.path), each.kind, zone) for each in columns]


def _fields(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type]]:
    for name, field in model.model_fields.items():
        kind = _kind(field.annotation)
        if issubclass(kind, BaseModel) and len(above) < DEPTH:
            yield from _fields(kind, (*above, name))
        else:
            yield (*above, name), kind


def _kind(annotation: Any) -> type:
    """What a field holds, whether or not it may be empty."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation
    parts = [each for each in get_args(annotation) if each is not type(None)]
    optional = len(parts) == 1 and len(get_args(annotation)) == 2
    return _kind(parts[0]) if optional else object


def _at(item: Any, path: Sequence[str]) -> Any:
    for name in path:
        if item is None:
            return None
        item = item[name]
    return item


def _cell(value: Any, kind: type, zone: ZoneInfo) -> Cell:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return Decimal(str(value))
    if not isinstance(value, str):
        return _told(value)
    if issubclass(kind, Decimal):
        return Decimal(value)
    if issubclass(kind, datetime | AwareDatetime):
        return datetime.fromisoformat(value).astimezone(zone)
    return date.fromisoformat(value) if issubclass(kind, date) else value


def _told(value: Any) -> str:
    """A list or an object in one cell: its values without their names, the names where they are data themselves."""
    if isinstance(value, list):
        return "; ".join(_told(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_told(each)}" for name, each in value.items() if each not in (None, "", [], {}))
    return {True: "sí", False: "no"}[value] if isinstance(value, bool) else str(value)
