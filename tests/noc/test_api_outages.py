"""Outages over HTTP: declared once per node, closed once, told to the others in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.noc.app import SERVICE
from shared.db import Database, new_id, rows
from shared.events.noc import OutageClosed, OutageDeclared
from tests.noc.factories import customer, sold
from tests.support.rules import rule
from tests.support.service import Served, serve

START = datetime(2026, 3, 27, 14, tzinfo=UTC)


@pytest.fixture
async def noc(database: Callable[[str], Awaitable[Database]]) -> AsyncIterator[Served]:
    async with serve(SERVICE, await database("noc"), START) as served:
        await served.deliver(customer(sold("SPS-NORTE-1")), customer(sold("SPS-NORTE-1")), customer(sold("SPS-SUR-1")))
        yield served


async def declare(noc: Served, node: str = "SPS-NORTE-1", **headers: str) -> Any:
    body = {"access_node": node, "description": "Fibra cortada"}
    return await noc.as_("noc.turno").post("/outages", json=body, headers=headers)


@rule("NOC-1")
async def test_an_outage_is_declared_with_the_customers_behind_its_node_and_told(noc: Served) -> None:
    response = await declare(noc)
    assert response.status_code == 201
    shown = response.json()
    assert (shown["state"], shown["customers"], shown["declared_by"]) == ("OPEN", 2, "noc.turno")
    (told,) = await noc.published(OutageDeclared)
    assert (told.key, told.subject, told.sequence) == ("SPS-NORTE-1", f"outage/{shown['id']}", 1)
    assert told.event.declared_at == START


@rule("NOC-1")
async def test_a_node_that_is_down_is_not_declared_down_again(noc: Served) -> None:
    first = (await declare(noc)).json()["id"]
    response = await declare(noc)
    assert response.status_code == 409
    problem = response.json()
    assert problem["rule"] == "NOC-1"
    assert first in problem["detail"]
    assert (await declare(noc, "SPS-SUR-1")).status_code == 201
    assert len(await noc.published(OutageDeclared)) == 2


@rule("NOC-1")
async def test_two_people_who_declare_one_node_at_once_make_one_outage(noc: Served) -> None:
    answers = await asyncio.gather(*(declare(noc) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]
    assert len(await noc.published(OutageDeclared)) == 1


@rule("NOC-1")
async def test_a_closed_outage_is_told_and_the_node_may_fall_again(noc: Served) -> None:
    outage_id = (await declare(noc)).json()["id"]
    await noc.at(START + timedelta(hours=3))
    response = await noc.as_("oscar.banegas").post(f"/outages/{outage_id}/close", json={"solution": "Empalme reparado"})
    assert response.status_code == 200
    shown = response.json()
    assert (shown["state"], shown["closed_by"], shown["solution"]) == ("CLOSED", "oscar.banegas", "Empalme reparado")
    (told,) = await noc.published(OutageClosed)
    assert (told.sequence, told.event.closed_at) == (2, START + timedelta(hours=3))
    assert (await declare(noc)).status_code == 201


async def test_an_outage_is_closed_once(noc: Served) -> None:
    outage_id = (await declare(noc)).json()["id"]
    client = noc.as_("noc.turno")
    assert (await client.post(f"/outages/{outage_id}/close", json={"solution": "Empalme reparado"})).status_code == 200
    again = await client.post(f"/outages/{outage_id}/close", json={"solution": "Otra cosa"})
    assert again.status_code == 409
    assert "noc.turno" in again.json()["detail"]
    assert len(await noc.published(OutageClosed)) == 1


async def test_two_people_who_close_one_outage_at_once_close_it_once(noc: Served) -> None:
    outage_id = (await declare(noc)).json()["id"]
    client, said = noc.as_("noc.turno"), {"solution": "Empalme reparado"}
    async with asyncio.timeout(20), noc.runtime.database.transaction() as session:
        await rows(session, "SELECT 1 FROM outage FOR UPDATE")
        closing = [asyncio.create_task(client.post(f"/outages/{outage_id}/close", json=said)) for _ in range(2)]
        while not await noc.waits(2):
            await asyncio.sleep(0.02)
    answers = await asyncio.gather(*closing)
    assert sorted(each.status_code for each in answers) == [200, 409]
    assert len(await noc.published(OutageClosed)) == 1


async def test_a_node_that_nobody_hangs_on_is_not_declared_down(noc: Served) -> None:
    response = await declare(noc, "SPS-NORTE-11")
    assert response.status_code == 404
    assert "¿quiso decir «SPS-NORTE-1»?" in response.json()["detail"]
    assert await noc.published(OutageDeclared) == []


async def test_the_same_declaration_sent_twice_is_one(noc: Served) -> None:
    key = {"idempotency-key": "0b1c"}
    one, other = await declare(noc, **key), await declare(noc, **key)
    assert one.json() == other.json()
    assert len(await noc.published(OutageDeclared)) == 1


async def test_only_who_may_declares_and_reads(noc: Served) -> None:
    body = {"access_node": "SPS-NORTE-1", "description": "Fibra cortada"}
    assert (await noc.as_("ana.martinez").post("/outages", json=body)).status_code == 403
    assert (await noc.as_("ana.martinez").get("/outages")).status_code == 200
    assert (await noc.as_("sofia.mejia").get("/outages")).status_code == 403


async def test_fields_that_are_wrong_are_named(noc: Served) -> None:
    response = await noc.as_("noc.turno").post("/outages", json={"access_node": "SPS-NORTE-1", "description": " ", "nodo": 1})
    assert response.status_code == 422
    assert {each["field"] for each in response.json()["errors"]} == {"description", "nodo"}


async def test_outages_are_listed_latest_first_in_pages(noc: Served) -> None:
    client, ids = noc.as_("noc.turno"), []
    for hour in range(5):
        await noc.at(START + timedelta(hours=hour))
        ids.append((await declare(noc)).json()["id"])
        await client.post(f"/outages/{ids[-1]}/close", json={"solution": "Reiniciado"})
    seen: list[str] = []
    cursor: str | None = None
    while True:
        shown = (await client.get("/outages", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [each["id"] for each in shown["items"]]
        cursor = shown.get("next")
        if cursor is None:
            break
    assert seen == ids[::-1]
    assert (await client.get("/outages", params={"state": "OPEN"})).json()["items"] == []
    assert (await client.get(f"/outages/{new_id()}")).status_code == 404


async def test_a_node_shows_the_outage_that_it_has(noc: Served) -> None:
    outage_id = (await declare(noc)).json()["id"]
    nodes = (await noc.as_("noc.turno").get("/access-nodes")).json()["items"]
    assert {each["access_node"]: each["outage_id"] for each in nodes} == {"SPS-NORTE-1": outage_id, "SPS-SUR-1": None}
