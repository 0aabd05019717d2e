"""Portfolios that change hands by a rule, and agents who stand in for each other."""

from typing import Any
from uuid import UUID

from shared.events.collections import AgentAssigned, SuspensionRequested
from tests.collections.api_scene import OpenDatabase, Scene, local, scene
from tests.support.rules import rule

MANAGER = "marta.zelaya"


async def cover(told: Scene, begin: str, end: str, **changed: str) -> Any:
    body = {
        "agent": "ana.martinez",
        "covered_by": "carlos.rivera",
        "from_at": local(begin).isoformat(),
        "until": local(end).isoformat(),
        "reason": "Vacaciones de Ana.",
    }
    return await told.served.as_(MANAGER).post("/portfolios/covers", json=body | changed)


async def ready_to_cut(told: Scene) -> UUID:
    """A VIP whose notice was accepted a day before the month's 28th."""
    customer = await told.vip()
    await told.invoice(customer)
    await told.served.at(local("2026-03-26 09:00"))
    asked = await told.served.as_("ana.martinez").post(f"/customers/{customer}/suspension-notices", json={})
    assert asked.status_code == 202, asked.text
    await told.notice_accepted()
    await told.served.at(local("2026-03-28 09:00"))
    return customer


@rule("COB-3", "VIP-9", "VIP-4")
async def test_whoever_stands_in_has_the_list_and_may_cut_and_both_names_are_told(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await ready_to_cut(told)
        path = f"/customers/{customer}/suspensions"
        before = await told.served.as_("carlos.rivera").post(path, json={})
        assert (before.status_code, before.json()["rule"]) == (409, "VIP-9")
        assert (await cover(told, "2026-03-27 00:00", "2026-03-30 00:00")).status_code == 201
        listed = await told.get("/worklist", "carlos.rivera")
        assert [(each["agent"], each["covered_by"]) for each in listed["items"]] == [("ana.martinez", ["carlos.rivera"])]
        assert (await told.get("/worklist?agent=ana.martinez", "carlos.rivera"))["total"] == 1
        assert (await told.get("/worklist?agent=carlos.rivera", "carlos.rivera"))["total"] == 0
        assert len((await told.get("/customers?agent=ana.martinez", "carlos.rivera"))["items"]) == 1
        assert (await told.get("/customers", "carlos.rivera"))["items"] == []
        stranger = await told.served.as_("lucia.flores").post(path, json={})
        assert stranger.status_code == 409
        assert "Ana Martínez (ana.martinez), a quien hoy cubre Carlos Rivera" in stranger.json()["detail"]
        explained = await told.get(f"/customers/{customer}/explanation", "carlos.rivera")
        suspend = next(each for each in explained["may"] if each["action"] == "suspend")
        assert suspend["allowed_for_you"]
        assert suspend["by"] == "solo el gestor asignado: Ana Martínez, a quien hoy cubre Carlos Rivera"
        done = await told.served.as_("carlos.rivera").post(path, json={})
        assert done.status_code == 202, done.text
        [ordered] = await told.served.published(SuspensionRequested)
        assert ordered.event.agent == "carlos.rivera"


@rule("COB-3")
async def test_a_cover_is_over_at_its_instant_or_when_the_agent_is_back(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await ready_to_cut(told)
        path = f"/customers/{customer}/suspensions"
        made = (await cover(told, "2026-03-27 00:00", "2026-03-30 00:00")).json()
        ended = await told.served.as_(MANAGER).post(f"/portfolios/covers/{made['id']}/end")
        assert ended.status_code == 200 and not ended.json()["running"]
        assert (await told.served.as_("carlos.rivera").post(path, json={})).status_code == 409
        assert (await told.served.as_("carlos.rivera").get("/worklist?agent=ana.martinez")).status_code == 403
        assert (await cover(told, "2026-03-28 09:00", "2026-03-29 00:00")).status_code == 201
        await told.served.at(local("2026-03-29 00:00"))
        assert (await told.served.as_("carlos.rivera").post(path, json={})).status_code == 409
        assert (await told.get("/portfolios/covers", MANAGER))["items"] == []
        assert len((await told.get("/portfolios/covers?ended=true", MANAGER))["items"]) == 2


async def test_one_stands_in_at_a_time_and_only_people_of_collections(database: OpenDatabase) -> None:
    async with scene(database) as told:
        assert (await cover(told, "2026-03-10 00:00", "2026-03-20 00:00")).status_code == 201
        second = await cover(told, "2026-03-15 00:00", "2026-03-25 00:00", covered_by="lucia.flores")
        assert second.status_code == 409 and "Carlos Rivera" in second.json()["detail"]
        assert (await cover(told, "2026-03-20 00:00", "2026-03-25 00:00", covered_by="lucia.flores")).status_code == 201
        for changed in ({"covered_by": "oscar.banegas"}, {"covered_by": "ana.martinez"}, {"until": local("2026-02-20 00:00").isoformat()}):
            assert (await cover(told, "2026-02-10 00:00", "2026-02-25 00:00", **changed)).status_code == 422, changed
        body = {"reason": "yo misma"}
        assert (await told.served.as_("ana.martinez").post("/portfolios/covers", json=body)).status_code in (403, 422)


@rule("VIP-4")
async def test_a_distribution_is_shown_before_it_is_applied(database: OpenDatabase) -> None:
    async with scene(database) as told:
        for number, amount in enumerate((900, 700, 300, 100)):
            await told.vip(f"C-{number}", assigned_agent=None, monthly_amount=str(amount), plan="dedicado_20")
        body = {"policy": "vip", "agents": ["ana.martinez", "carlos.rivera"], "balance": "amount", "reason": "Reparto de marzo."}
        manager = told.served.as_(MANAGER)
        shown = await manager.post("/portfolios/distributions", json=body)
        assert shown.status_code == 201, shown.text
        after = {each["agent"]: (each["customers_after"], each["amount_after"]["amount"]) for each in shown.json()["shares"]}
        assert after == {None: (0, "0.00"), "ana.martinez": (2, "1000.00"), "carlos.rivera": (2, "1000.00")}
        assert shown.json()["moves"] == 4
        assert await told.served.published(AgentAssigned) == []
        path = f"/portfolios/distributions/{shown.json()['id']}"
        moves = (await told.get(f"{path}/moves", MANAGER))["items"]
        one = moves[0]["customer_id"]
        moved = {"customer_ids": [one], "agent": "lucia.flores", "reason": "Ella lo conoce."}
        assert (await manager.post("/portfolios/assignments", json=moved)).status_code == 201
        done = await manager.post(f"{path}/apply")
        assert (done.json()["moved"], done.json()["changed_meanwhile"]) == (3, 1)
        assert (await told.get(f"/customers/{one}", MANAGER))["agent"]["person"] == "lucia.flores"
        assert (await manager.post(f"{path}/apply")).status_code == 409
        assert (await told.get(path, MANAGER))["applied_by"] == MANAGER
        changes = (await told.get("/portfolios/changes", MANAGER))["items"]
        assert [each["reason"] for each in changes] == ["Reparto de marzo."] * 3 + ["Ella lo conoce."]
        assert len((await told.get("/portfolios/changes?agent=lucia.flores", MANAGER))["items"]) == 1


async def test_a_distribution_needs_agents_who_may_have_customers(database: OpenDatabase) -> None:
    async with scene(database) as told:
        good = {"policy": "vip", "agents": ["ana.martinez"], "reason": "Reparto."}
        wrong = ({"agents": ["oscar.banegas"]}, {"policy": "otra"}, {"zones": {"carlos.rivera": ["SPS"]}})
        for changed in wrong:
            answer = await told.served.as_(MANAGER).post("/portfolios/distributions", json=good | changed)
            assert answer.status_code == 422, changed
        assert (await told.served.as_("ana.martinez").post("/portfolios/distributions", json=good)).status_code == 403
