"""When a VIP may be cut, by whom, and what holds it off (VIP-9 … VIP-12)."""

from datetime import date, timedelta

import pytest

from shared.db import new_id
from shared.errors import Refused
from shared.events.billing import InvoiceIssued
from shared.events.collections import StatusChanged, SuspensionNoticeRequested, SuspensionRequested, SuspensionWithdrawn
from shared.events.noc import OutageClosed, OutageDeclared
from tests.collections.factories import AGENT, MANAGER, OTHER_AGENT, Customer, local
from tests.collections.story import OpenDatabase, Story, story
from tests.support.rules import rule


async def warned(told: Story, day: int = 26) -> InvoiceIssued:
    """The month's invoice is unpaid and the desks were told at nine. Answers the invoice."""
    invoice = told.customer.invoice()
    await told.tell(invoice)
    await told.until(local(day, 9))
    notice = await told.notice()
    await told.tell(told.customer.accepted(notice.id, local(day, 9)))
    return invoice


@rule("VIP-9")
async def test_only_the_assigned_agent_starts_it(database: OpenDatabase) -> None:
    async with story(database) as told:
        await warned(told)
        await told.until(local(28, 9))
        for person in (OTHER_AGENT, MANAGER):
            with pytest.raises(Refused) as refused:
                await told.suspend(by=person)
            assert refused.value.rule == "VIP-9" and "Ana Martínez" in refused.value.detail
        assert await told.told(SuspensionRequested) == []
        await told.suspend(by=AGENT)
        [order] = await told.told(SuspensionRequested)
        assert (order.agent, order.procedure, order.rule) == (AGENT, "suspension_cliente_vip", "VIP-12")


@rule("VIP-9")
async def test_only_in_status_cliente_vip(database: OpenDatabase) -> None:
    async with story(database) as told:
        await warned(told)
        await told.review()
        await told.until(local(28, 9))
        assert await told.status() == "under_review"
        with pytest.raises(Refused) as refused:
            await told.suspend()
        assert refused.value.rule == "VIP-9" and "INVESTIGAR" in refused.value.detail and "CLIENTE VIP" in refused.value.detail
        await told.conclude()
        assert await told.status() == "active"
        await told.suspend()


@rule("VIP-9")
async def test_a_promise_broken_early_permits_the_cut_only_once_day_27_has_passed(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.promise("460.00", local(10, 17))
        await told.until(local(11))
        notice = await told.notice()
        await told.tell(told.customer.accepted(notice.id, local(11)))
        await told.until(local(27, 23, 59))
        with pytest.raises(Refused) as early:
            await told.suspend()
        assert early.value.rule == "VIP-12"
        await told.until(local(28))
        await told.suspend()
        [order] = await told.told(SuspensionRequested)
        assert "incumplió su compromiso" in order.reason


@rule("VIP-10")
async def test_twenty_four_hours_count_from_when_the_last_mail_server_took_the_notice(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.until(local(27, 12))
        with pytest.raises(Refused) as untold:
            await told.suspend()
        assert "VIP-10" in {each.rule for each in (await told.verdict("suspend")).obstacles} and untold.value.rule == "VIP-12"
        notice = await told.notice()
        [asked] = await told.told(SuspensionNoticeRequested)
        assert asked.notice == "aviso_suspension_vip" and asked.amount == 460
        await told.until(local(28, 13))
        with pytest.raises(Refused) as unaccepted:
            await told.suspend()
        assert unaccepted.value.rule == "VIP-10"
        await told.tell(told.customer.accepted(notice.id, local(28, 13)))
        await told.until(local(29, 12, 59))
        with pytest.raises(Refused) as early:
            await told.suspend()
        assert early.value.rule == "VIP-10" and early.value.remedy and "domingo 29 de marzo a las 13:00" in early.value.remedy
        assert (await told.verdict("suspend")).allowed_from == local(29, 13)
        await told.until(local(29, 13))
        await told.suspend()


@rule("VIP-10")
async def test_a_notice_that_did_not_reach_everybody_does_not_count(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.until(local(26, 9))
        first = await told.notice()
        with pytest.raises(Refused):
            await told.notice()
        await told.tell(told.customer.failed(first.id, local(26, 9)))
        await told.until(local(28, 9))
        with pytest.raises(Refused) as refused:
            await told.suspend()
        assert refused.value.rule == "VIP-10"
        second = await told.notice()
        await told.tell(told.customer.accepted(second.id, local(28, 9)))
        await told.until(local(29, 9))
        await told.suspend()


@rule("VIP-12")
async def test_from_the_moment_day_27_ends_and_not_before(database: OpenDatabase) -> None:
    async with story(database) as told:
        await warned(told, day=20)
        await told.until(local(28) - timedelta(microseconds=1))
        with pytest.raises(Refused) as early:
            await told.suspend()
        assert early.value.rule == "VIP-12" and "27 de marzo" in early.value.detail
        await told.until(local(28))
        await told.suspend()


@rule("VIP-12")
async def test_a_payment_reported_on_day_27_is_in_time(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = await warned(told)
        await told.until(local(27, 23, 50))
        payment = told.customer.reported("460.00", local(27, 23, 50), (march, "460.00"))
        await told.tell(payment)
        await told.until(local(29))
        with pytest.raises(Refused) as refused:
            await told.suspend()
        assert refused.value.rule == "VIP-12" and "reportados" in refused.value.detail
        await told.tell(told.customer.rejected(payment, local(29)))
        await told.suspend()


@rule("VIP-12")
async def test_a_part_reported_does_not_hold_it_off(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = await warned(told)
        await told.tell(told.customer.reported("400.00", local(26, 10), (march, "400.00"), open_after="60"))
        await told.until(local(28))
        await told.suspend()
        [order] = await told.told(SuspensionRequested)
        assert (order.amount, order.invoice_ids, order.release_on) == (60, [march.invoice_id], "full")


@rule("VIP-12")
async def test_never_while_a_promised_date_runs(database: OpenDatabase) -> None:
    async with story(database) as told:
        await warned(told)
        await told.promise("460.00", local(30, 17))
        await told.until(local(28, 9))
        with pytest.raises(Refused) as running:
            await told.suspend()
        assert running.value.rule == "VIP-12" and "30 de marzo" in running.value.detail
        await told.until(local(30, 17, 1))
        await told.suspend()


async def test_one_order_at_a_time(database: OpenDatabase) -> None:
    async with story(database) as told:
        await warned(told)
        await told.until(local(28, 9))
        await told.suspend()
        with pytest.raises(Refused) as again:
            await told.suspend()
        assert "ya está solicitada" in again.value.detail
        assert await told.status() == "active"


async def test_a_cut_that_is_done_is_the_status_suspended(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.cut()
        assert await told.status() == "suspended"
        [changed] = await told.told(StatusChanged)
        assert (changed.label, changed.rule, changed.previous) == ("SUSPENDIDO CLIENTE VIP", "VIP-15", "active")


async def test_a_payment_that_ticketing_saw_first_ends_the_order(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = await warned(told)
        await told.until(local(28, 9))
        order = await told.suspend()
        payment = told.customer.reported("460.00", local(28, 9), (march, "460.00"))
        await told.tell(told.customer.cancelled(order.id, local(28, 9)), payment)
        assert (await told.facts()).suspensions[0].state == "CANCELLED" and await told.status() == "active"
        await told.tell(told.customer.rejected(payment, local(28, 9)))
        await told.suspend()


async def test_an_agreement_takes_back_an_order_that_is_not_carried_out(database: OpenDatabase) -> None:
    async with story(database) as told:
        await warned(told)
        await told.until(local(28, 9))
        order = await told.suspend()
        await told.promise("460.00", local(30, 17))
        [withdrawn] = await told.told(SuspensionWithdrawn)
        assert withdrawn.suspension_id == order.id
        await told.tell(told.customer.cancelled(order.id, local(28, 9), "withdrawn"))
        await told.until(local(30, 18))
        assert len(await told.told(SuspensionRequested)) == 1, "nobody but the agent orders a VIP's cut"
        await told.suspend()


@rule("NOC-1")
async def test_an_outage_pauses_the_cut_and_its_end_resumes_it(database: OpenDatabase) -> None:
    async with story(database) as told:
        await warned(told)
        await told.until(local(28, 9))
        order = await told.suspend()
        outage = new_id()
        declared = OutageDeclared(
            outage_id=outage, access_node="SPS-01", description="fibra cortada", declared_by="noc.turno", declared_at=local(28, 9)
        )
        await told.tell(declared)
        [withdrawn] = await told.told(SuspensionWithdrawn)
        assert withdrawn.suspension_id == order.id and "SPS-01" in withdrawn.reason
        await told.tell(told.customer.cancelled(order.id, local(28, 9), "withdrawn"))
        with pytest.raises(Refused) as down:
            await told.suspend()
        assert down.value.rule == "NOC-1"
        await told.until(local(28, 15))
        await told.tell(
            OutageClosed(outage_id=outage, access_node="SPS-01", solution="empalme", closed_by="noc.turno", closed_at=local(28, 15))
        )
        orders = await told.told(SuspensionRequested)
        assert [each.agent for each in orders] == [AGENT, AGENT] and orders[1].suspension_id != order.id


@rule("NOC-1")
async def test_who_paid_during_the_outage_is_not_cut_after_it(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = await warned(told)
        await told.until(local(28, 9))
        order = await told.suspend()
        outage = new_id()
        await told.tell(
            OutageDeclared(outage_id=outage, access_node="SPS-01", description="x", declared_by="noc.turno", declared_at=local(28, 9)),
            told.customer.reported("460.00", local(28, 9), (march, "460.00")),
        )
        await told.tell(told.customer.cancelled(order.id, local(28, 9), "withdrawn"))
        await told.tell(OutageClosed(outage_id=outage, access_node="SPS-01", solution="x", closed_by="noc.turno", closed_at=local(28, 10)))
        assert len(await told.told(SuspensionRequested)) == 1


@rule("VIP-14")
async def test_third_party_delivery_goes_to_engineering(database: OpenDatabase) -> None:
    async with story(database, customer=Customer(delivery="third_party")) as told:
        await told.tell(told.customer.invoice())
        await told.cut()
        [order] = await told.told(SuspensionRequested)
        assert (order.procedure, order.delivery) == ("suspendido_cliente_vip", "third_party")


@rule("VIP-10")
async def test_a_second_cut_of_the_same_month_needs_a_notice_of_its_own(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        order = await told.cut()
        payment = told.customer.reported("460.00", local(28, 12), (march, "460.00"))
        await told.until(local(28, 12))
        await told.tell(payment)
        await told.reconnect("payment")
        await told.tell(told.customer.reconnected(order.id, local(28, 13)))
        await told.until(local(30))
        await told.tell(told.customer.rejected(payment, local(30)))
        assert await told.status() == "active"
        with pytest.raises(Refused) as refused:
            await told.suspend()
        assert refused.value.rule == "VIP-10"


@rule("VIP-12")
async def test_what_is_billed_late_in_the_month_is_due_in_the_next_and_cut_after_its_day_27(database: OpenDatabase) -> None:
    async with story(database, start=local(10, 9)) as told:
        await told.tell(told.customer.invoice(origin="manual", due=date(2026, 4, 5)))
        await told.until(local(24, 9, month=4))
        notice = await told.notice()
        await told.tell(told.customer.accepted(notice.id, local(24, 9, month=4)))
        assert (await told.verdict("suspend")).allowed_from == local(28, month=4)
