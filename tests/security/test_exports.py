"""Lists as files: every list of the house can be had as CSV and XLSX, whole, with numbers that are numbers and text that stays text."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import openpyxl
import pytest
from fastapi import FastAPI

from shared.web import exporting
from shared.web.exporting import CSV, XLSX
from shared.web.sheets import csv_lines
from tests.collections.api_scene import OpenDatabase, registered, scene
from tests.security.doors import Door, doors, whole_house
from tests.security.test_matrix import COMPANY
from tests.support.service import operator, token

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
HOSTILE = ['=HYPERLINK("http://evil.example")', "+1", "-1+1|cmd", "@SUM(A1)", "\tx", "\rx"]


@pytest.fixture
async def house(databases: dict[str, str]) -> AsyncIterator[FastAPI]:
    async with whole_house(databases, START) as app:
        yield app


def lists(app: FastAPI) -> list[Door]:
    """The doors whose JSON is a list of objects or a page of one, by what their documents say."""
    return [each for each in doors(app) if each.method == "GET" and _is_list(each)]


def _is_list(door: Door) -> bool:
    content = (door.operation or {}).get("responses", {}).get("200", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = (door.schemas or {})[schema["$ref"].rsplit("/", 1)[-1]]
        schema = schema.get("properties", {}).get("items", {}) if {"items", "next"} <= set(schema.get("properties", {})) else {}
    return schema.get("type") == "array" and "$ref" in schema.get("items", {})


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
        mine = await told.served.as_("ana.martinez").get("/customers?external_id=C-2&format=csv")
        assert str(customer) not in mine.text
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
