"""Portfolios: each agent sees its own list, managers see all, and who changes hands is told with the reason."""

from typing import Any

import pytest

from shared.db import new_id
from shared.events.collections import AgentAssigned
from tests.collections.api_scene import OpenDatabase, scene
from tests.support.rules import rule

REASON = "Reparto de la cartera de marzo."


def names(page: dict[str, Any]) -> list[str]:
    return [each["name"] for each in page["items"]]


@rule("VIP-4")
async def test_an_agent_sees_its_own_list_and_the_manager_all(database: OpenDatabase) -> None:
    async with scene(database) as told:
        await told.vip("C-1")
        await told.vip("C-2", assigned_agent="carlos.rivera")
        await told.vip("C-3", assigned_agent=None)
        assert names(await told.get("/customers", "ana.martinez")) == ["Cliente C-1"]
        assert names(await told.get("/customers", "carlos.rivera")) == ["Cliente C-2"]
        assert names(await told.get("/customers", "marta.zelaya")) == ["Cliente C-1", "Cliente C-2", "Cliente C-3"]
        assert names(await told.get("/customers?agent=carlos.rivera", "marta.zelaya")) == ["Cliente C-2"]
        assert names(await told.get("/customers?unassigned=true", "marta.zelaya")) == ["Cliente C-3"]
        own = await told.get("/portfolios", "ana.martinez")
        assert [(each["agent"], each["customers"]) for each in own] == [("ana.martinez", 1)]
        every = await told.get("/portfolios", "marta.zelaya")
        assert [(each["agent"], each["agent_name"]) for each in every] == [
            (None, "Sin gestor"),
            ("ana.martinez", "Ana Martínez"),
            ("carlos.rivera", "Carlos Rivera"),
        ]


@rule("VIP-4")
@pytest.mark.parametrize("path", ["/customers?agent=carlos.rivera", "/worklist?agent=carlos.rivera"])
async def test_a_colleagues_list_is_refused_with_the_rule(database: OpenDatabase, path: str) -> None:
    async with scene(database) as told:
        answer = await told.served.as_("ana.martinez").get(path)
        assert answer.status_code == 403
        assert answer.json()["rule"] == "VIP-4"
        assert "Ana Martínez" in answer.json()["remedy"]


@rule("VIP-4")
async def test_customers_change_hands_with_the_reason_and_billing_is_told(database: OpenDatabase) -> None:
    async with scene(database) as told:
        moving = await told.vip("C-1")
        staying = await told.vip("C-2", assigned_agent="carlos.rivera")
        body = {"customer_ids": [str(moving), str(staying)], "agent": "carlos.rivera", "reason": REASON}
        answer = await told.served.as_("marta.zelaya").post("/portfolios/assignments", json=body)
        assert answer.status_code == 201, answer.text
        assert (answer.json()["assigned"], answer.json()["unchanged"]) == (1, 1)
        told_events = await told.served.published(AgentAssigned)
        assert [(each.event.customer_id, each.event.agent, each.event.assigned_by) for each in told_events] == [
            (moving, "carlos.rivera", "marta.zelaya")
        ]
        assert names(await told.get("/customers", "ana.martinez")) == []
        assert names(await told.get("/customers", "carlos.rivera")) == ["Cliente C-1", "Cliente C-2"]
        timeline = (await told.get(f"/customers/{moving}/timeline"))["items"]
        entry = next(each for each in timeline if each["kind"] == "portfolio")
        assert entry["text"] == f"Pasa a la cartera de Carlos Rivera (antes: Ana Martínez). Motivo: {REASON}"
        assert (entry["who"], entry["rule"]["id"]) == ("marta.zelaya", "VIP-4")


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("oscar.banegas", "Óscar Banegas no trabaja en un escritorio de cobros."),
        ("pedro.nadie", "Nadie se llama «pedro.nadie» en operator.yaml."),
    ],
)
async def test_only_people_of_collections_have_portfolios(database: OpenDatabase, agent: str, said: str) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        body = {"customer_ids": [str(customer)], "agent": agent, "reason": REASON}
        answer = await told.served.as_("marta.zelaya").post("/portfolios/assignments", json=body)
        assert answer.status_code == 422
        problem = answer.json()
        assert (problem["errors"][0]["field"], problem["detail"], problem["rule"]) == ("agent", said, "VIP-4")
        assert "ana.martinez" in problem["remedy"]


async def test_an_unknown_customer_stops_the_whole_assignment(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        body = {"customer_ids": [str(customer), str(new_id())], "agent": "carlos.rivera", "reason": REASON}
        answer = await told.served.as_("marta.zelaya").post("/portfolios/assignments", json=body)
        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["errors"]] == ["customer_ids.1"]
        assert (await told.get(f"/customers/{customer}"))["agent"]["person"] == "ana.martinez"
        assert await told.served.published(AgentAssigned) == []


async def test_agents_do_not_deal_out_portfolios_themselves(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        body = {"customer_ids": [str(customer)], "agent": "carlos.rivera", "reason": REASON}
        answer = await told.served.as_("carlos.rivera").post("/portfolios/assignments", json=body)
        assert answer.status_code == 403
        assert (await told.get(f"/customers/{customer}"))["agent"]["person"] == "ana.martinez"


async def test_the_list_is_filtered_and_paged_without_shifting(database: OpenDatabase) -> None:
    async with scene(database) as told:
        for number in range(1, 6):
            await told.customer(f"C-{number}", name=f"Árbol {number}")
        await told.customer("C-9", name="Zeta")
        first = await told.get("/customers?q=arbol&limit=2", "marta.zelaya")
        await told.customer("C-0", name="Árbol 0")
        rest = await told.get(f"/customers?q=arbol&limit=10&cursor={first['next']}", "marta.zelaya")
        assert names(first) + names(rest) == [f"Árbol {number}" for number in range(1, 6)]
        assert rest["next"] is None
        assert names(await told.get("/customers?external_id=C-9", "marta.zelaya")) == ["Zeta"]
        assert names(await told.get("/customers?status=suspended", "marta.zelaya")) == []
        wrong = await told.served.as_("marta.zelaya").get("/customers?status=cortado")
        assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "status"


async def test_dashboards_see_accounts_by_status_and_those_of_nobody(database: OpenDatabase) -> None:
    async with scene(database) as told:
        await told.vip("C-1")
        await told.vip("C-2", assigned_agent=None)
        text = (await told.served.as_("admin").get("/metrics")).text
        assert 'reconecta_accounts{kind="active",service="collections"} 2.0' in text
        assert 'reconecta_accounts_without_agent{kind="vip",service="collections"} 1.0' in text
