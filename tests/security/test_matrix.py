"""Every route × every desk: who gets in is who the table says, and whoever does not leaves nothing behind.

`matrix.csv` is written by hand: for each route the permission that it needs, `token` where any signed token will do, `open` where none is
asked (whether it lives, and pages without a single figure of the operator). `exports`: what a list needs besides to be had as
a file. Which desks have a permission is read from the operator's file.
"""

import csv
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI

from services.wiring import SERVICES
from shared.db import Database, new_id, rows
from tests.security.doors import Door, doors, lists, whole_house
from tests.support.service import OPERATOR_FOLDER, token

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
TABLE = Path(__file__).with_name("matrix.csv")
COMPANY = yaml.safe_load((OPERATOR_FOLDER / "operator.yaml").read_text())
DESKS = [each["code"] for each in COMPANY["desks"]]
TRACES = "SELECT (SELECT count(*) FROM audit_entry) + (SELECT count(*) FROM outbox) + (SELECT count(*) FROM idempotency_key) AS count"


@pytest.fixture
async def house(databases: dict[str, str], tmp_path: Path) -> AsyncIterator[FastAPI]:
    async with whole_house(databases, START, data_folder=tmp_path) as app:
        yield app


@pytest.fixture
async def anybody(house: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url="http://reconecta", timeout=60) as client:
        yield client


def needed() -> dict[str, str]:
    with TABLE.open(newline="") as file:
        return {f"{row['method']} {row['path']}": row["needs"] for row in csv.DictReader(file)}


def exports() -> dict[str, str]:
    """What it takes to have a list as a file, beside what it takes to read it."""
    with TABLE.open(newline="") as file:
        return {f"{row['method']} {row['path']}": row["exports"] for row in csv.DictReader(file) if row["exports"]}


def may(needs: str, desk: str) -> bool:
    return needs in {"open", "token"} or desk in COMPANY["permissions"][needs]


async def status(client: httpx.AsyncClient, door: Door, bearer: str | None, **query: str) -> int:
    request: dict[str, Any] = door.request()
    request["params"] |= query
    request["headers"] |= {"idempotency-key": str(new_id())} | ({"authorization": f"Bearer {bearer}"} if bearer else {})
    return (await client.request(**request)).status_code


async def test_the_table_names_every_route_and_no_other(house: FastAPI) -> None:
    assert sorted(each.name for each in doors(house)) == sorted(needed())


async def test_without_a_token_nothing_opens_but_what_the_table_says(house: FastAPI, anybody: httpx.AsyncClient) -> None:
    found = {each.name: await status(anybody, each, None) for each in doors(house)}
    table = needed()
    assert {name: answer for name, answer in found.items() if (answer == 401) == (table[name] == "open")} == {}


async def test_a_desk_without_the_permission_is_refused_and_nothing_happens(
    house: FastAPI, anybody: httpx.AsyncClient, databases: dict[str, str]
) -> None:
    table, wrong = needed(), {}
    for desk in [*DESKS, None]:
        bearer = token("alguien", [desk] if desk else [])
        for door in doors(house):
            if not may(table[door.name], desk or "") and (answer := await status(anybody, door, bearer)) != 403:
                wrong[f"{door.name} as {desk}"] = answer
    assert wrong == {}
    assert await traces(databases) == dict.fromkeys(databases, 0)


async def test_a_desk_with_the_permission_gets_in(house: FastAPI, anybody: httpx.AsyncClient) -> None:
    """What it finds there may not exist: that is no matter of who asks."""
    table, wrong = needed(), {}
    for door in sorted(doors(house), key=lambda each: "/simulation" not in each.path):  # the clock is asked while nothing is under way
        for desk in DESKS:
            if may(table[door.name], desk) and (answer := await status(anybody, door, token("alguien", [desk]))) in {401, 403, 405}:
                wrong[f"{door.name} as {desk}"] = answer
    assert wrong == {}


def test_every_permission_opens_something_or_is_not_a_permission() -> None:
    assert set(COMPANY["permissions"]) - set(needed().values()) - set(exports().values()) == set()


async def test_the_table_says_of_every_list_and_of_nothing_else_who_may_take_it_along(house: FastAPI) -> None:
    assert sorted(exports()) == sorted(each.name for each in lists(house))


async def test_a_list_as_a_file_needs_both_permissions(house: FastAPI, anybody: httpx.AsyncClient, databases: dict[str, str]) -> None:
    reads, takes, wrong = needed(), exports(), {}
    for door in lists(house):
        for desk in DESKS:
            wanted = may(reads[door.name], desk) and may(takes[door.name], desk)
            answer = await status(anybody, door, token("alguien", [desk]), format="csv")
            if (answer == 403) == wanted:
                wrong[f"{door.name} as {desk}"] = answer
    assert wrong == {}


async def traces(databases: dict[str, str]) -> dict[str, int]:
    found = {}
    for service in SERVICES:
        database = Database(databases[service.name], service=service.name, pool_size=1)
        async with database.transaction() as session:
            found[service.name] = (await rows(session, TRACES))[0].count
        await database.close()
    return found
