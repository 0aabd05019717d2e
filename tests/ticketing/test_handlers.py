"""The ways of a cut and of a reconnection, as the other services and the people see them."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from decimal import Decimal

from services.ticketing.models import Suspension
from services.ticketing.operations import suspensions
from shared.db import Database
from shared.events.collections import AgentAssigned
from shared.events.ticketing import ServiceReconnected, SwitchUnresolved, TicketClosed, TicketOpened
from tests.support.rules import rule
from tests.ticketing.support import START, Debtor, is_on, plan, story, ticketing, tickets

Open = Callable[[str], Awaitable[Database]]


@rule("VIP-13", "VIP-15")
async def test_own_delivery_the_switch_closes_the_ticket_by_itself(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await served.deliver(*debtor.known(), debtor.requested())
        opened = (await served.published(TicketOpened))[0].event
        assert (opened.kind, opened.desk, opened.requested_by) == ("SUSPENSION CLIENTE VIP", "cobros", "ana.martinez")
        assert await story(served) == []
        await served.work()
        closed = (await served.published(TicketClosed))[0].event
        assert (closed.outcome, closed.request_id, closed.requested_by) == ("suspended", debtor.suspension_id, "ana.martinez")
        assert await story(served) == ["ServiceSuspended"]
        assert not await is_on(served)


@rule("VIP-21", "VIP-24")
async def test_own_delivery_is_reconnected_directly_by_a_ticket_that_closes_itself(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await served.deliver(*debtor.known(), debtor.requested())
        await served.work()
        wanted = debtor.reconnection("payment_plan")
        await served.deliver(wanted)
        await served.work()
        assert await tickets(served) == [("SUSPENSION CLIENTE VIP", "suspended"), ("RECONEXION CLIENTE VIP", "reconnected")]
        told = (await served.published(ServiceReconnected))[0].event
        assert (told.reconnection_id, told.basis, told.target_status) == (wanted.reconnection_id, "payment_plan", "temporary_active")
        assert await is_on(served)


@rule("COB-1")
async def test_a_service_on_hold_stays_on(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor(logins=("hotel-01", "hotel-02"))
        registered = debtor.registered()
        spared = registered.services[0].service_id
        await served.deliver(registered, debtor.issued(), debtor.requested().model_copy(update={"except_services": [spared]}))
        await served.work()
        assert await story(served) == ["ServiceSuspended"]
        switched = await served.sql("SELECT service_id, action FROM network_switch")
        assert [(row.service_id, row.action) for row in switched] == [(registered.services[1].service_id, "suspend")]
        [ticket] = await served.sql("SELECT facts::text AS facts FROM ticket")
        assert str(spared) in ticket.facts
        await served.deliver(debtor.reconnection())
        await served.work()
        assert await story(served) == ["ServiceSuspended", "ServiceReconnected"]


async def test_events_that_come_twice_change_nothing(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await served.deliver(*debtor.known(), debtor.requested(), debtor.requested())
        await served.work()
        await served.deliver(debtor.requested(), debtor.reconnection(), debtor.reconnection())
        await served.work()
        await served.deliver(debtor.reconnection())
        assert await story(served) == ["ServiceSuspended", "ServiceReconnected"]
        assert len(await tickets(served)) == 2


async def test_an_order_waits_for_what_billing_has_not_told_yet(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await served.deliver(debtor.requested())
        assert await tickets(served) == []
        await served.deliver(debtor.registered())
        assert await tickets(served) == []
        await served.deliver(debtor.issued())
        assert await tickets(served) == [("SUSPENSION CLIENTE VIP", None)]


async def test_a_payment_before_the_switch_is_claimed_cancels_the_cut(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await served.deliver(*debtor.known(), debtor.requested(), debtor.reported())
        await served.work()
        assert await story(served) == ["SuspensionCancelled (payment)"]
        assert await tickets(served) == [("SUSPENSION CLIENTE VIP", "cancelled")]
        assert await is_on(served)


async def test_a_part_of_the_debt_cancels_only_where_any_payment_counts(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        strict, mild = Debtor(logins=["a"]), Debtor(logins=["b"], release_on="any")
        for debtor in (strict, mild):
            await served.deliver(*debtor.known(), debtor.requested(), debtor.reported(Decimal("574.99")))
        await served.work()
        assert await story(served) == ["SuspensionCancelled (payment)", "ServiceSuspended"]
        assert (await is_on(served, "a"), await is_on(served, "b")) == (False, True)


async def test_a_payment_after_the_cut_is_for_collections_to_decide_on(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await served.deliver(*debtor.known(), debtor.requested())
        await served.work()
        await served.at(START + timedelta(hours=1))
        await served.deliver(debtor.reported(at=START + timedelta(hours=1)))
        await served.work()
        assert await story(served) == ["ServiceSuspended"]


async def test_a_payment_reported_before_the_cut_and_heard_of_after_it_reconnects(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        payment = debtor.reported(at=START - timedelta(minutes=1))
        await served.deliver(*debtor.known(), debtor.requested())
        await served.work()
        await served.deliver(payment)
        await served.work()
        assert await story(served) == ["ServiceSuspended", "ReconnectionOrdered (payment)", "ServiceReconnected"]


async def test_at_the_same_simulated_instant_the_machine_tells_which_came_first(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        early, late = Debtor(logins=["a"]), Debtor(logins=["b"])
        before = early.reported()
        for debtor in (early, late):
            await served.deliver(*debtor.known(), debtor.requested())
        await served.work()
        await served.deliver(before, late.reported())
        await served.work()
        assert (await is_on(served, "a"), await is_on(served, "b")) == (True, False)


async def test_a_customer_who_came_suspended_is_reconnected(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await served.deliver(*debtor.known(), debtor.reconnection("payment"))
        await served.work()
        assert await story(served) == ["ServiceReconnected"]


async def test_a_reconnection_that_waited_for_a_cut_that_never_was_is_void(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await served.deliver(*debtor.known(), debtor.requested())
        await served.deliver(debtor.reconnection())
        await served.work()
        assert await story(served) == ["SuspensionCancelled (withdrawn)"]
        assert [row.state for row in await served.sql("SELECT state FROM reconnection")] == ["VOID"]


async def test_a_cut_that_was_done_although_its_order_had_fallen_is_taken_back(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor, operator, now = Debtor(), served.runtime.operator, await served.now()
        await served.deliver(*debtor.known(), debtor.requested(), debtor.withdrawn())
        async with served.runtime.database.transaction() as session:
            order = await session.get_one(Suspension, debtor.suspension_id)
            order.withdrawn_at = None  # it fell by itself
            await suspensions.carry_out(session, order=order, proof=[], now=now)
            await suspensions.after_cut(session, order=order, operator=operator, now=now)
        assert (await story(served))[1:] == ["ServiceSuspended", "ReconnectionOrdered (withdrawn)"]


async def test_a_service_s_last_day_is_the_operator_s(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        registered = debtor.registered()
        sold = registered.services[0].model_copy(update={"active_to": date(2026, 3, 28)})
        await served.at(START + timedelta(hours=11))  # 20:00 of that day, and the 29th in Greenwich
        await served.deliver(registered.model_copy(update={"services": [sold]}), debtor.issued(), debtor.requested())
        await served.work()
        assert await story(served) == ["ServiceSuspended"]


async def test_a_refused_cut_is_told_and_collections_decides_anew(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await plan(served, "refused")
        await served.deliver(*debtor.known(), debtor.requested(), debtor.withdrawn())
        assert await story(served) == ["SuspensionCancelled (withdrawn)"]
        again = Debtor(logins=["hotel-01"])
        await served.deliver(*again.known(), again.requested())
        await served.work()
        assert (await story(served))[1:] == ["SuspensionCancelled (refused)"]
        assert [each.event.outcome for each in await served.published(SwitchUnresolved)] == ["refused"]


async def test_a_refused_reconnection_stays_open_with_engineering_until_the_service_is_on(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await plan(served, "done,refused,done")
        await served.deliver(*debtor.known(), debtor.requested())
        await served.work()
        await served.deliver(debtor.reconnection())
        await served.work()
        assert await story(served) == ["ServiceSuspended"]
        engineer = served.as_("oscar.banegas")
        task = (await engineer.get("/tasks")).json()["items"][0]
        assert (task["step"], task["kind"]) == ("revisar", "RECONEXION CLIENTE VIP")
        answer = await engineer.post(
            f"/tickets/{task['ticket_id']}/steps/revisar/finish",
            json={"outcome": "again", "comment": "El puerto estaba bloqueado"},
            headers={"if-match": str(task["version"])},
        )
        assert answer.status_code == 200
        await served.work()
        assert await story(served) == ["ServiceSuspended", "ServiceReconnected"]
        assert await is_on(served)


async def test_a_cut_refused_in_part_is_taken_back(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor(logins=["a", "b"])
        await plan(served, "refused", login="b")
        await served.deliver(*debtor.known(), debtor.requested())
        await served.work()
        assert (await is_on(served, "a"), await is_on(served, "b")) == (True, True)
        assert await story(served) == ["SuspensionCancelled (refused)"]
        assert [row.active for row in await served.sql("SELECT active FROM simulated_service WHERE login = 'a'")] == [True]


async def test_a_voided_invoice_takes_the_ground_from_a_cut(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        await served.deliver(*debtor.known(), debtor.requested(), debtor.voided())
        await served.work()
        assert await story(served) == ["SuspensionCancelled (withdrawn)"]


async def test_money_that_was_left_over_stops_a_cut_too(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        part = debtor.reported(Decimal("500"))
        await served.deliver(*debtor.known(), part, debtor.requested())
        assert await story(served) == []
        await served.deliver(debtor.allocated(part, Decimal("75")))
        assert await story(served) == ["SuspensionCancelled (payment)"]


async def test_a_rejected_payment_counts_for_nothing_and_a_confirmed_one_once(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor()
        false, part = debtor.reported(), debtor.reported(Decimal("300"))
        await served.deliver(*debtor.known(), false, debtor.rejected(false), part, debtor.confirmed(part), debtor.requested())
        await served.deliver(debtor.confirmed(part))
        await served.work()
        assert await story(served) == ["ServiceSuspended"]


async def test_where_any_payment_counts_one_that_collections_knew_does_not(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor(release_on="any")
        known = debtor.reported(Decimal("100"), at=START - timedelta(days=5))
        await served.deliver(*debtor.known(), known, debtor.confirmed(known), debtor.requested())
        await served.work()
        assert await story(served) == ["ServiceSuspended"]


async def test_the_portfolio_goes_before_the_agent_that_the_source_names(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor(delivery="third_party", asks="sistema", agent="ana.martinez")
        given = AgentAssigned(customer_id=debtor.id, agent="lucia.flores", assigned_by="marta.zelaya", assigned_at=START)
        await served.deliver(given, *debtor.known(), debtor.requested())
        assert [row.agent for row in await served.sql("SELECT agent FROM ticket")] == ["lucia.flores"]


async def test_of_two_changes_in_one_batch_the_later_one_counts(database: Open) -> None:
    async with ticketing(await database("ticketing")) as served:
        debtor = Debtor(delivery="third_party")
        agents = [
            AgentAssigned(customer_id=debtor.id, agent=agent, assigned_by="marta.zelaya", assigned_at=START)
            for agent in ("ana.martinez", "lucia.flores")
        ]
        states = [debtor.registered().model_copy(update={"name": name}) for name in ("Antes S.A.", "Después S.A.")]
        await served.deliver(*states, *agents)
        found = await served.sql("SELECT c.name, p.agent FROM customer c JOIN portfolio p ON p.customer_id = c.id")
        assert [tuple(row) for row in found] == [("Después S.A.", "lucia.flores")]
