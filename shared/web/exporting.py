"""Lists as files: whatever a route lists, it also gives as CSV or XLSX, by `Accept` or by `?format=`.

The file has every page of the filter, each read by the route itself in a transaction of its own, so that permissions and filters are the
list's, memory holds one page, and no connection waits while a slow reader takes what is there.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from tempfile import TemporaryFile
from typing import IO, Annotated, Any, Literal, get_args, get_origin
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from shared.errors import FieldError, Invalid, Unavailable
from shared.web.columns import Cell, Column, cells, columns_of
from shared.web.paging import MAX_PAGE, Page
from shared.web.sheets import Sheet, csv_lines

CSV, XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMATS = {"json": "application/json", "csv": CSV, "xlsx": XLSX}
FILES = {CSV: {"schema": {"type": "string"}}, XLSX: {"schema": {"type": "string", "format": "binary"}}}
MOST_ROWS = 50_000  # of a spreadsheet: it is written whole before its first byte leaves
SPREADSHEETS_AT_ONCE = 2  # per process
MARK = "\ufeff"  # spreadsheets take a text for UTF-8 by this
CHUNK = 64 * 1024
_places = asyncio.Semaphore(SPREADSHEETS_AT_ONCE)
Read = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Listed:
    """What a route lists, and whether it does so in pages."""

    item: type[BaseModel]
    paged: bool

    @cached_property
    def columns(self) -> list[Column]:
        return columns_of(self.item)


def listed_by(endpoint: Callable[..., Any]) -> Listed | None:
    """What the endpoint lists, by what it says that it returns; None when that is no list of objects."""
    answer = signature(endpoint).return_annotation
    if get_origin(answer) is list:
        item, paged = get_args(answer)[0], False
    elif isinstance(answer, type) and issubclass(answer, Page):
        item, paged = get_args(answer.model_fields["items"].annotation)[0], True
    else:
        return None
    return Listed(item, paged) if isinstance(item, type) and issubclass(item, BaseModel) else None


def answers(given: Mapping[int | str, Any]) -> dict[int | str, Any]:
    """A list's answers for the OpenAPI document: what is given, and the files."""
    told = given.get(200, {})
    return {**given, 200: {"description": "La lista, o el archivo con toda ella", **told, "content": {**FILES, **told.get("content", {})}}}


async def known_format(
    format: Annotated[
        Literal["json", "csv", "xlsx"] | None,
        Query(description=f"csv: toda la lista, sin páginas; xlsx: igual, hasta {MOST_ROWS:,} filas. También por la cabecera Accept"),
    ] = None,
) -> None:
    """A dependency of every list, so that the parameter is known and described; `format_asked` reads it."""


def format_asked(request: Request) -> Literal["csv", "xlsx"] | None:
    """The file that is asked for: the parameter decides, and without one the first kind in `Accept` that we have. None for JSON."""
    asked = request.query_params.get("format")
    if asked is None:
        kinds = [each.split(";")[0].strip().lower() for each in request.headers.get("accept", "").split(",")]
        asked = next((name for kind in kinds for name, known in FORMATS.items() if kind == known), "json")
    return asked if asked in ("csv", "xlsx") else None  # type: ignore[return-value]


async def exported(request: Request, listed: Listed, read: Read, zone: ZoneInfo, name: str) -> Response:
    """The whole list as the file that is asked for. What the route refuses is refused before the first byte."""
    kind = format_asked(request)
    pages = _pages(request, listed, read, zone)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"', "Cache-Control": "no-store"}
    if kind == "csv":
        first = await anext(pages)
        return StreamingResponse(_lines(listed, first, pages), media_type=f"{CSV}; charset=utf-8", headers=headers)
    if _places.locked():
        raise Unavailable(f"Ya se preparan {SPREADSHEETS_AT_ONCE} hojas de cálculo.", remedy="Repita en unos segundos, o pida format=csv.")
    async with _places:
        file = await _spreadsheet(listed, pages)
    return StreamingResponse(_bytes(file), media_type=XLSX, headers=headers)


async def _pages(request: Request, listed: Listed, read: Read, zone: ZoneInfo) -> AsyncIterator[list[list[Cell]]]:
    """The rows of one page after the other."""
    cursor: str | None = None
    while True:
        found = json.loads(bytes((await _page(request, listed, read, cursor)).body))
        items: Sequence[Any] = found["items"] if listed.paged else found
        yield [cells(each, listed.columns, zone) for each in items]
        cursor = found.get("next") if listed.paged else None
        if cursor is None:
            return


async def _page(request: Request, listed: Listed, read: Read, cursor: str | None) -> Response:
    """What the route answers for one page, asked as the client asked for the file."""
    asked = [(name, value) for name, value in request.query_params.multi_items() if name not in {"format", "cursor", "limit"}]
    asked += [("limit", str(MAX_PAGE))] if listed.paged else []
    asked += [("cursor", cursor)] if cursor else []
    async with AsyncExitStack() as inner, AsyncExitStack() as function:
        stacks = {"fastapi_inner_astack": inner, "fastapi_function_astack": function}
        return await read(Request({**request.scope, "query_string": urlencode(asked).encode(), **stacks}, request.receive))


async def _lines(listed: Listed, first: list[list[Cell]], rest: AsyncIterator[list[list[Cell]]]) -> AsyncIterator[str]:
    yield MARK + csv_lines([[each.heading for each in listed.columns], *first])
    async for rows in rest:
        yield csv_lines(rows)


async def _spreadsheet(listed: Listed, pages: AsyncIterator[list[list[Cell]]]) -> IO[bytes]:
    """The list in a nameless file. Raises Invalid for more than MOST_ROWS."""
    file = TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    try:
        await _fill(file, listed, pages)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


async def _fill(file: IO[bytes], listed: Listed, pages: AsyncIterator[list[list[Cell]]]) -> None:
    sheet = Sheet(file, [each.heading for each in listed.columns])
    try:
        async for rows in pages:
            if sheet.rows + len(rows) > MOST_ROWS:
                error = FieldError(field="format", message=f"xlsx lleva a lo sumo {MOST_ROWS:,} filas")
                raise Invalid(
                    "La lista es demasiado larga para una hoja de cálculo.", errors=[error], remedy="Filtre más, o pida format=csv."
                )
            await asyncio.to_thread(sheet.add, rows)
    finally:
        await asyncio.to_thread(sheet.close)


async def _bytes(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
