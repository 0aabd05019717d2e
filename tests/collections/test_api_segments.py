"""The list of Sales at the month's close, and who qualifies."""

import pytest

from shared.events.collections import SegmentChanged
from tests.collections.api_scene import OpenDatabase, scene
from tests.support.rules import rule

NOTE = "Cliente VIP: plan Dedicado 20 Mbps."


@rule("VIP-2")
async def test_good_rows_are_applied_and_bad_ones_reported_with_their_reason(database: OpenDatabase) -> None:
    async with scene(database) as told:
        first = await told.customer("C-1")
        other = await told.customer("C-2", name="Otra Empresa")
        rows = [
            {"external_id": "C-1", "note": NOTE},
            {"external_id": "NO-HAY", "note": NOTE},
            {"external_id": "C-1", "note": "Repetido."},
            {"external_id": "C-2"},
            {"external_id": " ", "note": NOTE},
            {"external_id": "C-2", "external_source": "otro-crm", "note": NOTE},
        ]
        answer = await told.served.as_("sofia.mejia").post("/vip-lists", json={"period": "2026-02", "rows": rows})
        assert answer.status_code == 201, answer.text
        report = answer.json()
        assert (report["rows"], report["applied"], report["unchanged"], report["faulty"]) == (6, 1, 0, 5)
        assert [each["reason"] for each in report["results"]] == [
            "Queda en Clientes VIP.",
            "No hay ningún cliente con el código NO-HAY.",
            "El cliente ya está en la línea 1 de esta lista.",
            "Falta la nota que diga por qué es CLIENTE VIP.",
            "Falta el código del cliente.",
            "No hay ningún cliente con el código C-2 de otro-crm.",
        ]
        stored = await told.get(answer.headers["location"].removeprefix("/collections"), "marta.zelaya")
        assert stored == report
        changed = await told.served.published(SegmentChanged)
        assert [(each.event.customer_id, each.event.policy, each.event.note) for each in changed] == [(first, "vip", NOTE)]
        assert (await told.get(f"/customers/{first}"))["status"]["label"] == "CLIENTE VIP"
        assert (await told.get(f"/customers/{other}"))["policy"] == "residencial"


@rule("VIP-2")
async def test_absence_from_a_later_list_removes_nothing_and_presence_changes_nothing(database: OpenDatabase) -> None:
    async with scene(database) as told:
        staying = await told.vip("C-1")
        await told.vip("C-2")
        body = {"period": "2026-03", "rows": [{"external_id": "C-2", "note": NOTE}]}
        report = (await told.served.as_("sofia.mejia").post("/vip-lists", json=body)).json()
        assert (report["applied"], report["unchanged"]) == (0, 1)
        assert report["results"][0]["reason"] == "Ya estaba en Clientes VIP; nada cambió."
        assert (await told.get(f"/customers/{staying}"))["policy"] == "vip"
        assert len(await told.served.published(SegmentChanged)) == 2


async def test_a_code_of_two_sources_must_say_which(database: OpenDatabase) -> None:
    async with scene(database) as told:
        await told.customer("C-1")
        await told.customer("C-1", external_source="legado")
        rows = [{"external_id": "C-1", "note": NOTE}, {"external_id": "C-1", "external_source": "legado", "note": NOTE}]
        report = (await told.served.as_("sofia.mejia").post("/vip-lists", json={"period": "2026-02", "rows": rows})).json()
        assert [each["outcome"] for each in report["results"]] == ["faulty", "applied"]
        assert "varias fuentes (crm, legado)" in report["results"][0]["reason"]


async def test_the_same_request_twice_is_one_list(database: OpenDatabase) -> None:
    async with scene(database) as told:
        await told.customer("C-1")
        body = {"period": "2026-02", "rows": [{"external_id": "C-1", "note": NOTE}]}
        sales = told.served.as_("sofia.mejia")
        first = await sales.post("/vip-lists", json=body, headers={"idempotency-key": "lista-febrero"})
        again = await sales.post("/vip-lists", json=body, headers={"idempotency-key": "lista-febrero"})
        assert first.json() == again.json()
        assert len((await told.get("/vip-lists", "sofia.mejia"))["items"]) == 1
        assert len(await told.served.published(SegmentChanged)) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"period": "marzo", "rows": [{"external_id": "C-1", "note": NOTE}]}, "period"),
        ({"period": "2026-13", "rows": [{"external_id": "C-1", "note": NOTE}]}, "period"),
        ({"period": "2026-02", "rows": []}, "rows"),
        ({"period": "2026-02", "rows": [{"external_id": "C-1", "note": NOTE, "vip": True}]}, "rows.0.vip"),
    ],
)
async def test_a_list_that_makes_no_sense_names_the_field(database: OpenDatabase, body: dict[str, object], field: str) -> None:
    async with scene(database) as told:
        answer = await told.served.as_("sofia.mejia").post("/vip-lists", json=body)
        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["errors"]] == [field]
        assert (await told.get("/vip-lists"))["items"] == []


async def test_engineering_sends_no_lists(database: OpenDatabase) -> None:
    async with scene(database) as told:
        body = {"period": "2026-02", "rows": [{"external_id": "C-1", "note": NOTE}]}
        answer = await told.served.as_("oscar.banegas").post("/vip-lists", json=body)
        assert answer.status_code == 403
        assert "el detalle de clientes VIP del cierre de mes" in answer.json()["detail"]


@rule("VIP-1")
async def test_qualification_is_explained_by_criterion_and_fact(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.customer("C-1")
        found = await told.get(f"/customers/{customer}/qualification")
        assert (found["qualifies"], found["in_segment"], found["note"]) == (True, False, None)
        assert found["rule"]["id"] == "VIP-1"
        holding = [each for each in found["criteria"] if each["holds"]]
        assert [(each["code"], each["fact"]) for each in holding] == [("plan", "Tiene Dedicado 20 Mbps.")]
        listed = await told.vip("C-2")
        found = await told.get(f"/customers/{listed}/qualification")
        assert (found["in_segment"], found["note"]) == (True, "Plan Dedicado.")


@rule("VIP-1")
async def test_sales_sees_who_qualifies_and_is_not_listed_and_the_reverse(database: OpenDatabase) -> None:
    async with scene(database) as told:
        isp = await told.customer("C-1", plan="hogar_50", kind="residential", monthly_amount="39.90", is_isp=True)
        large = await told.customer("C-2", plan="negocio_300", kind="business", monthly_amount="500.01")
        await told.customer("C-3", plan="negocio_300", kind="business", monthly_amount="500.00")
        await told.vip("C-4")
        odd = await told.vip("C-5", plan="hogar_50", kind="residential", monthly_amount="39.90")
        missing = (await told.get("/qualification/missing", "sofia.mejia"))["items"]
        assert sorted(each["customer_id"] for each in missing) == sorted([str(isp), str(large)])
        assert {each["external_id"]: each["reasons"] for each in missing}["C-1"] == ["Está registrado como ISP."]
        unexplained = (await told.get("/qualification/unexplained", "sofia.mejia"))["items"]
        assert [each["customer_id"] for each in unexplained] == [str(odd)]
        assert len(unexplained[0]["reasons"]) == 4
