"""Nothing that comes in is without a limit: bodies, pages, texts, nesting, files; and who sends slowly holds nothing that others need."""

import asyncio
import base64
import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.billing.operations.imports import MOST_WAITING
from services.collections.api.dossiers import LIMIT as LARGEST_DOSSIER
from services.conductor import ClockMove
from services.serving import listen, serving
from shared.db import Database, new_id
from shared.simulation import ClockSetting
from shared.web import Input, bodies
from shared.web.bodies import BODY_LIMIT
from shared.web.commands import UPLOADS_AT_ONCE
from shared.web.paging import MAX_DEPTH, MAX_PAGE, MAX_TEXT
from tests.security.doors import MULTIPART, Door, doors, orders_of, whole_house
from tests.support.service import client_of, token

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
SAFE_FORMATS = {"uuid", "date", "date-time", "time", "duration", "binary"}
LARGEST_FILE = {"/collections/dossiers/verify": LARGEST_DOSSIER}
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()"


@pytest.fixture
async def house(databases: dict[str, str], tmp_path: Path) -> AsyncIterator[FastAPI]:
    async with whole_house(databases, START, data_folder=tmp_path, upload_limit=64 * 1024, document_limit=BODY_LIMIT) as app:
        yield app


@pytest.fixture
async def admin(house: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house, "admin") as client:
        yield client


def inputs(of: type[Input] = Input) -> Iterator[type[Input]]:
    for each in of.__subclasses__():
        if each.__module__.startswith(("services.", "shared.")):
            yield each
        yield from inputs(each)


def unbounded(schema: dict[str, Any], path: str) -> Iterator[str]:
    """The places of a schema that could be as long as somebody likes. What is of any type is bounded by `Input` itself."""
    for each in [each for kind in ("anyOf", "oneOf", "allOf") for each in schema.get(kind, [])]:
        yield from unbounded(each, path)
    kind = schema.get("type")
    if kind == "string" and not ({"maxLength", "enum", "const"} & set(schema) or schema.get("format") in SAFE_FORMATS):
        pattern = re.sub(r"\\.|\[[^]]*\]", "x", schema.get("pattern", ""))
        if not (pattern.startswith("^") and pattern.endswith("$")) or re.search(r"[*+]|,\}", pattern):
            yield path
    if kind == "array":
        if "maxItems" not in schema:
            yield f"{path}[]"
        yield from unbounded(schema.get("items", {}), f"{path}[]")
    for name, each in schema.get("properties", {}).items():
        yield from unbounded(each, f"{path}.{name}")
    more = schema.get("additionalProperties")
    if kind == "object" and more not in (None, False) and "maxProperties" not in schema:
        yield f"{path}{{}}"
    if isinstance(more, dict):
        yield from unbounded(more, f"{path}{{}}")


def test_every_text_and_every_list_of_every_input_has_an_end() -> None:
    found = sorted(set(inputs()), key=lambda each: each.__name__)
    assert len(found) > 20
    assert [place for each in found for place in unbounded(each.model_json_schema(), each.__name__)] == []
    assert [place for each in (ClockMove, ClockSetting) for place in unbounded(each.model_json_schema(), each.__name__)] == []


def test_the_look_for_ends_finds_what_has_none() -> None:
    class Open(Input):
        text: str
        texts: list[str]
        named: dict[str, str]

    assert set(unbounded(Open.model_json_schema(), "Open")) == {"Open.text", "Open.texts[]", "Open.named{}"}


async def test_every_parameter_has_an_end_and_no_page_is_longer_than_told(house: FastAPI, admin: httpx.AsyncClient) -> None:
    open_ended, pages = [], 0
    for door in doors(house):
        for each in (door.operation or {}).get("parameters", []):
            if each["in"] != "header":
                open_ended += [f"{door.name} {place}" for place in unbounded(each["schema"], each["name"])]
            if each["name"] == "limit":
                pages += 1
                assert (await admin.get(door.filled(), params={"limit": MAX_PAGE + 1})).status_code == 422, door.name
                assert (await admin.get(door.filled(), params={"limit": MAX_PAGE})).status_code in {200, 404}, door.name
    assert open_ended == []
    assert pages > 10


def writes(house: FastAPI) -> list[Door]:
    return [each for each in doors(house) if each.method != "GET"]


async def test_a_body_beyond_the_limit_is_refused_by_every_route(house: FastAPI, admin: httpx.AsyncClient) -> None:
    large = b'{"x": "' + b"x" * BODY_LIMIT + b'"}'
    for door in writes(house):
        request = door.request()
        if "files" in request:
            request["files"] = {"file": ("book.csv", b"x" * 80_000)}
        elif "content" in request:  # a file is all of the body, and has its own limit
            request["content"] = b"x" * (LARGEST_FILE.get(door.path, BODY_LIMIT) + 1)
        else:
            request = {"method": door.method, "url": request["url"], "content": large}
            request["headers"] = {"content-type": "application/json", "if-match": '"1"'}
        answer = await admin.request(**request)
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json"), door.name
        assert "x" * 20 not in answer.text


async def test_a_body_without_a_length_is_counted(house: FastAPI, admin: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * (BODY_LIMIT // 10)

    for door in writes(house):
        if not {"files", "content"} & door.request().keys():
            answer = await admin.request(door.method, door.filled(), content=chunks(), headers={"content-type": "application/json"})
            assert answer.status_code == 413, door.name


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 600, 5_000])
async def test_deep_nesting_is_refused_wherever_it_stands(house: FastAPI, admin: httpx.AsyncClient, depth: int) -> None:
    for door in writes(house):
        request = door.request()
        if "json" not in request:
            continue
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            deep = opening * depth + "1" + closing * depth
            bodies = [deep] + [json.dumps({**request["json"], name: "@"}).replace('"@"', deep) for name in request["json"]]
            for body in bodies:
                headers = {"content-type": "application/json", "if-match": '"1"'}
                answer = await admin.request(door.method, request["url"], content=body[:BODY_LIMIT], headers=headers)
                assert answer.status_code in {400, 422}, (door.name, answer.text[:300])


async def test_long_texts_in_what_is_of_any_type(admin: httpx.AsyncClient) -> None:
    url = f"/ticketing/tickets/{new_id()}/steps/confirmar/finish"
    for value in ("x" * (MAX_TEXT + 1), ["x" * (MAX_TEXT + 1)], {"x" * (MAX_TEXT + 1): 1}):
        answer = await admin.post(url, json={"outcome": "done", "captured": {"a": value}}, headers={"if-match": '"1"'})
        assert answer.status_code == 422


async def test_a_cursor_of_somebody_s_own_making(house: FastAPI, admin: httpx.AsyncClient) -> None:
    """Whatever it holds, it is refused or leads to an empty page."""
    texts = ["[" * 375 + "]" * 375, '["' + "9" * 700 + '"]', "[1e400, 2]", '["\\u0000"]', "[]", "{}", "7"]
    for values in itertools.product([2**40, 2**63, "x", str(new_id()), "9999-12-31T23:59:59+23:59", None], repeat=2):
        texts += [json.dumps(values[:1]), json.dumps(values), json.dumps([values[0], *values])]
    for first, second in itertools.product(["1E+999999", "0001-01-01T00:00:00+14:00", "\ud800", True], [str(new_id()), 1]):
        texts += [json.dumps([first, second]), json.dumps([first, first, second])]
    lists = [each for each in doors(house) if "cursor" in {parameter["name"] for parameter in (each.operation or {}).get("parameters", [])}]
    for number, (door, text) in enumerate(itertools.product(lists, dict.fromkeys(texts))):
        orders = orders_of(door)
        sort = orders[number % len(orders)]
        place = f'["{sort}", {text[1:]}' if text.startswith("[") and len(text) > 2 and number % 9 else text
        cursor = base64.urlsafe_b64encode(place.encode()).decode()[:1000]
        answer = await admin.get(door.filled(), params={"cursor": cursor, "sort": sort})
        assert answer.status_code in {200, 404, 422}, (door.name, place, answer.text)


async def test_files_wait_in_a_line_that_has_an_end(admin: httpx.AsyncClient) -> None:
    async def send() -> httpx.Response:
        return await admin.post("/billing/imports", files={"file": ("b.csv", b"a;b\n")}, data={"mapping": "clientes"})

    for _ in range(MOST_WAITING):
        assert (await send()).status_code == 202
    refused = await send()
    assert (refused.status_code, refused.json()["title"]) == (409, "No es posible en el estado actual")


async def test_an_upload_of_many_parts(admin: httpx.AsyncClient) -> None:
    boundary = "b"
    part = '--b\r\nContent-Disposition: form-data; name="p{0}"\r\n\r\n' + "x" * 200_000 + "\r\n"
    body = "".join(part.format(number) for number in range(12)) + "--b--\r\n"
    answer = await admin.post("/billing/imports", content=body, headers={"content-type": f"{MULTIPART}; boundary={boundary}"})
    assert answer.status_code in {413, 422}, answer.text


async def test_who_sends_slowly_holds_no_connection_and_is_sent_away(
    databases: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far more slow clients than the pool has connections; everybody else is served as if they were not there."""
    monkeypatch.setattr(bodies, "BODY_SECONDS", 1.5)
    monkeypatch.setattr(bodies, "SLOWEST", 1e9)
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(whole_house(databases, START, data_folder=tmp_path))
        on = stack.enter_context(listen("127.0.0.1", 0))
        await stack.enter_async_context(serving(app, on))
        port = on.getsockname()[1]
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
        for number, (_, writer) in enumerate(slow):
            stack.callback(writer.close)
            path, kind = (
                ("/billing/imports", f"{MULTIPART}; boundary=b") if number < UPLOADS_AT_ONCE else ("/billing/payments", "application/json")
            )
            head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token('admin')}\r\nidempotency-key: {number}\r\n"
            writer.write(f"{head}content-type: {kind}\r\ncontent-length: 5000\r\n\r\n--b\r\n".encode())
            await writer.drain()
        await asyncio.sleep(0.3)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=5) as client:
            headers = {"authorization": f"Bearer {token('admin')}", "idempotency-key": str(new_id())}
            assert await busy(databases["billing"]) == 0
            assert (await client.get("/billing/customers", headers=headers)).status_code == 200
            assert (await client.post("/billing/payments/" + str(new_id()) + "/confirm", headers=headers)).status_code == 404
            files = {"file": ("b.csv", b"a;b\n")}
            full = await client.post("/billing/imports", files=files, data={"mapping": "clientes"}, headers=headers)
            assert full.status_code == 503, "the places of uploads are taken"
            answers = [await asyncio.wait_for(reader.read(), 10) for reader, _ in slow]
            assert {each.split(b" ", 2)[1] for each in answers} == {b"408"}
            again = await client.post("/billing/imports", files=files, data={"mapping": "clientes"}, headers=headers)
            assert again.status_code == 202, "and free again"
    assert list((tmp_path / "imports").glob("*.csv")) != []


async def busy(url: str) -> int:
    database = Database(url, service="billing", pool_size=1)
    try:
        async with database.transaction() as session:
            connection = await session.connection()
            return int((await connection.exec_driver_sql(BUSY)).scalar_one())
    finally:
        await database.close()
