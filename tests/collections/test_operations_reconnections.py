"""Back on: by a payment, a promise, a plan or a review, and which status follows (VIP-20, VIP-21, VIP-23)."""

import pytest

from services.collections.operations import orders
from services.collections.operations.changes import lock_account
from services.collections.operations.recovering import hand_to_recovery
from services.collections.rules.terms import Book
from shared.db import rows
from shared.errors import Refused
from shared.events.collections import PaymentPlanBroken, PaymentPlanCompleted, ReconnectionRequested, StatusChanged
from tests.collections.factories import AGENT, Customer, local
from tests.collections.story import OpenDatabase, story
from tests.support.rules import rule


@rule("VIP-20")
async def test_nobody_is_reconnected_for_nothing(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        with pytest.raises(Refused) as uncut:
            await told.reconnect("payment")
        assert uncut.value.rule == "VIP-20"
        await told.cut()
        for basis in ("payment", "promise", "payment_plan", "review"):
            with pytest.raises(Refused) as refused:
                await told.reconnect(basis)
            assert refused.value.rule == "VIP-20"
        await told.tell(told.customer.reported("400.00", local(28, 10), (march, "400.00"), open_after="60"))
        with pytest.raises(Refused) as part:
            await told.reconnect("payment")
        assert "$60.00" in part.value.detail
        assert await told.told(ReconnectionRequested) == []


@rule("VIP-20", "VIP-21")
async def test_a_reported_payment_reconnects_to_activo_temporal_and_its_confirmation_ends_that(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        order = await told.cut()
        payment = told.customer.reported("460.00", local(28, 10), (march, "460.00"))
        await told.tell(payment)
        assert await told.told(ReconnectionRequested) == [], "the agent decides"
        await told.reconnect("payment")
        [asked] = await told.told(ReconnectionRequested)
        assert (asked.suspension_id, asked.basis, asked.target_status, asked.agent) == (order.id, "payment", "temporary_active", AGENT)
        assert asked.procedure == "reconexion_cliente_vip"
        with pytest.raises(Refused):
            await told.reconnect("payment")
        assert await told.status() == "suspended"
        await told.until(local(28, 12))
        await told.tell(told.customer.reconnected(order.id, local(28, 12)))
        assert await told.status() == "temporary_active"
        await told.until(local(30))
        await told.tell(told.customer.confirmed(payment, local(30)), told.customer.paid(march, local(30)))
        assert [each.label for each in await told.told(StatusChanged)] == ["SUSPENDIDO CLIENTE VIP", "ACTIVO TEMPORAL PAGO", "CLIENTE VIP"]


@rule("VIP-9", "VIP-21")
async def test_a_promise_made_at_reconnection_that_fails_brings_cliente_vip_back(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        order = await told.cut()
        await told.promise("460.00", local(30, 17))
        await told.reconnect("promise")
        await told.tell(told.customer.reconnected(order.id, local(28, 10), "promise"))
        assert await told.status() == "temporary_active"
        await told.until(local(30, 18))
        assert await told.status() == "active"
        assert (await told.told(StatusChanged))[-1].rule == "VIP-9"


@rule("VIP-23")
async def test_a_plan_is_plan_de_pago_cobros_until_it_is_broken(database: OpenDatabase) -> None:
    async with story(database, customer=Customer(delivery="third_party")) as told:
        march = told.customer.invoice()
        await told.tell(march)
        order = await told.cut()
        await told.plan(("200.00", local(5, 17, month=4)), ("260.00", local(20, 17, month=4)))
        assert await told.status() == "suspended"
        await told.reconnect("payment_plan")
        [asked] = await told.told(ReconnectionRequested)
        assert (asked.procedure, asked.target_status) == ("reconexion_cliente_vip_terceros", "payment_plan")
        await told.tell(told.customer.reconnected(order.id, local(28, 10), "payment_plan", "payment_plan"))
        assert await told.status() == "payment_plan"
        await told.until(local(5, 9, month=4))
        await told.tell(told.customer.reported("200.00", local(5, 9, month=4), (march, "200.00"), open_after="260"))
        await told.until(local(20, 16, month=4))
        assert await told.status() == "payment_plan" and await told.told(PaymentPlanBroken) == []
        await told.until(local(20, 18, month=4))
        [broken] = await told.told(PaymentPlanBroken)
        assert broken.instalment == 2 and await told.status() == "active"


@rule("VIP-23")
async def test_a_plan_that_is_paid_is_completed(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        await told.plan(("200.00", local(10, 17)), ("260.00", local(20, 17)))
        assert await told.status() == "payment_plan"
        for day, amount in ((9, "200.00"), (19, "260.00")):
            await told.until(local(day))
            await told.tell(told.customer.reported(amount, local(day), (march, amount)))
        assert len(await told.told(PaymentPlanCompleted)) == 1 and await told.status() == "active"


@rule("VIP-21", "VIP-23")
async def test_a_review_is_investigar_until_it_is_concluded(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        order = await told.cut()
        await told.review()
        await told.reconnect("review")
        await told.tell(told.customer.reconnected(order.id, local(28, 10), "review", "under_review"))
        assert [each.label for each in await told.told(StatusChanged)][-1] == "INVESTIGAR"
        await told.until(local(31))
        await told.conclude()
        assert [each.label for each in await told.told(StatusChanged)][-1] == "CLIENTE VIP"


async def test_a_rejected_payment_sends_the_ladder_on_where_the_month_stands(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        order = await told.cut()
        payment = told.customer.reported("460.00", local(28, 10), (march, "460.00"))
        await told.tell(payment)
        await told.reconnect("payment")
        await told.tell(told.customer.reconnected(order.id, local(28, 10)))
        await told.until(local(29))
        await told.tell(told.customer.rejected(payment, local(29)))
        assert await told.status() == "active"
        assert "rechazado" in (await told.told(StatusChanged))[-1].reason


async def test_a_rejection_from_before_the_reconnection_that_is_heard_of_later_ends_it(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        order = await told.cut()
        first = told.customer.reported("200.00", local(28, 9), (march, "200.00"), open_after="260")
        second = told.customer.reported("260.00", local(28, 9), (march, "260.00"))
        await told.tell(first, second)
        await told.until(local(28, 11))
        await told.reconnect("payment")
        await told.until(local(28, 12))
        await told.tell(told.customer.reconnected(order.id, local(28, 12)))
        assert await told.status() == "temporary_active"
        await told.tell(told.customer.rejected(first, local(28, 10)))
        assert await told.status() == "active", "the other payment waits for the bank, and does not cover what is owed"


async def test_what_was_rejected_before_another_payment_reconnects_does_not_end_it(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        order = await told.cut()
        first = told.customer.reported("460.00", local(28, 9), (march, "460.00"))
        await told.tell(first, told.customer.rejected(first, local(28, 9)))
        await told.tell(told.customer.reported("460.00", local(28, 10), (march, "460.00")))
        await told.until(local(28, 11))
        await told.reconnect("payment")
        await told.until(local(28, 12))
        await told.tell(told.customer.reconnected(order.id, local(28, 12)))
        assert await told.status() == "temporary_active"


async def test_a_rejection_ends_what_ticketing_reconnected_by_itself_whenever_it_was_made(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        order = await told.cut()
        first = told.customer.reported("200.00", local(28, 9), (march, "200.00"), open_after="260")
        second = told.customer.reported("260.00", local(28, 9), (march, "260.00"))
        await told.tell(told.customer.ordered(order.id, local(28, 11)), first, second)
        await told.until(local(28, 12))
        await told.tell(told.customer.reconnected(order.id, local(28, 12)))
        await told.tell(told.customer.rejected(first, local(28, 10)))
        assert await told.status() == "active"


async def test_ticketing_reconnects_by_itself_when_payment_and_cut_crossed(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        order = await told.cut()
        payment = told.customer.reported("460.00", local(28, 10), (march, "460.00"))
        await told.tell(told.customer.ordered(order.id, local(28, 10)), payment)
        with pytest.raises(Refused):
            await told.reconnect("payment")
        await told.tell(told.customer.reconnected(order.id, local(28, 10)))
        assert await told.status() == "temporary_active" and await told.told(ReconnectionRequested) == []


async def test_a_cut_that_is_told_after_its_way_back_was_ordered_is_being_reconnected(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.until(local(26, 9))
        notice = await told.notice()
        await told.tell(told.customer.accepted(notice.id, local(26, 9)))
        await told.until(local(28, 9))
        order = await told.suspend()
        await told.service.deliver(told.customer.ordered(order.id, local(28, 9)), told.customer.suspended(order.id, local(28, 9)))
        [cut] = await told.service.sql("SELECT state, suspended_at FROM suspension")
        assert (cut.state, cut.suspended_at) == ("RECONNECTING", local(28, 9))


async def test_an_agreement_that_crossed_with_the_cut_reconnects_by_itself(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.until(local(26, 9))
        notice = await told.notice()
        await told.tell(told.customer.accepted(notice.id, local(26, 9)))
        await told.until(local(28, 9))
        order = await told.suspend()
        await told.promise("460.00", local(30, 17))
        await told.tell(told.customer.suspended(order.id, local(28, 9)))
        [asked] = await told.told(ReconnectionRequested)
        assert (asked.basis, asked.suspension_id) == ("promise", order.id)


async def test_a_reconnection_that_did_not_come_about_may_be_asked_for_again(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        await told.cut()
        await told.tell(told.customer.reported("460.00", local(28, 10), (march, "460.00")))
        await told.reconnect("payment")
        [asked] = await told.told(ReconnectionRequested)
        await told.tell(told.customer.closed(asked.reconnection_id, local(28, 10)))
        assert await told.status() == "suspended"
        await told.reconnect("payment")
        assert len({each.reconnection_id for each in await told.told(ReconnectionRequested)}) == 2


async def test_a_cut_that_could_not_be_taken_back_in_time_leads_back_to_where_it_began(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.until(local(26, 9))
        notice = await told.notice()
        await told.tell(told.customer.accepted(notice.id, local(26, 9)))
        await told.until(local(28, 9))
        order = await told.suspend()
        await told.review()
        await told.tell(told.customer.suspended(order.id, local(28, 9)), told.customer.ordered(order.id, local(28, 9), "withdrawn"))
        await told.tell(told.customer.reconnected(order.id, local(28, 9), "withdrawn", "active"))
        await told.conclude()
        assert await told.status() == "active" and await told.told(ReconnectionRequested) == []


async def test_a_cut_that_is_handed_over_and_reconnected_at_once_is_both(database: OpenDatabase) -> None:
    """As that of a customer who came to us in recovery and has paid the cut's invoices alone. In one statement the second change would not
    see the first, and be lost."""
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.cut()
        facts, now, book = await told.facts(), await told.service.now(), Book(told.service.runtime.operator)
        [cut] = facts.suspensions
        async with told.service.runtime.database.transaction() as session:
            changes = await lock_account(session, facts.account_id, book=book, now=now)
            orders.order_reconnection(changes, facts, cut, basis="payment", agent=AGENT)
            hand_to_recovery(changes, facts, cut)
            await changes.write(session)
            [row] = await rows(session, "SELECT state, recovery_id FROM suspension")
            await session.rollback()
        assert row.state == "RECONNECTING" and row.recovery_id is not None
