"""Holds: who is left out of notices and cuts, why, who answers for it, and until when; it ends by itself."""

from typing import Any
from uuid import UUID

import pytest

from shared.db import new_id
from shared.events.billing import ServiceSold
from shared.events.collections import HoldEnded, HoldPlaced, SuspensionRequested, SuspensionWithdrawn
from tests.collections.api_scene import OpenDatabase, Scene, local, registered, scene
from tests.support.rules import rule

MANAGER = "marta.zelaya"
REASON = "La gerencia revisa el contrato."


async def place(told: Scene, customer_id: UUID, until: str, person: str = MANAGER, **more: Any) -> Any:
    body = {"reason": REASON, "owner": MANAGER, "until": local(until).isoformat()} | more
    answer = await told.served.as_(person).post(f"/customers/{customer_id}/holds", json=body)
    await told.served.work()
    return answer


async def actions(told: Scene, customer_id: UUID) -> dict[str, dict[str, Any]]:
    found = await told.get(f"/customers/{customer_id}/explanation")
    return {each["action"]: each for each in (*found["may"], *found["may_not"])}


@rule("COB-1")
async def test_a_held_customer_is_neither_told_nor_cut_and_everybody_sees_why(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        await told.invoice(customer)
        await told.served.at(local("2026-03-26 09:00"))
        assert (await actions(told, customer))["notice"]["allowed"]
        made = await place(told, customer, "2026-04-01 00:00")
        assert made.status_code == 201, made.text
        found = await actions(told, customer)
        for action in ("notice", "suspend"):
            hold = next(each for each in found[action]["obstacles"] if each["rule"]["id"] == "COB-1")
            assert hold["until"] == "2026-04-01T06:00:00Z"
            assert "Marta Zelaya" in hold["reason"] and "La gerencia revisa el contrato" in hold["reason"]
        refused = await told.served.as_("ana.martinez").post(f"/customers/{customer}/suspension-notices", json={})
        assert (refused.status_code, refused.json()["rule"]) == (409, "COB-1")
        listed = (await told.get("/worklist"))["items"]
        assert [[each["owner"] for each in item["holds"]] for item in listed] == [[MANAGER]]
        assert "notice_to_send" not in {each["reason"] for each in listed[0]["reasons"]}
        assert [each["until"] for each in (await told.get(f"/customers/{customer}"))["holds"]] == ["2026-04-01T06:00:00Z"]
        held = (await told.get("/holds", MANAGER))["items"]
        assert [(each["customer_name"], each["running"], each["owner_name"]) for each in held] == [("Cliente C-1", True, "Marta Zelaya")]


@rule("COB-1")
async def test_a_hold_ends_by_itself_and_the_run_goes_on(database: OpenDatabase) -> None:
    """The cut of the 20th at 9:00 is done when the hold is over."""
    async with scene(database) as told:
        customer = await told.customer(plan="hogar_50", kind="residential", assigned_agent=None)
        await told.invoice(customer, "40.00", due_date=local("2026-03-10 12:00").date())
        await place(told, customer, "2026-03-22 08:00")
        await told.served.at(local("2026-03-21 20:00"))
        assert await told.served.published(SuspensionRequested, HoldEnded) == []
        await told.served.at(local("2026-03-22 12:00"))
        [ended] = await told.served.published(HoldEnded)
        assert (ended.event.cause, ended.event.ended_at, ended.event.ended_by) == ("expired", local("2026-03-22 08:00"), "sistema")
        [cut] = await told.served.published(SuspensionRequested)
        assert cut.event.requested_at == local("2026-03-22 08:00")
        kinds = [each["kind"] for each in (await told.get(f"/customers/{customer}/timeline", MANAGER))["items"]]
        assert {"hold", "hold_ended"} <= set(kinds)


@rule("COB-1")
async def test_a_hold_takes_an_order_to_cut_back_that_is_out(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.customer(plan="hogar_50", kind="residential", assigned_agent=None)
        await told.invoice(customer, "40.00", due_date=local("2026-03-10 12:00").date())
        await told.served.at(local("2026-03-20 09:00"))
        [ordered] = await told.served.published(SuspensionRequested)
        await place(told, customer, "2026-03-25 00:00")
        [withdrawn] = await told.served.published(SuspensionWithdrawn)
        assert withdrawn.event.suspension_id == ordered.event.suspension_id
        assert "La gerencia revisa el contrato" in withdrawn.event.reason


@rule("COB-1")
async def test_a_service_on_hold_stays_on_and_all_of_them_are_the_customer(database: OpenDatabase) -> None:
    async with scene(database) as told:
        event = registered(plan="hogar_50", kind="residential", assigned_agent=None)
        first = event.services[0]
        second = ServiceSold(**{**first.model_dump(), "service_id": new_id()})
        await told.served.deliver(event.model_copy(update={"services": [first, second]}))
        await told.served.work()
        customer = event.customer_id
        await told.invoice(customer, "40.00", due_date=local("2026-03-10 12:00").date())
        assert (await place(told, customer, "2026-03-21 00:00", service_id=str(first.service_id))).status_code == 201
        await told.served.at(local("2026-03-19 09:00"))
        assert "COB-1" not in {each["rule"]["id"] for each in (await actions(told, customer))["suspend"]["obstacles"]}
        other = await place(told, customer, "2026-03-20 10:00", service_id=str(second.service_id))
        assert other.status_code == 201
        assert "COB-1" in {each["rule"]["id"] for each in (await actions(told, customer))["suspend"]["obstacles"]}
        await told.served.at(local("2026-03-20 12:00"))
        [cut] = await told.served.published(SuspensionRequested)
        assert (cut.event.requested_at, cut.event.except_services) == (local("2026-03-20 10:00"), [first.service_id])


async def test_a_hold_is_ended_early_with_the_reason(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        hold = (await place(told, customer, "2026-04-01 00:00")).json()
        path = f"/holds/{hold['id']}/end"
        assert (await told.served.as_("ana.martinez").post(path, json={"reason": "ya no"})).status_code == 403
        ended = await told.served.as_(MANAGER).post(path, json={"reason": "Firmó el contrato."})
        assert ended.status_code == 200, ended.text
        assert (ended.json()["running"], ended.json()["ended_by"]) == (False, MANAGER)
        [event] = await told.served.published(HoldEnded)
        assert (event.event.cause, event.event.reason) == ("ended", "Firmó el contrato.")
        assert (await told.served.as_(MANAGER).post(path, json={"reason": "otra vez"})).status_code == 409
        assert (await told.get("/holds", MANAGER))["items"] == []
        assert len((await told.get("/holds?ended=true", MANAGER))["items"]) == 1
        again = await place(told, customer, "2026-04-02 00:00")
        assert again.status_code == 201


@pytest.mark.parametrize(
    ("until", "changed", "field"),
    [
        ("2026-04-01 00:00", {"owner": "pedro.nadie"}, "owner"),
        ("2026-02-01 00:00", {}, "until"),
        ("2026-04-01 00:00", {"service_id": str(new_id())}, "service_id"),
    ],
)
async def test_what_a_hold_needs(database: OpenDatabase, until: str, changed: dict[str, str], field: str) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        answer = await place(told, customer, until, **changed)
        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["errors"]] == [field]
        assert await told.served.published(HoldPlaced) == []


async def test_agents_do_not_place_holds_and_one_is_enough(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        assert (await place(told, customer, "2026-04-01 00:00", person="ana.martinez")).status_code == 403
        assert (await place(told, customer, "2026-04-01 00:00")).status_code == 201
        second = await place(told, customer, "2026-04-02 00:00")
        assert second.status_code == 409 and "termina el miércoles 1 de abril" in second.json()["detail"]
