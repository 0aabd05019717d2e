"""The timeline live, on a real server: what happens comes at once, who comes back misses nothing, and nobody waits with a connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from services.collections.api import timeline
from services.serving import listen, serving
from shared.clock import machine_now
from shared.revocation import revoke
from tests.collections.api_scene import OpenDatabase, Scene, local, scene
from tests.support.service import token


@asynccontextmanager
async def address(told: Scene) -> AsyncIterator[httpx.AsyncClient]:
    """The service on a port of its own, as Ana sees it."""
    with listen("127.0.0.1", 0) as socket:
        async with serving(told.served.app, socket):
            base = f"http://127.0.0.1:{socket.getsockname()[1]}"
            headers = {"authorization": f"Bearer {token('ana.martinez')}"}
            async with httpx.AsyncClient(base_url=base, headers=headers, timeout=20) as client:
                yield client


@asynccontextmanager
async def watching(client: httpx.AsyncClient, customer: object, last: object = None) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """The events of a stream, read as a browser would; comments are events of kind `comment`."""
    headers = {"last-event-id": str(last)} if last is not None else {}
    async with client.stream("GET", f"/customers/{customer}/timeline/live", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _events(response)


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    async for line in response.aiter_lines():
        if line.startswith(":"):
            yield {"event": "comment"}
        elif line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif "data" in event:
            yield {"event": event["event"], "id": int(event["id"]), **json.loads(event["data"])}
            event = {}


async def next_of(events: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    async with asyncio.timeout(10):
        return await anext(events)


async def test_what_happens_comes_at_once_and_who_comes_back_misses_nothing(database: OpenDatabase) -> None:
    async with scene(database) as told, address(told) as client:
        customer, other = await told.vip("C-1"), await told.vip("C-2")
        async with watching(client, customer) as events:
            await told.invoice(other)
            await told.invoice(customer)
            first = await next_of(events)
            assert (first["event"], first["kind"], first["number"]) == ("happening", "invoice", first["id"])
            await told.reported(customer)
            second = await next_of(events)
            assert (second["kind"], second["id"] > first["id"]) == ("payment_reported", True)
        await told.served.at(local("2026-03-10 08:00"))
        contact = {"kind": "follow_up", "channel": "teléfono", "said": "Ya pagó."}
        assert (await told.served.as_("ana.martinez").post(f"/customers/{customer}/contacts", json=contact)).status_code == 201
        async with watching(client, customer, last=first["id"]) as events:
            again = [await next_of(events), await next_of(events)]
            assert [each["kind"] for each in again] == ["payment_reported", "follow_up"]
            page = (await told.get(f"/customers/{customer}/timeline"))["items"]
            assert [{name: each[name] for name in page[0]} for each in again] == page[-2:]


async def test_nobody_waits_with_a_connection_and_the_line_says_that_it_is_alive(
    database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "HEARTBEAT_SECONDS", 0.2)
    async with scene(database) as told, address(told) as client:
        customer = await told.vip()
        async with watching(client, customer) as events:
            assert (await next_of(events))["event"] == "comment"
            pool: Any = told.served.runtime.database.engine.pool
            assert pool.checkedout() == 0


async def test_no_more_streams_than_the_settings_say_and_each_gives_its_place_back(database: OpenDatabase) -> None:
    async with scene(database, streams_limit=1) as told, address(told) as client:
        customer = await told.vip()
        async with watching(client, customer):
            refused = await client.get(f"/customers/{customer}/timeline/live")
            assert refused.status_code == 503 and "en vivo" in refused.json()["detail"]
        async with asyncio.timeout(10):
            while (await told.served.as_("ana.martinez").get("/health/live")).status_code == 200:
                async with client.stream("GET", f"/customers/{customer}/timeline/live") as response:
                    if response.status_code == 200:
                        break
                await asyncio.sleep(0.1)


async def test_a_stream_ends_with_its_token(
    database: OpenDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(timeline, "HEARTBEAT_SECONDS", 0.2)
    revoked = tmp_path_factory.mktemp("keys") / "revoked.json"
    async with scene(database, revocations=revoked) as told, address(told) as client:
        customer = await told.vip()
        async with watching(client, customer) as events:
            assert (await next_of(events))["event"] == "comment"
            revoke(revoked, machine_now(), person="ana.martinez")
            async with asyncio.timeout(15):
                assert {each["event"] async for each in events} <= {"comment"}


async def test_a_stranger_is_refused_before_a_stream_begins(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        other = told.served.as_("alguien", desks=["facturacion"])
        assert (await other.get(f"/customers/{customer}/timeline/live")).status_code == 403
        missing = await told.served.as_("ana.martinez").get("/customers/01920000-0000-7000-8000-000000000001/timeline/live")
        assert missing.status_code == 404
