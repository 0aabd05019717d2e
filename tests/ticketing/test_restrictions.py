"""Restrictions before the cut: carried out, taken back in time or too late, refused by halves, and replaced by the cut."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from services.ticketing.queries.invariants import CHECKS
from shared.db import Database, new_id
from shared.events.collections import RestrictionReleaseRequested, RestrictionRequested, SuspensionRequested
from shared.events.ticketing import RestrictionEnded, RestrictionUnresolved, ServiceRestricted, ServiceSuspended
from shared.invariants import check
from tests.support.rules import rule
from tests.support.service import Served
from tests.ticketing.support import START, Debtor, is_on, plan, ticketing, tickets

Open = Callable[[str], Awaitable[Database]]
LIMITED, FREED = "RESTRICCION POR MORA", "FIN DE RESTRICCION"


def wanted(debtor: Debtor, *, but: list[UUID] | None = None, restriction: UUID | None = None) -> RestrictionRequested:
    return RestrictionRequested(
        restriction_id=restriction or debtor.suspension_id,
        customer_id=debtor.id,
        procedure="restriccion_residencial",
        release_procedure="liberacion_residencial",
        rule="RES-9",
        reason="Falta de pago",
        amount=debtor.owes,
        currency="USD",
        invoice_ids=[debtor.invoice_id],
        requested_at=START,
        except_services=but or [],
    )


def unwanted(debtor: Debtor, restriction: UUID | None = None) -> RestrictionReleaseRequested:
    return RestrictionReleaseRequested(
        release_id=new_id(),
        restriction_id=restriction or debtor.suspension_id,
        customer_id=debtor.id,
        procedure="liberacion_residencial",
        cause="payment",
        rule="RES-9",
        reason="Se reportó el pago de lo que debía.",
        requested_at=START,
    )


def home(*logins: str) -> Debtor:
    return Debtor(logins=logins or ("hotel-01",), procedure="suspension_residencial", asks="sistema", agent=None)


async def told(served: Served) -> list[str]:
    """What was told of the customer's restriction and cut, in words."""
    words = []
    for each in await served.published(ServiceRestricted, RestrictionEnded, ServiceSuspended):
        outcome = f" ({each.event.outcome})" if isinstance(each.event, RestrictionEnded) else ""
        words.append(type(each.event).__name__ + outcome)
    return words


async def limited(served: Served) -> list[str]:
    """The logins that see only the payment page."""
    return [row.login for row in await served.sql("SELECT login FROM simulated_service WHERE restricted ORDER BY login")]


async def in_order(served: Served) -> bool:
    async with served.runtime.database.transaction() as session:
        return not any([(await check(session, sentence, sql)).count for sentence, sql in CHECKS.items()])


@rule("RES-9")
async def test_a_service_is_restricted_and_released_and_stays_on(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = home("h-1", "h-2")
        await served.deliver(*debtor.known(), wanted(debtor))
        await served.work()
        assert (await told(served), await limited(served)) == (["ServiceRestricted"], ["h-1", "h-2"])
        assert await is_on(served, "h-1")
        [event] = [each.event for each in await served.published(ServiceRestricted)]
        assert sorted((each.action, each.network_login) for each in event.proof) == [("restrict", "h-1"), ("restrict", "h-2")]
        await served.deliver(unwanted(debtor))
        await served.work()
        assert (await told(served), await limited(served)) == (["ServiceRestricted", "RestrictionEnded (released)"], [])
        assert await tickets(served) == [(LIMITED, "restricted"), (FREED, "released")]
        assert await in_order(served)


@rule("RES-9")
async def test_one_that_nobody_has_touched_is_cancelled(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = home()
        await served.deliver(*debtor.known(), wanted(debtor), wanted(debtor), unwanted(debtor))
        await served.work()
        assert (await told(served), await limited(served)) == (["RestrictionEnded (cancelled)"], [])
        assert await served.sql("SELECT 1 FROM simulated_call") == [] and await tickets(served) == [(LIMITED, "cancelled")]
        assert await in_order(served)


@rule("RES-9")
async def test_one_that_cannot_be_stopped_is_released_once_it_is_done(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await plan(served, "unknown,unknown,done")
        debtor = home()
        await served.deliver(*debtor.known(), wanted(debtor))
        await served.work()
        await served.deliver(unwanted(debtor), unwanted(debtor))
        assert await told(served) == []
        await served.at(START + timedelta(hours=2))
        assert (await told(served), await limited(served)) == (["ServiceRestricted", "RestrictionEnded (released)"], [])
        assert await in_order(served)


async def test_a_restriction_that_is_refused_for_one_service_is_taken_off_the_other(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await plan(served, "refused", login="h-2")
        debtor = home("h-1", "h-2")
        await served.deliver(*debtor.known(), wanted(debtor))
        await served.work()
        assert (await told(served), await limited(served)) == (["RestrictionEnded (refused)"], [])
        [unresolved] = [each.event for each in await served.published(RestrictionUnresolved)]
        assert (unresolved.action, unresolved.outcome) == ("restrict", "refused")
        assert await in_order(served)


async def test_a_release_that_the_network_refuses_waits_for_engineering(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await plan(served, "done,refused,done")
        debtor = home()
        await served.deliver(*debtor.known(), wanted(debtor))
        await served.work()
        await served.deliver(unwanted(debtor))
        await served.work()
        assert (await told(served), await limited(served)) == (["ServiceRestricted"], ["hotel-01"])
        async with served.as_("oscar.banegas") as engineer:
            [ticket] = (await engineer.get("/tickets", params={"state": "open"})).json()["items"]
            assert ticket["kind"] == FREED
            again = {"outcome": "again", "captured": {"comentario": "El equipo estaba lleno"}}
            seen = {"If-Match": f'"{ticket["version"]}"'}
            assert (await engineer.post(f"/tickets/{ticket['id']}/steps/revisar/finish", json=again, headers=seen)).status_code == 200
        await served.work()
        assert (await told(served), await limited(served)) == (["ServiceRestricted", "RestrictionEnded (released)"], [])


def cut(debtor: Debtor, but: list[UUID] | None = None) -> SuspensionRequested:
    return debtor.requested().model_copy(update={"suspension_id": new_id(), "except_services": but or []})


@rule("RES-5", "RES-9")
async def test_the_cut_takes_its_place_and_nothing_is_restricted_after_the_reconnection(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = home()
        await served.deliver(*debtor.known(), wanted(debtor))
        await served.work()
        order = cut(debtor)
        await served.deliver(order)
        await served.work()
        assert await told(served) == ["ServiceRestricted", "ServiceSuspended", "RestrictionEnded (suspended)"]
        assert not await is_on(served) and await limited(served) == []
        await served.deliver(debtor.reconnection().model_copy(update={"suspension_id": order.suspension_id}))
        await served.work()
        assert await is_on(served) and await limited(served) == [] and await in_order(served)


@rule("COB-1", "RES-9")
async def test_a_service_that_the_cut_leaves_on_is_released(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = home("h-1", "h-2")
        registered = debtor.registered()
        await served.deliver(registered, debtor.issued(), wanted(debtor))
        await served.work()
        await served.deliver(cut(debtor, [registered.services[1].service_id]))
        await served.work()
        assert await told(served) == ["ServiceRestricted", "ServiceSuspended", "RestrictionEnded (released)"]
        assert (await is_on(served, "h-1"), await is_on(served, "h-2"), await limited(served)) == (False, True, [])
        assert await in_order(served)


@rule("RES-9")
async def test_a_restriction_in_flight_when_the_cut_is_done_does_not_stay(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        await plan(served, "unknown,done")  # the restriction is asked for in vain, the cut goes through before it is asked again
        debtor = home()
        await served.deliver(*debtor.known(), wanted(debtor))
        await served.work()
        await served.deliver(cut(debtor))
        await served.at(START + timedelta(hours=6))
        assert not await is_on(served) and await limited(served) == []
        assert (await told(served))[-1] in ("RestrictionEnded (released)", "RestrictionEnded (suspended)", "ServiceSuspended")
        assert await served.sql("SELECT 1 FROM restriction WHERE state IN ('REQUESTED', 'RESTRICTED', 'RELEASING')") == []
        assert await in_order(served)


async def test_what_is_on_hold_is_spared_and_who_came_to_us_restricted_is_released(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor, brought = home("h-1", "h-2"), home("b-1")
        registered = debtor.registered()
        await served.deliver(registered, debtor.issued(), wanted(debtor, but=[registered.services[0].service_id]))
        await served.deliver(*brought.known(), unwanted(brought, new_id()))
        await served.work()
        assert await limited(served) == ["h-2"]
        assert await told(served) == ["ServiceRestricted", "RestrictionEnded (released)"] or await told(served) == [
            "RestrictionEnded (released)",
            "ServiceRestricted",
        ]
        done = await served.sql("SELECT action, network_login FROM network_switch WHERE state = 'DONE' ORDER BY network_login")
        assert [(row.action, row.network_login) for row in done] == [("release", "b-1"), ("restrict", "h-2")]
        assert await in_order(served)
