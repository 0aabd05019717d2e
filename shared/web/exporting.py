"""Lists as files: whatever a route lists, it also gives as CSV or XLSX, by `Accept` or by `?format=`.

The file has every page of the filter, each read by the route itself in a transaction of its own, so that permissions and filters are the
list's, memory holds one page, and no connection waits while a slow reader takes what is there.

# Note [A file that breaks off]
When a later page cannot be read, the status has long been sent. The error goes on to the server, which closes the connection in the middle
of the chunks, without the last one: a client of HTTP/1.1 fails (curl with 18, a browser's download too), and no row says what is no data.
HTTP/1.0 has no chunks, so there an end looks like any other: such a client gets a file whose length was told before.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
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
from starlette.types import Receive, Scope, Send

from shared.discretion import told
from shared.errors import FieldError, Invalid, Unavailable
from shared.log import get_logger
from shared.web.columns import Cell, Column, cells, columns_of
from shared.web.paging import MAX_PAGE, Page
from shared.web.sheets import Sheet, csv_lines

log = get_logger("web")
CSV, XLSX = "text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMATS = {"json": "application/json", "csv": CSV, "xlsx": XLSX}
FILES = {CSV: {"schema": {"type": "string"}}, XLSX: {"schema": {"type": "string", "format": "binary"}}}
MOST_ROWS = 50_000  # of a spreadsheet: it is written whole before its first byte leaves
PREPARED_AT_ONCE = 2  # files that are written whole first, per process
MARK = "\ufeff"  # spreadsheets take a text for UTF-8 by this
CHUNK = 64 * 1024
ABOUT_THE_FILE = frozenset({"format", "cursor", "limit"})  # parameters that choose no rows
_places = asyncio.Semaphore(PREPARED_AT_ONCE)
Read = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Listed:
    """What a route lists, and whether it does so in pages."""

    item: type[BaseModel]
    paged: bool

    @cached_property
    def columns(self) -> list[Column]:
        return columns_of(self.item)

    @property
    def headings(self) -> list[str]:
        return [each.heading for each in self.columns]


@dataclass
class Given:
    """What of a list leaves as a file. `rows`: how many were handed over so far (None: that is not known yet); `whole`: all there are."""

    kind: str
    filters: Mapping[str, Sequence[str]]
    rows: int | None = None
    whole: bool = False

    def told(self) -> bytes:
        """As the audit trail keeps it."""
        state = "whole" if self.whole else "begun" if self.rows is None else "broken off"
        return json.dumps({"export": self.kind, "state": state, "rows": self.rows, "filters": self.filters}, ensure_ascii=False).encode()


Note = Callable[[Given], Awaitable[None]]


@dataclass(frozen=True)
class Export:
    """A file that is asked for: of what, how a page is read, whose zone its instants are in, its name, and who writes down that it left."""

    request: Request
    listed: Listed
    read: Read
    zone: ZoneInfo
    name: str
    note: Note


@dataclass(frozen=True)
class Part:
    """Rows of one page; `last`: none come after them."""

    rows: list[list[Cell]]
    last: bool


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
        Query(
            description=f"csv: toda la lista, sin páginas; xlsx: igual, hasta {MOST_ROWS:,} filas; los archivos piden además el permiso de "
            "exportar del servicio. También por la cabecera Accept"
        ),
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


async def exported(asked: Export) -> Response:
    """The whole list as the file that is asked for. What the route refuses is refused before the first byte, and no byte leaves before it
    is written down who gets it. A CSV is written down once more when it ends, unless its first page was all. See Note [A file that breaks
    off]."""
    kind = format_asked(asked.request)
    given = Given(str(kind), _filters(asked.request))
    if kind == "xlsx" or asked.request.scope.get("http_version") == "1.0":
        return await _prepared(asked, given, _spreadsheet if kind == "xlsx" else _text)
    parts = _parts(asked)
    first = await anext(parts)
    begins = MARK + csv_lines([asked.listed.headings, *first.rows])
    if first.last:
        given.rows, given.whole = len(first.rows), True
        await asked.note(given)
        return Response(begins, media_type=_media_type("csv"), headers=_headers(asked, "csv"))
    await asked.note(given)
    given.rows = 0
    return _Leaving(_lines(begins, len(first.rows), parts, given), asked, given)


class _Leaving(StreamingResponse):
    """A text on its way, of which more than the first page is to come. However it ends (whole, with an error, or because nobody takes any
    more of it), that is written down."""

    def __init__(self, content: AsyncIterator[str], asked: Export, given: Given) -> None:
        super().__init__(content, media_type=_media_type("csv"), headers=_headers(asked, "csv"))
        self._asked, self._given = asked, given

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            try:
                await self._asked.note(self._given)
            except Exception as error:  # noqa: BLE001 - its beginning is written down; what became of it is here
                log.error("export's end not written down", path=scope["path"], rows=self._given.rows, detail=told(error))


async def _prepared(asked: Export, given: Given, write: Callable[[IO[bytes], Export, Given], Awaitable[None]]) -> Response:
    """A file that is there, with its length, before its first byte leaves."""
    if _places.locked():
        raise Unavailable(f"Ya se preparan {PREPARED_AT_ONCE} archivos.", remedy="Repita en unos segundos, o pida format=csv.")
    file = TemporaryFile()  # noqa: SIM115 - whoever sends it closes it
    try:
        async with _places:
            await write(file, asked, given)
        given.whole = True
        await asked.note(given)
    except BaseException:
        file.close()
        raise
    length = file.seek(0, 2)
    file.seek(0)
    headers = {**_headers(asked, given.kind), "Content-Length": str(length)}
    return StreamingResponse(_bytes(file), media_type=_media_type(given.kind), headers=headers)


def _headers(asked: Export, kind: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{asked.name}.{kind}"', "Cache-Control": "no-store"}


def _media_type(kind: str) -> str:
    return f"{CSV}; charset=utf-8" if kind == "csv" else XLSX


def _filters(request: Request) -> dict[str, list[str]]:
    """What chose the rows."""
    names = dict.fromkeys(name for name in request.query_params if name not in ABOUT_THE_FILE)
    return {name: request.query_params.getlist(name) for name in names}


async def _parts(asked: Export) -> AsyncIterator[Part]:
    """The rows of one page after the other."""
    listed, cursor = asked.listed, None
    while True:
        found = json.loads(bytes((await _page(asked, cursor)).body))
        items: Sequence[Any] = found["items"] if listed.paged else found
        cursor = found.get("next") if listed.paged else None
        yield Part([cells(each, listed.columns, asked.zone) for each in items], cursor is None)
        if cursor is None:
            return


async def _page(asked: Export, cursor: str | None) -> Response:
    """What the route answers for one page, asked as the client asked for the file."""
    request = asked.request
    query = [(name, value) for name, value in request.query_params.multi_items() if name not in ABOUT_THE_FILE]
    query += [("limit", str(MAX_PAGE))] if asked.listed.paged else []
    query += [("cursor", cursor)] if cursor else []
    async with AsyncExitStack() as inner, AsyncExitStack() as function:
        stacks = {"fastapi_inner_astack": inner, "fastapi_function_astack": function}
        return await asked.read(Request({**request.scope, "query_string": urlencode(query).encode(), **stacks}, request.receive))


async def _lines(begins: str, rows: int, rest: AsyncIterator[Part], given: Given) -> AsyncIterator[str]:
    """The text, and beside it how much of it was handed over."""
    yield begins
    given.rows = rows
    async for part in rest:
        yield csv_lines(part.rows)
        given.rows += len(part.rows)
    given.whole = True


async def _text(file: IO[bytes], asked: Export, given: Given) -> None:
    """The list as CSV."""

    def write(rows: Iterable[Sequence[Cell]], begins: str = "") -> None:
        file.write((begins + csv_lines(rows)).encode())

    write([asked.listed.headings], MARK)
    given.rows = 0
    async for part in _parts(asked):
        await asyncio.to_thread(write, part.rows)
        given.rows += len(part.rows)


async def _spreadsheet(file: IO[bytes], asked: Export, given: Given) -> None:
    """The list as XLSX. Raises Invalid for more than MOST_ROWS."""
    sheet = Sheet(file, asked.listed.headings)
    try:
        async for part in _parts(asked):
            if sheet.rows + len(part.rows) > MOST_ROWS:
                error = FieldError(field="format", message=f"xlsx lleva a lo sumo {MOST_ROWS:,} filas")
                raise Invalid(
                    "La lista es demasiado larga para una hoja de cálculo.", errors=[error], remedy="Filtre más, o pida format=csv."
                )
            await asyncio.to_thread(sheet.add, part.rows)
        given.rows = sheet.rows
    finally:
        await asyncio.to_thread(sheet.close)


async def _bytes(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
