"""Lists in pages that do not shift while people read them, versions that two people cannot overwrite, and strict inputs."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator

from shared.errors import FieldError, Invalid, PreconditionRequired, Stale

T = TypeVar("T")
S = TypeVar("S")
MAX_PAGE = 200


class Input(BaseModel):
    """Base of every request body: a field that we do not know is a mistake, and so is text that no database keeps."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @field_validator("*", mode="after")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        if holds_nul(value):
            raise ValueError("contiene un carácter nulo, que no se puede guardar")
        return value


def holds_nul(value: Any) -> bool:
    """Is there a NUL in this text, or in any text of this list or object? PostgreSQL keeps none."""
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(holds_nul(each) for pair in value.items() for each in pair)
    return isinstance(value, list) and any(holds_nul(each) for each in value)


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
            if not isinstance(values, list) or len(values) != len(kinds) or holds_nul(values):
                raise ValueError("another list's cursor")
            return tuple(TypeAdapter(kind).validate_python(value) for kind, value in zip(kinds, values, strict=True))
        except (binascii.Error, ValueError, ValidationError):
            error = FieldError(field="cursor", message="use el `next` de la página anterior, sin cambiarlo")
            raise Invalid("El cursor no es de esta lista.", errors=[error]) from None


def _cursor(
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


def _if_match(request: Request) -> int:
    given = request.headers.get("if-match")
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
