"""Lists in pages that do not shift while people read them, versions that two people cannot overwrite, and strict inputs."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import date
from inspect import Parameter, Signature
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Depends, Header, Query, Response
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from shared.arranging import Arrangement, Arranging
from shared.errors import FieldError, Invalid, PreconditionRequired
from shared.sorting import MOST, Key, Order, Placed, Sorting, number

T = TypeVar("T")
S = TypeVar("S")
MAX_PAGE = 200
MAX_DEPTH, MAX_TEXT = 12, 10_000  # of whatever a body holds; most fields allow less
ORDERS = "El orden: un campo; con `-`, de mayor a menor. Lo vacío queda al final."
SKIPPED = number("")  # how many items of a list in memory stand before the page
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="cuántos por página")]
CursorText = Annotated[str | None, Query(description="`next` de la página anterior, con el mismo `sort`", max_length=1000)]


class Input(BaseModel):
    """Base of every request body: a field that we do not know is a mistake, and so is text that no database keeps."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @field_validator("*", mode="after")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        if isinstance(value, str | list | dict) and (reason := unkeepable(value)):
            raise ValueError(reason)
        return value


def unkeepable(value: Any) -> str | None:
    """Why a text, or a list or object with texts at any depth, cannot be kept; None when it can. PostgreSQL keeps no NUL."""
    if type(value) is str and len(value) <= MAX_TEXT and "\x00" not in value:
        return None  # nearly always
    level = [value]
    for _ in range(MAX_DEPTH):
        if any(isinstance(each, str) and "\x00" in each for each in level):
            return "contiene un carácter nulo, que no se puede guardar"
        if any(isinstance(each, str) and len(each) > MAX_TEXT for each in level):
            return f"tiene un texto demasiado largo: a lo sumo {MAX_TEXT} caracteres"
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return None
    return f"está demasiado anidado: a lo sumo {MAX_DEPTH} niveles"


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


class Page(BaseModel, Generic[T]):
    """A page of a list. `next` goes into `?cursor=` of the next request; absent on the last page."""

    items: list[T]
    next: str | None = None


class _Asked:
    """A dependency of a list: what `make` makes of the request's cursor, limit and order. The parameters differ from list to list by the
    names that `sort` may have."""

    def __init__(self, names: Sequence[str], default: str | None, told: str, make: Callable[[str | None, int, Any], Any]) -> None:
        self._make = make
        choice: Any = Literal.__getitem__(tuple(names))
        sort = (choice if default else choice | None, Query(default, description=told))
        kinds = {"cursor": (CursorText, None), "limit": (Limit, 50), "sort": sort}
        shown = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=value) for name, (kind, value) in kinds.items()]
        self.__signature__ = Signature(shown)

    async def __call__(self, cursor: str | None, limit: int, sort: Any) -> Any:
        return self._make(cursor, limit, sort)


def sorted_by(sorting: Sorting) -> Any:
    """The dependency of a list that is read in an Order: its parameters `sort`, `cursor` and `limit`."""

    def order(cursor: str | None, limit: int, sort: str) -> Order:
        return sorting.order(sort, limit=limit, after=_place(cursor, sort, sorting.names, sorting.keys(sort)))

    cheap = [each for each in sorting.fields if sorting.cheap(each, filtered=False)]
    rest = f" Por {', '.join(cheap)}, a cualquier tamaño; por los demás, si el filtro deja a lo sumo {MOST:,} filas."
    return Depends(_Asked(sorting.names, sorting.default, ORDERS + (rest if len(cheap) < len(sorting.fields) else ""), order))


def arranged_by(arranging: Arranging) -> Any:
    """The dependency of a list in memory that is shown in pages: an Arrangement."""

    def arrangement(cursor: str | None, limit: int, sort: str | None) -> Arrangement:
        place = _place(cursor, sort, [None, *arranging.names], [SKIPPED])
        return Arrangement(arranging, sort, limit, max(place[0], 0) if place else 0)

    return Depends(_Asked(arranging.names, None, ORDERS, arrangement))


def arranged_whole(arranging: Arranging) -> Any:
    """The dependency of a list in memory that is shown whole: the order that is asked for, or None."""
    choice: Any = Literal.__getitem__(tuple(arranging.names))

    async def order(sort: choice | None = Query(None, description=ORDERS)) -> Any:
        return sort

    return Depends(order)


def _place(text: str | None, sort: str | None, sorts: Sequence[str | None], keys: Sequence[Key]) -> tuple[Any, ...] | None:
    """The place of the last item seen, typed; None on the first page. Raises Invalid for a cursor that is not ours, or of another order."""
    if text is None:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(text.encode("ascii", "strict")))
        if not isinstance(values, list) or not values or values[0] not in sorts or unkeepable(values):
            raise ValueError("another list's cursor")
        if values[0] == sort:
            return tuple(key.read(value) for key, value in zip(keys, values[1:], strict=True))
    except (binascii.Error, ValueError, ValidationError, RecursionError, OverflowError):
        error = FieldError(field="cursor", message="use el `next` de la página anterior, sin cambiarlo")
        raise Invalid("El cursor no es de esta lista.", errors=[error]) from None
    error = FieldError(field="cursor", message=f"es de la lista con sort={values[0]}" if values[0] else "es de la lista sin `sort`")
    raise Invalid("El cursor es de otro orden.", errors=[error], remedy="Siga con el mismo `sort`, o empiece de nuevo sin cursor.")


def page(found: Sequence[Placed[S]], order: Order | Arrangement, *, show: Callable[[S], T]) -> Page[T]:
    """A page from up to `limit + 1` items in their places; `show` makes the API's item."""
    items = found[: order.limit]
    following = None
    if len(found) > order.limit:
        text = json.dumps([order.sort, *map(_written, items[-1].place)], ensure_ascii=False)
        following = base64.urlsafe_b64encode(text.encode()).decode()
    return Page(items=[show(each.item) for each in items], next=following)


def _written(value: Any) -> str | None:
    """A value of a place as the cursor has it."""
    return value.isoformat() if isinstance(value, date) else None if value is None else str(value)


def set_etag(response: Response, version: int) -> None:
    """Show the version that the response tells of."""
    response.headers["ETag"] = f'"{version}"'


async def _if_match(
    given: Annotated[str | None, Header(alias="If-Match", max_length=100, description="el ETag de lo que usted leyó; sin él, 428")] = None,
) -> int:
    if given is None:
        raise PreconditionRequired(
            "Diga qué versión leyó, para no pisar el cambio de otra persona.", remedy="Envíe If-Match con el ETag que recibió al leer."
        )
    text = given.strip().removeprefix("W/").strip('"')
    if not text.isdigit():
        raise Invalid("If-Match no es un ETag nuestro.", errors=[FieldError(field="If-Match", message='se espera por ejemplo "7"')])
    return int(text)


IfMatch = Annotated[int, Depends(_if_match)]  # the version that the caller has seen
