"""Lists in pages that do not shift while people read them, versions that two people cannot overwrite, and strict inputs."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Header, Query, Response
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator

from shared.errors import FieldError, Invalid, PreconditionRequired, Stale

T = TypeVar("T")
S = TypeVar("S")
MAX_PAGE = 200
MAX_NUMBER = 2**62  # no row is numbered so high
MAX_DEPTH, MAX_TEXT = 12, 10_000  # of whatever a body holds; most fields allow less


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


@dataclass(frozen=True)
class CursorAt:
    """Where a page begins and how long it may be. Ask the database for `limit + 1` rows."""

    limit: int
    text: str | None

    def after(self, *kinds: Any) -> tuple[Any, ...] | None:
        """The sort key of the last item seen, typed; None on the first page. Raises Invalid for a cursor that is not ours."""
        if self.text is None:
            return None
        try:
            values = json.loads(base64.urlsafe_b64decode(self.text.encode("ascii", "strict")))
            if not isinstance(values, list) or len(values) != len(kinds) or unkeepable(values):
                raise ValueError("another list's cursor")
            found = tuple(TypeAdapter(kind).validate_python(value) for kind, value in zip(kinds, values, strict=True))
            if any(isinstance(each, int) and abs(each) > MAX_NUMBER for each in found):
                raise ValueError("no row has such a number")
            return found
        except (binascii.Error, ValueError, ValidationError, RecursionError):
            error = FieldError(field="cursor", message="use el `next` de la página anterior, sin cambiarlo")
            raise Invalid("El cursor no es de esta lista.", errors=[error]) from None


async def _cursor(
    cursor: Annotated[str | None, Query(description="`next` de la página anterior", max_length=1000)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="cuántos por página")] = 50,
) -> CursorAt:
    return CursorAt(limit, cursor)


Cursor = Annotated[CursorAt, Depends(_cursor)]


def page(found: Sequence[S], cursor: CursorAt, *, key: Callable[[S], Sequence[Any]], show: Callable[[S], T]) -> Page[T]:
    """A page from up to `limit + 1` rows: `key` is the sort key that the query orders by, `show` makes the API's item."""
    items = found[: cursor.limit]
    following = None
    if len(found) > cursor.limit:
        text = json.dumps([str(part) if part is not None else None for part in key(items[-1])], ensure_ascii=False)
        following = base64.urlsafe_b64encode(text.encode()).decode()
    return Page(items=[show(each) for each in items], next=following)


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


def expect_version(actual: int, seen: int) -> None:
    """Raise Stale unless the caller has seen the version that there is."""
    if actual != seen:
        raise Stale(
            f"Usted leyó la versión {seen} y ya está la {actual}.", remedy="Léalo de nuevo y repita el cambio si todavía corresponde."
        )
