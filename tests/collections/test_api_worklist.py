"""The day's list: whom to call and why, what is done for today, what may be done next and from when on; and the manager's view of all."""

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from services.collections.app import SERVICE
from services.collections.rules.worklist import ORDER, Reason
from shared.db import new_id
from shared.events.collections import RestrictionRequested
from shared.events.ticketing import ServiceRestricted
from tests.collections.api_scene import OpenDatabase, Scene, local, scene
from tests.support.rules import rule
from tests.support.service import operator, serve

MANAGER = "marta.zelaya"


async def items(told: Scene, query: str = "", person: str = "ana.martinez") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await told.get(f"/worklist{query}", person))["items"]
    return found


async def talk(told: Scene, customer_id: UUID, kind: str = "follow_up") -> None:
    body = {"kind": kind, "channel": "teléfono", "said": "Dice que paga el viernes."}
    answer = await told.served.as_("ana.martinez").post(f"/customers/{customer_id}/contacts", json=body)
    assert answer.status_code == 201, answer.text
    await told.served.work()


def names(found: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    return [(each["name"][-3:], each["reasons"][0]["reason"], each["done_today"]) for each in found]


@rule("VIP-8", "VIP-7")
async def test_a_contact_does_the_days_work_until_something_new_comes_up(database: OpenDatabase) -> None:
    async with scene(database) as told:
        large, small = await told.vip("C-1"), await told.vip("C-2")
        for customer, amount in ((large, "900.00"), (small, "100.00")):
            invoice = await told.invoice(customer, amount)
            answer = await told.served.as_("ana.martinez").post(
                f"/customers/{customer}/invoice-dispatches", json={"invoice_id": str(invoice)}
            )
            assert answer.status_code == 202
            await talk(told, customer, "receipt_confirmed")
        await told.served.at(local("2026-03-16 09:00"))
        assert names(await items(told)) == [("C-1", "follow_up", False), ("C-2", "follow_up", False)]
        await talk(told, large)
        assert names(await items(told)) == [("C-2", "follow_up", False), ("C-1", "follow_up", True)]
        due = {"amount": {"amount": "900.00", "currency": "USD"}, "due_at": local("2026-03-16 15:00").isoformat()}
        assert (await told.served.as_("ana.martinez").post(f"/customers/{large}/promises", json=due)).status_code == 201
        await told.served.at(local("2026-03-16 16:00"))
        assert names(await items(told)) == [("C-1", "promise_broken", False), ("C-2", "follow_up", False)]
        await talk(told, large)
        await talk(told, small)
        assert [each["done_today"] for each in await items(told)] == [True, True]
        await told.served.at(local("2026-03-17 08:00"))
        assert names(await items(told)) == [("C-1", "promise_broken", False), ("C-2", "follow_up", False)]


@rule("VIP-8")
async def test_the_list_by_debt_by_days_and_by_name_as_it_is_now(database: OpenDatabase) -> None:
    """Also of an agent and of those for whom it stands in, whose lists are read one by one."""
    async with scene(database) as told:
        for code, amount, period in (("C-1", "900.00", "2026-03"), ("C-2", "100.00", "2026-02"), ("C-3", "500.00", "2026-03")):
            await told.invoice(await told.vip(code), amount, period)

        async def sorted_by(sort: str, person: str = MANAGER) -> list[tuple[str, int]]:
            first = await told.get(f"/worklist?limit=2&sort={sort}", person)
            rest = await told.get(f"/worklist?limit=2&sort={sort}&cursor={first['next']}", person)
            return [(each["name"][-3:], each["days_overdue"]) for each in first["items"] + rest["items"]]

        await told.served.at(local("2026-03-03 09:00"))
        assert await sorted_by("-days_overdue") == [("C-2", 26), ("C-1", 0), ("C-3", 0)]
        await told.served.at(local("2026-03-08 09:00"))
        for person in (MANAGER, "ana.martinez"):
            assert await sorted_by("-days_overdue", person) == [("C-2", 31), ("C-1", 3), ("C-3", 3)]
            assert await sorted_by("days_overdue", person) == [("C-3", 3), ("C-1", 3), ("C-2", 31)]
            assert await sorted_by("-owed", person) == [("C-1", 3), ("C-3", 3), ("C-2", 31)]
            assert await sorted_by("name", person) == [("C-1", 3), ("C-2", 31), ("C-3", 3)]


@rule("VIP-5", "VIP-7")
async def test_a_sent_invoice_is_no_talk(database: OpenDatabase) -> None:
    """What is to be done after the sending is done with the customer, and the sending itself by nobody else."""
    async with scene(database) as told:
        customer = await told.vip()
        invoice = await told.invoice(customer)
        await talk(told, customer)
        assert names(await items(told)) == [("C-1", "invoice_not_sent", False)]
        await told.served.as_("ana.martinez").post(f"/customers/{customer}/invoice-dispatches", json={"invoice_id": str(invoice)})
        await told.served.work()
        assert names(await items(told)) == [("C-1", "receipt_not_confirmed", False)]


@rule("VIP-8", "VIP-10", "VIP-12")
async def test_the_next_step_is_shown_with_the_instant_from_which_it_is_allowed(database: OpenDatabase) -> None:
    async with scene(database) as told:
        customer = await told.vip()
        await told.invoice(customer)
        await told.served.at(local("2026-03-03 09:00"))
        [item] = await items(told)
        step = item["next_step"]
        assert (step["action"], step["allowed"], step["allowed_from"]) == ("notice", False, "2026-03-06T06:00:00Z")
        await told.served.at(local("2026-03-26 09:00"))
        [item] = await items(told)
        assert (item["next_step"]["action"], item["next_step"]["allowed"]) == ("notice", True)
        await told.served.as_("ana.martinez").post(f"/customers/{customer}/suspension-notices", json={})
        await told.notice_accepted()
        [item] = await items(told)
        assert (item["next_step"]["action"], item["next_step"]["allowed_from"]) == ("suspend", "2026-03-28T06:00:00Z")
        assert item["next_step"]["by"] == "solo el gestor asignado: Ana Martínez"
        await told.served.at(local("2026-03-28 00:00"))
        assert names(await items(told, "?reason=cut_possible")) == [("C-1", "cut_possible", False)]
        assert await items(told, "?reason=follow_up") == []


@rule("VIP-31")
async def test_the_manager_sees_what_all_agents_did_and_have_to_do(database: OpenDatabase) -> None:
    async with scene(database) as told:
        mine, other = await told.vip("C-1"), await told.vip("C-2", assigned_agent="carlos.rivera")
        await told.vip("C-3", assigned_agent=None)
        for customer in (mine, other):
            await told.invoice(customer)
        await told.served.at(local("2026-03-26 09:00"))
        await talk(told, mine)
        await told.served.as_("ana.martinez").post(f"/customers/{mine}/suspension-notices", json={})
        await told.notice_accepted()
        await told.served.at(local("2026-03-28 09:00"))
        assert (await told.served.as_("ana.martinez").post(f"/customers/{mine}/suspensions", json={})).status_code == 202
        await told.suspended()
        report = await told.get("/portfolios/activity?from_day=2026-03-01&to_day=2026-03-31", MANAGER)
        found = {each["agent"]: each for each in report["agents"]}
        assert found["ana.martinez"]["done"] == {"follow_up": 1, "notice": 1, "suspension": 1}
        assert found["carlos.rivera"]["to_do"] == {"notice_to_send": 1}
        assert found["carlos.rivera"]["done"] == {}
        today = await told.get("/portfolios/activity", MANAGER)
        assert {each["agent"]: each["done"] for each in today["agents"]}["ana.martinez"] == {"suspension": 1}
        assert (await told.served.as_("ana.martinez").get("/portfolios/activity")).status_code == 403
        wrong = await told.served.as_(MANAGER).get("/portfolios/activity?from_day=2026-03-10&to_day=2026-03-01")
        assert wrong.status_code == 422


@rule("VIP-8")
async def test_what_the_system_decides_is_followed_up_by_agents_where_the_policy_says_so(database: OpenDatabase) -> None:
    """Only those who have an agent; without `worked_by_agents` none is listed."""
    home = operator().policy("residencial")
    for worked, wanted in ((False, []), (True, [("C-1", "follow_up", False)])):
        policies = {**operator().policies, "residencial": home.model_copy(update={"worked_by_agents": worked})}
        documents = operator().model_copy(update={"policies": policies})
        async with serve(SERVICE, await database("collections"), local("2026-03-01 07:00"), using=documents) as served:
            told = Scene(served)
            for code, agent in (("C-1", "ana.martinez"), ("C-2", None)):
                customer = await told.customer(code, plan="hogar_50", kind="residential", assigned_agent=agent)
                await told.invoice(customer, "40.00", due_date=local("2026-03-10 12:00").date())
            await told.served.at(local("2026-03-16 09:00"))
            assert names(await items(told, person=MANAGER)) == wanted


@asynccontextmanager
async def restricted_home(database: OpenDatabase) -> AsyncIterator[Scene]:
    """Two homes of Ana's that owe: C-1 is restricted at nine on the 17th, C-2 has something that a third party delivers."""
    home = operator().policy("residencial")
    policies = {**operator().policies, "residencial": home.model_copy(update={"worked_by_agents": True})}
    documents = operator().model_copy(update={"policies": policies})
    async with serve(SERVICE, await database("collections"), local("2026-03-01 07:00"), using=documents) as served:
        told = Scene(served)
        for code, delivery in (("C-1", "own"), ("C-2", "third_party")):
            customer = await told.customer(code, plan="hogar_50", kind="residential", delivery=delivery)
            await told.invoice(customer, "40.00", due_date=local("2026-03-10 12:00").date())
        first = next(iter(told.invoices))
        await served.at(local("2026-03-17 08:00"))
        await talk(told, first)
        assert names(await items(told)) == [("C-2", "follow_up", False), ("C-1", "follow_up", True)]
        await served.at(local("2026-03-17 09:00"))
        [order] = await served.published(RestrictionRequested)
        done = {"restriction_id": order.event.restriction_id, "ticket_id": new_id(), "customer_id": first}
        await served.deliver(ServiceRestricted.model_validate({**done, "restricted_at": local("2026-03-17 09:00")}))
        await served.work()
        yield told


@rule("RES-9")
async def test_who_sees_only_the_payment_page_is_to_be_called_again(database: OpenDatabase) -> None:
    """Whoever spoke with it before the restriction has not spoken of that."""
    async with restricted_home(database) as told:
        assert names(await items(told)) == [("C-1", "restricted", False), ("C-2", "follow_up", False)]
        [item] = await items(told, "?reason=restricted")
        assert [each["reason"] for each in item["reasons"]] == ["restricted", "follow_up"]
        assert item["status"]["label"] == "RESTRINGIDO POR FALTA DE PAGO"
        report = await told.get("/portfolios/activity", MANAGER)
        assert {each["agent"]: each["to_do"] for each in report["agents"]}["ana.martinez"] == {"restricted": 1, "follow_up": 1}
        await told.served.at(local("2026-03-17 10:00"))
        await talk(told, next(iter(told.invoices)))
        assert names(await items(told)) == [("C-2", "follow_up", False), ("C-1", "restricted", True)]


async def test_a_list_from_before_restrictions_had_a_reason_keeps_its_order(database: OpenDatabase) -> None:
    """What was listed as the ninth, tenth and eleventh reason is one place further back; who is restricted gets the new one."""
    step = importlib.import_module("services.collections.migrations.0017_restricted_in_the_worklist")
    place, follow_up = ORDER.index(Reason.RESTRICTED), ORDER.index(Reason.FOLLOW_UP)
    listed = "SELECT urgency FROM worklist w JOIN account a ON a.id = w.account_id ORDER BY external_id"
    async with restricted_home(database) as told:
        await told.served.sql(f"UPDATE worklist SET urgency = {follow_up - 1}")
        await told.served.sql(step.MAKE_ROOM)
        assert [row.urgency for row in await told.served.sql(listed)] == [follow_up, follow_up]
        await told.served.sql(step.LOOK_AGAIN)
        await told.served.work()
        assert [row.urgency for row in await told.served.sql(listed)] == [place, follow_up]
