"""Customers over HTTP."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.events.billing import CustomerChanged, CustomerRegistered
from tests.billing.books import Book, line
from tests.support.service import Served

NEW: dict[str, Any] = {
    "external_source": "crm",
    "external_id": "C-20001",
    "name": "Cafetería El Carmen",
    "tax_id": "05012024252421",
    "contacts": [{"name": "Norma Oliva", "email": "norma@cafe.hn"}],
    "assigned_agent": "ana.martinez",
    "contract": {"number": "CT-1", "start_date": "2026-01-01"},
    "services": [{"code": "internet", "plan_code": "negocio_100", "active_from": "2026-03-01", "access_node": "SPS-1"}],
}

SOLD = {"code": "a", "plan_code": "hogar_10", "active_from": "2026-03-01"}


def fields(answer: httpx.Response) -> list[str]:
    """The fields that a problem names."""
    assert answer.headers["content-type"].startswith("application/problem+json")
    return [each["field"] for each in answer.json()["errors"]]


async def test_a_customer_is_entered_found_and_shown(billing: Served) -> None:
    client = billing.as_("ines.reyes")
    made = await client.post("/customers", json=NEW)
    assert made.status_code == 201, made.text
    shown = made.json()
    assert (shown["policy"], shown["monthly_total"], made.headers["etag"]) == (
        "residencial",
        {"amount": "129.0000", "currency": "USD"},
        '"1"',
    )
    assert made.headers["location"] == f"/billing/customers/{shown['id']}"
    assert (await client.get(f"/customers/{shown['id']}")).json() == shown
    found = (await client.get("/customers", params={"name": "cafeteria"})).json()["items"]
    assert [each["external_id"] for each in found] == ["C-20001"]
    told = (await billing.published(CustomerRegistered))[0]
    assert (told.event.services[0].plan_kind, told.event.contacts[0].role, told.sequence) == ("business", "principal", 1)
    again = await client.post("/customers", json=NEW)
    assert (again.status_code, again.json()["detail"]) == (409, "El cliente C-20001 de crm ya existe.")


async def test_the_tax_id_is_shown_told_changed_and_kept_in_the_history(billing: Served) -> None:
    client = billing.as_("ines.reyes")
    made = (await client.post("/customers", json=NEW)).json()
    assert made["tax_id"] == "05012024252421"
    assert (await billing.published(CustomerRegistered))[0].event.tax_id == "05012024252421"
    path = f"/customers/{made['id']}"
    untouched = await client.patch(path, json={"name": "Otro"}, headers={"if-match": '"1"'})
    assert untouched.json()["tax_id"] == "05012024252421"
    changed = await client.patch(path, json={"tax_id": "05012024252422"}, headers={"if-match": '"2"'})
    assert changed.status_code == 200 and (await client.get(path)).json()["tax_id"] == "05012024252422"
    history = (await client.get(f"{path}/history")).json()["items"]
    assert history[0]["changes"] == {"tax_id": ["05012024252421", "05012024252422"]}
    assert (await billing.published(CustomerChanged))[-1].event.tax_id == "05012024252422"
    wrong = await client.patch(path, json={"tax_id": "9" * 41}, headers={"if-match": '"3"'})
    assert (wrong.status_code, fields(wrong)) == (422, ["tax_id"])


async def test_a_change_needs_the_version_and_is_kept_with_who_and_what(billing: Served) -> None:
    client = billing.as_("ines.reyes")
    customer = (await client.post("/customers", json=NEW)).json()
    path = f"/customers/{customer['id']}"
    assert (await client.patch(path, json={"name": "Otro"})).status_code == 428
    changed = await client.patch(
        path,
        json={"name": "Otro", "services": [{"code": "internet", "plan_code": "negocio_300", "active_from": "2026-03-01"}]},
        headers={"if-match": '"1"'},
    )
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"'), changed.text
    assert changed.json()["monthly_total"]["amount"] == "289.0000"
    assert changed.json()["special_negotiation"] is None
    stale = await client.patch(path, json={"name": "Tercero"}, headers={"if-match": '"1"'})
    assert (stale.status_code, stale.json()["type"].rsplit("/", 1)[-1]) == (412, "version-anterior")
    same = await client.patch(path, json={"name": "Otro"}, headers={"if-match": '"2"'})
    assert (same.status_code, same.headers["etag"]) == (200, '"2"')
    history = (await client.get(f"{path}/history")).json()["items"]
    assert [(each["version"], each["changed_by"], each["changes"]["name"]) for each in history] == [
        (2, "ines.reyes", ["Cafetería El Carmen", "Otro"])
    ]
    assert [each.sequence for each in await billing.published(CustomerChanged)] == [2]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"nombre": "x"}, ["nombre"]),
        ({"name": ""}, ["name"]),
        ({"contacts": [{"name": "A", "email": "nada"}]}, ["contacts.0.email"]),
        ({"assigned_agent": "ana.martines"}, ["assigned_agent"]),
        ({"services": [{**SOLD, "plan_code": "negocio_101"}]}, ["services.0.plan_code"]),
        (
            {"services": [{"code": "a", "plan_code": "hogar_10", "active_from": "2026-03-01", "monthly_amount": "-1"}]},
            ["services.0.monthly_amount"],
        ),
        ({"services": [{**SOLD, "active_from": "ayer"}]}, ["services.0.active_from"]),
        ({"services": [SOLD, SOLD]}, ["services.1.code"]),
        (
            {"services": [{"code": "a", "plan_code": "hogar_10", "active_from": "2026-03-02", "active_to": "2026-03-01"}]},
            ["services.0.active_to"],
        ),
        ({"contract": {"start_date": "2026-01-02", "end_date": "2026-01-01"}}, ["contract.end_date"]),
    ],
)
async def test_bad_input_names_its_field_and_changes_nothing(billing: Served, changes: dict[str, Any], named: list[str]) -> None:
    answer = await billing.as_("ines.reyes").post("/customers", json={**NEW, **changes})
    assert answer.status_code == 422
    assert fields(answer) == named
    assert await billing.sql("SELECT id FROM customer") == []


async def test_who_may_do_what(billing: Served) -> None:
    assert (await billing.as_("ana.martinez").post("/customers", json=NEW)).status_code == 403
    assert (await billing.as_("rosa.caceres").get("/customers")).status_code == 403
    assert (await billing.as_("ana.martinez").get("/customers")).status_code == 200
    async with httpx.AsyncClient(transport=httpx.ASGITransport(billing.app), base_url="http://x") as nobody:
        assert (await nobody.get("/customers")).status_code == 401


async def test_pages_do_not_shift(billing: Served, book: Book) -> None:
    await book.customers(billing, *(line(id=f"C-{n:02}", nombre=f"Cliente {n // 2:02}") for n in range(9)))
    client, seen, cursor = billing.as_("ines.reyes"), list[str](), None
    while True:
        answer = (await client.get("/customers", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        seen += [each["external_id"] for each in answer["items"]]
        if (cursor := answer["next"]) is None:
            break
    assert sorted(seen) == [f"C-{n:02}" for n in range(9)]
    assert (await client.get("/customers", params={"cursor": "zzz"})).status_code == 422
    assert (await client.get("/customers", params={"limit": 0})).status_code == 422


async def test_what_does_not_exist(billing: Served) -> None:
    client = billing.as_("ines.reyes")
    for path in (f"/customers/{uuid4()}", f"/customers/{uuid4()}/history"):
        assert (await client.get(path)).status_code == 404
    assert (await client.get("/customers/7")).status_code == 422
    assert (await client.patch(f"/customers/{uuid4()}", json={}, headers={"if-match": '"1"'})).status_code == 404


async def test_every_route_has_a_summary_and_every_body_an_example(billing: Served) -> None:
    document = billing.app.openapi()
    assert document["openapi"].startswith("3.1")
    frame = ("/health", "/metrics", "/simulation")
    for path, methods in document["paths"].items():
        if path.startswith(frame):
            continue
        for operation in methods.values():
            assert operation["description"], path
            for content in operation.get("requestBody", {}).get("content", {}).values():
                name = content["schema"].get("$ref", "").rsplit("/", 1)[-1]
                assert "example" in content or document["components"]["schemas"][name]["examples"], path
