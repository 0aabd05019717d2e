"""Every list of the house in every order that it offers: the same rows, sorted, in pages and as a file, with ties and what is empty."""

import json
import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import CheckConstraint, Column, Table, insert
from sqlmodel import AutoString

from services.billing import models as billing
from services.collections import models as collections
from services.noc import models as noc
from services.notifier import models as notifier
from services.wiring import SERVICES
from shared.auditing import AuditResult
from shared.db import Database, execute, new_id, rows
from shared.parking import ParkedRow
from shared.trail import AuditRow
from tests.flows.books import business, residential, vip
from tests.flows.stories import customers_of
from tests.security.doors import NOBODY, Door, lists, orders_of, whole_house
from tests.security.test_matrix import COMPANY
from tests.support.house import open_test_house
from tests.support.service import token

NOW = datetime(2026, 3, 29, 15, tzinfo=UTC)
PARENT = UUID(NOBODY)  # whose list is asked for where a path names something
ASKED = {
    "/collections/holds": {"ended": "true"},
    "/collections/portfolios/covers": {"ended": "true"},
    **{f"/{each.name}/audit-entries": {"method": "POST"} for each in SERVICES},  # each file that is taken adds a GET
}
# Orders by what their items do not show: the place in a worklist, the number of a webhook's delivery, of a simulated step.
UNSEEN = {
    ("/collections/worklist", "urgency"),
    ("/notifier/webhooks/{webhook_id}/deliveries", "number"),
    ("/collections/cut-simulations/{simulation_id}/difference", "id"),
}
BUCKETS = ("current", "1-30", "31-60", "61-90", "90+")
COUNTED: dict[str, list[Any]] = {
    "agent": ["ana.martinez", None, "carlos.rivera", "ana.martinez"], "policy": ["vip", "residencial"], "currency": ["USD"],
    "period": ["2026-03", "2026-02"], "bucket": [BUCKETS[4], BUCKETS[0], BUCKETS[1]], "billed": ["10.0000", "9.0000", "0"],
    "collected": ["5.0000", "9.0000", "0"], "amount": ["10.0000", "9.0000"], "days_to_payment": [None, "10.50", "9.00"],
    "days_to_reconnection": ["0.10", None],
}  # fmt: skip
NUMBERS = ("invoices", "made", "kept", "broken", "running", "lapsed", "cuts", "paid", "reconnected", "within_an_hour")


def counted(figure: str) -> list[dict[str, Any]]:
    """Rows of a figure, with ties and with what is empty."""
    return [
        {name: values[at % len(values)] for name, values in COUNTED.items()} | dict.fromkeys(NUMBERS, at % 3) for at in range(len(figure))
    ]


def invented(table: Table, at: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table: every third value that may be empty is, the others are of few, and what is `given` is as it is given."""
    return {
        each.name: given[each.name](at) if callable(given.get(each.name)) else given[each.name] if each.name in given else _value(each, at)
        for each in table.columns
        if not each.identity or each.name in given
    }


def _value(column: Column[Any], at: int) -> Any:
    if column.nullable and at % 3 == 0:
        return None
    kind = str if isinstance(column.type, AutoString) else column.type.python_type
    allowed = [found for each in column.table.constraints if isinstance(each, CheckConstraint)
               if (found := re.fullmatch(rf"{column.name} IN \((.*)\)", str(each.sqltext)))]  # fmt: skip
    made: dict[type, Any] = {
        UUID: new_id() if column.primary_key else PARENT,
        int: at if column.primary_key else at % 3 + 1,
        Decimal: Decimal(at % 3 + 1),
        float: at % 3 / 2,
        bool: at % 2 == 0,
        date: date(2026, 3, 1) + timedelta(days=at % 3),
        datetime: NOW + timedelta(hours=at % 3),
        list: [],
        dict: {},
        bytes: b"x",
    }
    if kind is str:
        fixed = {"currency": "USD", "policy": ("vip", "residencial")[at % 2], "period": f"2026-0{at % 3 + 1}"}
        return re.findall(r"'(\w+)'", allowed[0][1])[at % 2] if allowed else fixed.get(column.name, f"{column.name}-{at % 3}")
    return made[kind]


def first_is_parent(at: int) -> UUID:
    return PARENT if at == 0 else new_id()


def planted(customer: UUID) -> Iterator[tuple[str, type[Any], int, dict[str, Any]]]:
    """Service, table, how many rows, and what is not invented of them."""
    events = [new_id() for _ in range(5)]
    one: dict[str, Callable[[int], Any]] = {name: lambda at: at % 3 + 1 for name in ("base", "total")}
    yield "billing", billing.Agreement, 5, {"customer_id": customer}
    yield "billing", billing.CreditNote, 5, {"customer_id": customer, "number": str, **one, "tax": 0}
    yield "billing", billing.CustomerHistory, 5, {"customer_id": customer, "changes": {"name": ["a", "b"]}}
    yield "billing", billing.PlanChange, 5, {"customer_id": customer}
    yield "billing", billing.Dispute, 5, {"customer_id": customer}
    yield "billing", billing.ImportBatch, 5, {"id": first_is_parent, "kind": "customers", "mapping": {}}
    yield "billing", billing.ImportFault, 5, {"batch_id": PARENT}
    yield "billing", billing.ImportMissing, 5, {"batch_id": PARENT, "external_id": str}
    yield "billing", billing.Refund, 5, {"customer_id": customer}
    yield "billing", billing.BillingRun, 5, {"period": lambda at: f"2025-0{at + 1}"}
    cover = {"until": NOW + timedelta(days=9), "agent": "ana.martinez"}
    yield "collections", collections.PortfolioCover, 5, cover
    yield "collections", collections.Distribution, 1, {"id": PARENT}
    yield "collections", collections.Dossier, 5, {"customer_id": customer, "state": "QUEUED", "file": None}
    figures = {name: counted("figure" + name) for name in ("collected", "ageing", "promises", "cuts")}
    yield "collections", collections.FigureReport, 1, {"counted_at": NOW, "data": figures}
    yield "collections", collections.Hold, 5, {"account_id": customer, "until": NOW + timedelta(days=9), "service_id": None}
    yield "collections", collections.PortfolioChange, 5, {"customer_id": customer}
    yield "collections", collections.SegmentList, 5, {}
    yield "collections", collections.CutSimulation, 5, {"id": first_is_parent, "totals": []}
    step = {"simulation_id": PARENT, "account_id": customer, "kind": "CUT", "hold_id": None, "weight": lambda at: -(at % 3)}
    yield "collections", collections.SimulatedStep, 5, {**step, "reminder": None, "rule": "VIP-12", "delivery": "own"}
    yield "notifier", notifier.Webhook, 5, {"id": first_is_parent}
    yield "notifier", notifier.WebhookEvent, 5, {"id": lambda at: events[at]}
    yield "notifier", notifier.WebhookPost, 5, {"webhook_id": PARENT, "event_id": lambda at: events[at]}
    yield "noc", noc.Outage, 5, {"access_node": str, "state": lambda at: "CLOSED" if at % 3 else "OPEN"}
    for service in SERVICES:
        yield service.name, ParkedRow, 5, {"reason": lambda at: ("dead", "waiting")[at % 2], "key": str}
        yield service.name, AuditRow, 5, {"method": "POST"}
        yield service.name, AuditResult, 5, {"state": lambda at: ("SOUND", "BROKEN", "FAILED")[at % 3], "found": []}


@pytest.fixture
async def house(databases: dict[str, str], tmp_path: Path) -> AsyncIterator[FastAPI]:
    """A month of a few customers, and some of everything that it does not have."""
    async with open_test_house(databases, tmp_path) as played:
        people = [
            vip(f"C-{n}", f"Hotel {'ABac'[n]}", agent=("ana.martinez", "carlos.rivera")[n % 2], delivery="third_party") for n in range(4)
        ]
        people += [residential("R-1", "Norma Oliva", node="TGU-1"), residential("R-2", "norma oliva")]
        people += [business(f"E-{n}", f"Empresa {n}") for n in range(2)]  # who should be on the list of VIPs
        people += [residential(f"U-{n}", f"Casa {n}").replace("ACTIVO", "CLIENTE VIP") for n in range(2)]  # and who should not
        told = await customers_of(played, *people)
        await played.until("2026-03-26T09:00")
        for each in told[:3]:
            await each.does("suspension-notices", {})
        await played.until("2026-03-28T08:00")
        for each in told[:3]:
            await each.reports_payment("5.00")
            await each.does("suspensions", {})
        customer = UUID(told[0].id)
    for service, model, count, given in planted(customer):
        await plant(databases[service], service, [invented(model.__table__, at, given) for at in range(count)], model)
    moves = "INSERT INTO distribution_move SELECT $1, id, agent, 'ana.martinez', monthly_amount, currency FROM account"
    async with Database(databases["collections"], service="collections", pool_size=1).transaction() as session:
        await execute(session, moves, PARENT)
    async with whole_house(databases, NOW) as app:
        app.state.customer = customer
        yield app


async def plant(address: str, service: str, found: list[dict[str, Any]], model: type[Any]) -> None:
    """Put rows into a table, whatever they refer to."""
    database = Database(address, service=service, pool_size=1)
    async with database.transaction() as session:
        await rows(session, "SET session_replication_role = replica")
        await session.execute(insert(model), found)
    await database.close()


@pytest.mark.slow
async def test_every_list_in_every_order_has_the_same_rows_sorted_in_pages_and_as_a_file(house: FastAPI) -> None:
    bearer = token("alguien", [each["code"] for each in COMPANY["desks"]])
    headers = {"authorization": f"Bearer {bearer}"}
    wrong: list[str] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url="http://r", timeout=60, headers=headers) as client:
        for door in lists(house):
            try:
                wrong += [f"{door.name}: {each}" async for each in mistakes(Reader(client, door, house.state.customer))]
            except httpx.HTTPStatusError as error:
                wrong.append(f"{error.request.url}: {error.response.text}")
    assert not wrong, "\n".join(wrong)


class Reader:
    """Reads one list."""

    def __init__(self, client: httpx.AsyncClient, door: Door, customer: UUID) -> None:
        self._client, self.door, self.params = client, door, dict(ASKED.get(door.path, {}))
        self._url = door.filled() if "{customer_id}" not in door.path else re.sub(r"\{\w+\}", str(customer), door.path)

    async def ask(self, **params: Any) -> httpx.Response:
        answer = await self._client.get(self._url, params={**self.params, **params})
        return answer.raise_for_status()

    async def items(self, limit: int = 200, **params: Any) -> list[Any]:
        """All of the list, in pages."""
        if "limit" not in {each["name"] for each in (self.door.operation or {})["parameters"]}:
            return list((await self.ask(**params)).json())
        found, cursor = [], None
        while True:
            page = (await self.ask(limit=limit, **params, **({"cursor": cursor} if cursor else {}))).json()
            found += page["items"]
            if (cursor := page["next"]) is None:
                return found

    async def file(self, **params: Any) -> list[str]:
        """The lines of the list as CSV, without the headings."""
        return (await self.ask(format="csv", **params)).text.removeprefix("\ufeff").split("\r\n")[1:-1]


async def mistakes(reader: Reader) -> AsyncIterator[str]:
    """What is wrong with a list's orders."""
    plain = await reader.items()
    if len(plain) < 2:
        yield f"has only {len(plain)} rows to be tried with"
    lines = dict(zip(map(json.dumps, plain), await reader.file(), strict=True))
    orders = orders_of(reader.door)
    if orders != [f"{sign}{each}" for each in dict.fromkeys(each.removeprefix("-") for each in orders) for sign in ("", "-")]:
        yield f"not both ways: {orders}"
    for sort in orders:
        found = await reader.items(limit=2, sort=sort)
        if sorted(map(json.dumps, found)) != sorted(map(json.dumps, plain)):
            yield f"{sort}: other rows"
        elif await reader.file(sort=sort) != [lines[json.dumps(each)] for each in found]:
            yield f"{sort}: the file has another order"
        elif (reader.door.path, sort.removeprefix("-")) in UNSEEN:
            if sort.startswith("-") and found[::-1] != await reader.items(sort=sort[1:]):
                yield f"{sort}: not the other way round"
        elif not _sorted([shown(each, sort.removeprefix("-")) for each in found], down=sort.startswith("-")):
            yield f"{sort}: {[shown(each, sort.removeprefix('-')) for each in found]}"


def shown(item: Any, name: str) -> Any:
    """What the item shows of the field, as something that compares like the column does."""
    value = item[name]
    if isinstance(value, dict):
        value = Decimal(value["amount"]) if "amount" in value else value.get("code", value.get("id"))
    if name == "bucket":
        return BUCKETS.index(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d+\.\d+", value):
        return Decimal(value)
    if name in {"name", "customer_name"}:
        return "".join(each for each in unicodedata.normalize("NFKD", value.casefold()) if not unicodedata.combining(each))
    return value


def _sorted(values: list[Any], *, down: bool) -> bool:
    """Are they in order, with those that are empty at the end?"""
    some = [each for each in values if each is not None]
    return values == sorted(some, reverse=down) + [None] * (len(values) - len(some))


async def test_a_cursor_of_another_order_is_refused(house: FastAPI) -> None:
    bearer = token("alguien", [each["code"] for each in COMPANY["desks"]])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(house), base_url="http://r", headers={"authorization": f"Bearer {bearer}"}
    ) as client:
        first = (await client.get("/billing/invoices", params={"limit": 1, "sort": "-balance"})).json()
        for other in ({}, {"sort": "balance"}, {"sort": "-total"}):
            refused = await client.get("/billing/invoices", params={"limit": 1, "cursor": first["next"], **other})
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "cursor")
            assert "sort=-balance" in refused.json()["errors"][0]["message"]
        assert (await client.get("/billing/invoices", params={"sort": "colour"})).status_code == 422
