"""«Simular el corte» over HTTP: shown in the background, approved up to the cap, done as shown, and the difference explained."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any
from uuid import UUID

from services.collections.app import SERVICE
from shared.events.collections import ReminderRequested, SuspensionRequested
from shared.operator.policies import Approval
from tests.bench.accounts import EVENING, NOON, ORDINARY, fill
from tests.collections.api_scene import OpenDatabase, Scene, local, scene
from tests.support.rules import rule
from tests.support.service import operator, serve

MANAGER = "marta.zelaya"


@asynccontextmanager
async def approving(database: OpenDatabase, cap: int | None, order: str = "largest_debt") -> AsyncIterator[Scene]:
    """Collections where a manager approves the cuts of a day of residential customers."""
    home = operator().policy("residencial")
    wanted = Approval(daily_cap=cap, order=order, rule="COB-2")
    changed = home.model_copy(update={"suspension": home.suspension.model_copy(update={"approval": wanted})})
    documents = operator().model_copy(update={"policies": {**operator().policies, "residencial": changed}})
    async with serve(SERVICE, await database("collections"), local("2026-03-01 07:00"), using=documents) as served:
        yield Scene(served)


async def homes(told: Scene, *amounts: str) -> list[UUID]:
    """Residential customers who owe so much since the 10th; the cut is due on the 20th at 9:00."""
    found = []
    for number, amount in enumerate(amounts):
        customer = await told.customer(f"C-{number}", plan="hogar_50", kind="residential", assigned_agent=None, monthly_amount="39.90")
        await told.invoice(customer, amount, due_date=date(2026, 3, 10))
        found.append(customer)
    return found


async def simulated(told: Scene, day: str, person: str = MANAGER, **more: str) -> dict[str, Any]:
    """A simulation of a day, worked out."""
    answer = await told.served.as_(person).post("/cut-simulations", json={"day": day, **more})
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "QUEUED"
    await told.served.work()
    done: dict[str, Any] = await told.get(f"/cut-simulations/{answer.json()['id']}", person)
    assert (done["state"], done["progress"]) == ("DONE", 1.0)
    return done


async def steps(told: Scene, simulation: dict[str, Any], kind: str = "CUT", person: str = MANAGER) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await told.get(f"/cut-simulations/{simulation['id']}/steps?kind={kind}&limit=200", person))["items"]
    return found


async def test_a_whole_book_is_shown_and_then_done_as_shown(database: OpenDatabase) -> None:
    async with serve(SERVICE, await database("collections"), EVENING) as served:
        await fill(served.runtime.database, 300)
        told = Scene(served)
        simulation = await simulated(told, "2026-03-20")
        totals = {(each["policy"], each["kind"]): each for each in simulation["totals"]}
        cuts = 3 * (ORDINARY["cut"] + ORDINARY["plan"] + ORDINARY["promise"])
        assert totals["residencial", "CUT"]["customers"] == cuts
        assert totals["residencial", "CUT"]["monthly"]["amount"] == f"{cuts * 39.9:.2f}"
        shown = {(each["customer_id"], each["at"]) for each in await steps(told, simulation)}
        reminded = {each["customer_id"] for each in await steps(told, simulation, "REMIND")}
        await served.at(NOON)
        done = {(str(each.event.customer_id), each.event.requested_at) for each in await served.published(SuspensionRequested)}
        assert shown == {(customer, at.isoformat().replace("+00:00", "Z")) for customer, at in done}
        assert reminded == {str(each.event.customer_id) for each in await served.published(ReminderRequested)}
        compared = await told.get(f"/cut-simulations/{simulation['id']}/difference", MANAGER)
        assert (compared["shown"], compared["done"], compared["items"]) == (cuts, cuts, [])


@rule("COB-2")
async def test_only_what_was_approved_is_cut_up_to_the_cap_and_the_difference_says_why(database: OpenDatabase) -> None:
    async with approving(database, cap=3) as told:
        large, paid, held, left_out, small, small_too = await homes(told, "90.00", "80.00", "70.00", "65.00", "60.00", "50.00")
        await told.served.at(local("2026-03-19 18:00"))
        simulation = await simulated(told, "2026-03-20", policy="residencial")
        shown = await steps(told, simulation)
        assert [each["amount"]["amount"] for each in shown] == ["90.00", "80.00", "70.00", "65.00", "60.00", "50.00"]
        assert {each["local"] for each in shown} == {"viernes 20 de marzo a las 09:00"}
        assert {each["rule"]["id"] for each in shown} == {"RES-5"}
        assert shown[0]["mails"] == [
            {
                "notice": "suspension_residencial_cliente",
                "name": "Servicio suspendido por mora, al cliente residencial",
                "to": ["Berta Lara <berta@cliente.example>"],
            }
        ]
        path = f"/cut-simulations/{simulation['id']}/approval"
        assert (await told.served.as_("ana.martinez").post(path, json={})).status_code == 403
        approved = await told.served.as_(MANAGER).post(path, json={"without": [str(left_out)]})
        assert (approved.status_code, approved.json()["approved"]) == (201, 3)
        assert (await told.served.as_(MANAGER).post(path, json={})).status_code == 409
        await told.served.at(local("2026-03-20 08:00"))
        await told.reported(paid, "80.00")
        hold = {"reason": "Se revisa.", "owner": MANAGER, "until": local("2026-03-25 00:00").isoformat()}
        assert (await told.served.as_(MANAGER).post(f"/customers/{held}/holds", json=hold)).status_code == 201
        await told.served.at(local("2026-03-21 12:00"))
        assert [each.event.customer_id for each in await told.served.published(SuspensionRequested)] == [large]
        found = await told.get(f"/cut-simulations/{simulation['id']}/difference", MANAGER)
        assert (found["shown"], found["done"], found["missed_amount"]["amount"]) == (6, 1, "325.00")
        why = {each["customer_id"]: each["why"] for each in found["items"]}
        assert why == {str(paid): "paid", str(held): "hold", str(left_out): "cap", str(small): "cap", str(small_too): "cap"}
        done = (await told.get(f"/cut-simulations/{simulation['id']}/difference?which=done", MANAGER))["items"]
        assert [(each["customer_id"], each["done_at"]) for each in done] == [(str(large), "2026-03-20T15:00:00Z")]


@rule("COB-2")
async def test_without_an_approval_nobody_is_cut_and_each_day_needs_its_own(database: OpenDatabase) -> None:
    async with approving(database, cap=None) as told:
        one, other = await homes(told, "40.00", "30.00")
        await told.served.at(local("2026-03-22 12:00"))
        assert await told.served.published(SuspensionRequested) == []
        explained = await told.get(f"/customers/{one}/explanation", MANAGER)
        suspend = next(each for each in explained["may_not"] if each["action"] == "suspend")
        assert [each["rule"]["id"] for each in suspend["obstacles"]] == ["COB-2"]
        simulation = await simulated(told, "2026-03-23")
        assert {each["local"] for each in await steps(told, simulation)} == {"lunes 23 de marzo a las 09:00"}
        body = {"without": [str(other)]}
        assert (await told.served.as_(MANAGER).post(f"/cut-simulations/{simulation['id']}/approval", json=body)).json()["approved"] == 1
        await told.served.at(local("2026-03-25 12:00"))
        [cut] = await told.served.published(SuspensionRequested)
        assert (cut.event.customer_id, cut.event.requested_at) == (one, local("2026-03-23 09:00"))
        found = await told.get(f"/cut-simulations/{simulation['id']}/difference", MANAGER)
        assert [(each["customer_id"], each["why"]) for each in found["items"]] == [(str(other), "not_approved")]
        late = await told.served.as_(MANAGER).post(f"/cut-simulations/{simulation['id']}/approval", json={})
        assert late.status_code == 409


@rule("COB-1")
async def test_who_is_on_hold_is_shown_apart_with_the_reason(database: OpenDatabase) -> None:
    async with scene(database) as told:
        cut, held = await homes(told, "40.00", "30.00")
        hold = {"reason": "Se revisa.", "owner": MANAGER, "until": local("2026-03-25 00:00").isoformat()}
        assert (await told.served.as_(MANAGER).post(f"/customers/{held}/holds", json=hold)).status_code == 201
        simulation = await simulated(told, "2026-03-20")
        assert [each["customer_id"] for each in await steps(told, simulation)] == [str(cut)]
        [kept_off] = await steps(told, simulation, "HELD_CUT")
        assert (kept_off["customer_id"], kept_off["hold"]["reason"], kept_off["mails"]) == (str(held), "Se revisa.", [])
        later = await simulated(told, "2026-03-25")
        assert [(each["customer_id"], each["local"]) for each in await steps(told, later)] == [
            (str(held), "miércoles 25 de marzo a las 00:00")
        ]


@rule("VIP-31")
async def test_of_vips_it_is_shown_whom_their_agents_could_cut(database: OpenDatabase) -> None:
    """An agent sees its own; the manager all."""
    async with scene(database) as told:
        for code, agent in (("C-1", "ana.martinez"), ("C-2", "carlos.rivera")):
            await told.invoice(await told.vip(code, assigned_agent=agent))
        await told.served.at(local("2026-03-26 09:00"))
        for agent in ("ana.martinez", "carlos.rivera"):
            [item] = (await told.get("/worklist", agent))["items"]
            await told.served.as_(agent).post(f"/customers/{item['customer_id']}/suspension-notices", json={})
            await told.notice_accepted()
        simulation = await simulated(told, "2026-03-28")
        assert [each["agent"] for each in await steps(told, simulation, "CUT_POSSIBLE", "ana.martinez")] == ["ana.martinez"]
        every = await steps(told, simulation, "CUT_POSSIBLE")
        assert sorted(each["agent"] for each in every) == ["ana.martinez", "carlos.rivera"]
        assert {each["mails"][0]["notice"] for each in every} == {"ticket_suspension_cerrado"}
        assert "INGENIERIA SPS" in every[0]["mails"][0]["to"]
        assert await steps(told, simulation) == []
        refused = await told.served.as_(MANAGER).post(f"/cut-simulations/{simulation['id']}/approval", json={})
        assert refused.status_code == 409 and "pide aprobación" in refused.json()["detail"]


async def test_only_days_that_can_be_known_are_simulated(database: OpenDatabase) -> None:
    async with scene(database) as told:
        for body, field in (
            ({"day": "2026-02-28"}, "day"),
            ({"day": "2027-01-01"}, "day"),
            ({"day": "2026-03-02", "policy": "x"}, "policy"),
        ):
            answer = await told.served.as_(MANAGER).post("/cut-simulations", json=body)
            assert [each["field"] for each in answer.json()["errors"]] == [field]
        assert (await told.served.as_("rosa.caceres").post("/cut-simulations", json={"day": "2026-03-02"})).status_code == 403
        assert (await told.get("/cut-simulations", MANAGER))["items"] == []
