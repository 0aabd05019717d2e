"""Lists as files: every list of the house can be had as CSV and XLSX, whole, with numbers that are numbers and text that stays text."""

import asyncio
import contextlib
import csv
import io
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import openpyxl
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from services.serving import listen, serving
from services.wiring import SERVICES
from shared.service import Service
from shared.web import CommandRoute, exporting
from shared.web.columns import cells, columns_of, inside, kinds_of
from shared.web.dead_letters import dead_letter_router
from shared.web.exporting import CSV, XLSX, Listed
from shared.web.headings import WORDS
from shared.web.paging import MAX_PAGE
from shared.web.sheets import csv_lines
from shared.web.values import spoken
from tests.collections.api_scene import OpenDatabase, Scene, registered, scene
from tests.security.doors import lists, whole_house
from tests.security.test_matrix import COMPANY
from tests.support.service import operator, token

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
HOSTILE = ['=HYPERLINK("http://evil.example")', "+1", "-1+1|cmd", "@SUM(A1)", "\tx", "\rx"]


@pytest.fixture
async def house(databases: dict[str, str]) -> AsyncIterator[FastAPI]:
    async with whole_house(databases, START) as app:
        yield app


async def test_every_list_of_the_house_can_be_exported(house: FastAPI) -> None:
    found = lists(house)
    assert len(found) > 40
    bearer = token("alguien", [each["code"] for each in COMPANY["desks"]])
    wrong = {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url="http://reconecta", timeout=60) as client:
        for door in found:
            assert {CSV, XLSX} <= set((door.operation or {})["responses"]["200"]["content"]), door.name
            request: dict[str, Any] = door.request()
            request["headers"]["authorization"] = f"Bearer {bearer}"
            plain = await client.request(**request)
            for kind, by_name in ((CSV, "csv"), (XLSX, "xlsx")):
                by_parameter = await client.request(**(request | {"params": request["params"] | {"format": by_name}}))
                by_header = await client.request(**(request | {"headers": request["headers"] | {"accept": kind}}))
                for answer in (by_parameter, by_header):
                    told = answer.headers["content-type"].split(";")[0]
                    if (answer.status_code, told) != (plain.status_code, kind if plain.is_success else "application/problem+json"):
                        wrong[f"{door.name} as {by_name}"] = (plain.status_code, answer.status_code, told)
    assert wrong == {}


async def test_a_file_holds_all_pages_and_nothing_of_it_is_a_formula(database: OpenDatabase) -> None:
    """Names that spreadsheets would take for formulas; amounts that they must take for numbers."""
    async with scene(database) as told:
        events = [registered(f"C-{n:03}", name=f"Cliente {n:03}") for n in range(201)]
        events += [registered(f"X-{n}", name=name) for n, name in enumerate(HOSTILE)]
        await told.served.deliver(*events)
        await told.served.work()
        await told.invoice(events[0].customer_id, "1234.50")
        answer = await told.served.as_("marta.zelaya").get("/customers?format=csv")
        assert answer.headers["content-disposition"] == 'attachment; filename="customers-2026-03-01.csv"'
        table = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))
        kept = {each["Código externo"]: each for each in table}
        assert sorted(kept) == sorted(each.external_id for each in events)
        assert [kept[f"X-{n}"]["Nombre"][0] for n, name in enumerate(HOSTILE) if name[0] in "=+-@"] == ["'"] * 4
        assert (kept["C-000"]["Adeudado: monto"], kept["C-000"]["Adeudado: moneda"]) == ("1234.50", "USD")
        assert "Adeudado: texto" not in kept["C-000"], "that is for people who see no columns"

        answer = await told.served.as_("marta.zelaya").get("/customers", headers={"accept": XLSX})
        rows = list(openpyxl.load_workbook(io.BytesIO(answer.content)).active.rows)  # type: ignore[union-attr]
        names = [cell.value for cell in rows[0]]
        at = {str(row[names.index("Código externo")].value): row for row in rows[1:]}
        assert sorted(at) == sorted(kept)
        assert {cell.data_type for row in rows for cell in row} <= {"s", "n"}, "a formula would be an f"
        assert at["X-0"][names.index("Nombre")].value == HOSTILE[0]
        assert float(at["C-000"][names.index("Adeudado: monto")].value) == 1234.5


async def test_instants_are_the_operators_and_filters_and_permissions_the_lists(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        table = (await told.served.as_("marta.zelaya").get("/vip-lists?format=csv")).text
        assert " 07:00:00" in table, "as the clock on the wall says"
        mine = await told.served.as_("marta.zelaya").get("/customers?external_id=C-2&format=csv")
        assert mine.is_success and str(customer) not in mine.text
        refused = await told.served.as_("alguien", []).get("/customers?format=csv")
        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
        unknown = await told.served.as_("marta.zelaya").get("/customers?format=pdf")
        assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "format")


async def test_a_spreadsheet_has_an_end_that_is_said(database: OpenDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "MOST_ROWS", 2)
    async with scene(database) as told:
        await told.served.deliver(*(registered(f"C-{n}") for n in range(3)))
        await told.served.work()
        refused = await told.served.as_("marta.zelaya").get("/customers?format=xlsx")
        assert (refused.status_code, "format=csv" in refused.json()["remedy"]) == (422, True)
        assert (await told.served.as_("marta.zelaya").get("/customers?format=csv")).is_success


def test_text_that_begins_like_a_formula_stays_text_in_csv() -> None:
    read = csv.reader(io.StringIO(csv_lines([[*HOSTILE, "\nx", "a=b"]]), newline=""))
    assert next(read) == [*(f"'{each}" for each in [*HOSTILE, "\nx"]), "a=b"]
    instant = datetime(2026, 3, 1, 6, tzinfo=UTC).astimezone(operator().zone) + timedelta(seconds=1)
    assert csv_lines([[instant, None, True]]) == "2026-03-01 00:00:01,,sí\r\n"


def test_what_is_told_in_one_cell_is_spanish_and_local() -> None:
    class Mail(BaseModel):
        sent_at: datetime
        recipients: list[str]
        amount: dict[str, str]
        allowed: bool

    class Row(BaseModel):
        mails: list[Mail]

    mail = {
        "sent_at": "2026-03-01T06:00:00Z",
        "recipients": ["a", "b"],
        "amount": {"amount": "460.00", "currency": "USD"},
        "allowed": True,
    }
    [told] = cells({"mails": [mail]}, columns_of(Row), operator().zone)
    assert told == "enviado el: 2026-03-01 00:00, destinatarios: a; b, monto: 460.00 USD, permitido: sí"


# ---- who may, and what is written down ---------------------------------------------------------------------------------------

TRAIL = "SELECT person, method, path, status, body AS told, trace_id FROM audit_entry WHERE method = 'GET' ORDER BY id"


async def trail(told: Scene) -> list[Any]:
    return [(each, json.loads(each.told)) for each in await told.served.sql(TRAIL)]


async def test_who_reads_a_list_may_not_take_it_along_for_that(database: OpenDatabase) -> None:
    async with scene(database) as told:
        ana = told.served.as_("ana.martinez")
        assert (await ana.get("/customers")).is_success
        for asked in ({"params": {"format": "csv"}}, {"params": {"format": "xlsx"}}, {"headers": {"accept": CSV}}):
            refused = await ana.get("/customers", **asked)  # type: ignore[arg-type]
            assert refused.status_code == 403
            assert "no puede llevarse listas de cobros como archivo" in refused.json()["detail"]
            assert "Gerente de Cobros y Créditos" in refused.json()["remedy"]
        only = await told.served.as_("ines.reyes").get("/customers?format=csv")
        assert only.status_code == 403, "who may take lists along of another service sees none of this one"
        assert await trail(told) == []


async def test_every_export_is_written_down_with_its_filters_and_rows(database: OpenDatabase) -> None:
    async with scene(database) as told:
        await told.served.deliver(*(registered(f"C-{n}") for n in range(3)))
        await told.served.work()
        marta = told.served.as_("marta.zelaya")
        csv_answer = await marta.get("/customers?format=csv&q=Cliente&limit=1")
        await marta.get("/customers?external_id=C-1", headers={"accept": XLSX})
        [(first, of_csv), (_, of_xlsx)] = await trail(told)
        shown = (await marta.get("/audit-entries?method=GET&path=/customers&person=marta.zelaya")).json()["items"]
    assert (first.person, first.method, first.path, first.status) == ("marta.zelaya", "GET", "/customers", 200)
    assert first.trace_id == csv_answer.headers["trace-id"]
    assert [json.loads(each["body"]) for each in shown] == [of_xlsx, of_csv], "the latest first"
    assert of_csv == {"export": "csv", "state": "whole", "rows": 3, "filters": {"q": ["Cliente"]}}
    assert of_xlsx == {"export": "xlsx", "state": "whole", "rows": 1, "filters": {"external_id": ["C-1"]}}


@pytest.fixture
async def long_list(database: OpenDatabase) -> AsyncIterator[Scene]:
    """Two pages and a row of customers."""
    async with scene(database) as told:
        await told.served.deliver(*(registered(f"C-{n:03}", name=f"Cliente {n:03}") for n in range(2 * MAX_PAGE + 1)))
        await told.served.work()
        yield told


POISON = "UPDATE account SET status = 'nadie' WHERE external_id = 'C-300' RETURNING 1"


async def test_a_long_csv_is_written_down_when_it_begins_and_when_it_ends(long_list: Scene) -> None:
    answer = await long_list.served.as_("marta.zelaya").get("/customers?format=csv")
    found = [each for _, each in await trail(long_list)]
    assert len(answer.text.splitlines()) == 2 * MAX_PAGE + 2
    assert [(each["state"], each["rows"]) for each in found] == [("begun", None), ("whole", 2 * MAX_PAGE + 1)]


async def test_a_csv_that_breaks_off_is_an_error_for_whoever_reads_it(long_list: Scene) -> None:
    """What the client sees is no end of a file, and what left is written down."""
    await long_list.served.sql(POISON)
    async with running(long_list) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            await client.get("/customers?format=csv")
        text = await _as_far_as_it_came(client)
        assert len(text.splitlines()) == MAX_PAGE + 1, "whole rows, and no row that is none"
        refused = await client.get("/customers?format=xlsx")
    found = [(each["state"], each["rows"]) for _, each in await trail(long_list)]
    assert found == [("begun", None), ("broken off", MAX_PAGE)] * 2, "and of the spreadsheet nothing left"
    assert refused.status_code == 500


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
async def test_curl_fails_on_a_csv_that_breaks_off(long_list: Scene) -> None:
    await long_list.served.sql(POISON)
    async with running(long_list) as client:
        command = [
            "curl",
            "--silent",
            "--fail",
            "-H",
            f"Authorization: {client.headers['authorization']}",
            f"{client.base_url}/customers?format=csv",
        ]
        curl = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await curl.communicate()
    assert curl.returncode == 18, "CURLE_PARTIAL_FILE"
    assert len(out.decode().splitlines()) == MAX_PAGE + 1


async def test_who_speaks_http_1_0_gets_a_length_or_a_refusal(long_list: Scene) -> None:
    """There an end of the connection is an end of the file."""
    async with running(long_list) as client:
        whole = await _by_http_1_0(client)
        await long_list.served.sql(POISON)
        refused = await _by_http_1_0(client)
    head, _, body = whole.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower() and len(body.splitlines()) == 2 * MAX_PAGE + 2
    assert b" 500 " in refused.splitlines()[0] and b"problem+json" in refused
    assert [(each["state"], each["rows"]) for _, each in await trail(long_list)] == [("whole", 2 * MAX_PAGE + 1)]


async def test_who_goes_away_has_had_what_was_handed_over(long_list: Scene) -> None:
    gone = asyncio.Event()
    asked = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if asked:
            return asked.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and sent.append(len(message["body"])) is None and len(sent) == 2:  # type: ignore[func-returns-value]
            gone.set()
            await asyncio.Event().wait()  # nobody reads any more

    sent: list[int] = []
    bearer = long_list.served.as_("marta.zelaya").headers["authorization"].encode()
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/customers", "raw_path": b"/customers", "query_string": b"format=csv", "root_path": "",
        "headers": [(b"authorization", bearer), (b"host", b"reconecta")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    async with asyncio.timeout(30):
        await long_list.served.app(scope, receive, send)
    assert [(each["state"], each["rows"]) for _, each in await trail(long_list)] == [("begun", None), ("broken off", MAX_PAGE)]


@asynccontextmanager
async def running(told: Scene) -> AsyncIterator[httpx.AsyncClient]:
    """The service behind a real server, and a client of the manager."""
    on = listen("127.0.0.1", 0)
    bearer = told.served.as_("marta.zelaya").headers["authorization"]
    async with serving(told.served.app, on):
        url = f"http://127.0.0.1:{on.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, headers={"authorization": bearer}, timeout=60, trust_env=False) as client:
            yield client


async def _as_far_as_it_came(client: httpx.AsyncClient) -> str:
    parts = []
    async with client.stream("GET", "/customers?format=csv") as answer:
        assert (answer.status_code, "content-length" in answer.headers) == (200, False)
        with contextlib.suppress(httpx.RemoteProtocolError):
            async for part in answer.aiter_text():
                parts.append(part)
    return "".join(parts)


async def _by_http_1_0(client: httpx.AsyncClient) -> bytes:
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(f"GET /customers?format=csv HTTP/1.0\r\nAuthorization: {client.headers['authorization']}\r\n\r\n".encode())
    found = await reader.read()
    writer.close()
    await writer.wait_closed()
    return found


def test_no_list_has_a_name_or_a_value_of_ours_without_its_word() -> None:
    """Also in what is told inside a cell."""
    missing = {each for service in SERVICES for listed in lists_of(service) for each in _wordless(listed.item, listed.item.__name__)}
    assert missing == set()
    twice = {
        listed.item.__name__ for service in SERVICES for listed in lists_of(service) if len(set(listed.headings)) < len(listed.headings)
    }
    assert twice == set(), "two columns of one name"


def lists_of(service: Service) -> Iterator[Listed]:
    routers = (*service.routers, dead_letter_router())
    routes = [route for router in routers for route in router.routes if isinstance(route, CommandRoute)]
    yield from (route.listed for route in routes if route.listed is not None)


def _wordless(model: type[BaseModel], where: str) -> Iterator[str]:
    for name, kind in kinds_of(model).items():
        held = inside(kind.type)
        if name not in WORDS:
            yield f"{where}.{name}"
        yield from (f"{where}.{name}: {each}" for each in spoken(held) - set(kind.words))
        if isinstance(held, type) and issubclass(held, BaseModel):
            yield from _wordless(held, f"{where}.{name}")
