"""Promises: the ledger decides, the second one is close behind the first, and there is no third (VIP-11)."""

from datetime import timedelta

import pytest

from shared.errors import Invalid, Refused
from shared.events.collections import PromiseBroken, PromiseKept, PromiseMade, StatusChanged
from tests.collections.factories import AGENT, Customer, local
from tests.collections.story import OpenDatabase, story
from tests.support.rules import rule


@rule("VIP-11")
async def test_a_broken_promise_allows_one_more_within_a_day_and_no_third(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.until(local(10, 9))
        first = await told.promise("460.00", local(12, 17))
        with pytest.raises(Refused) as running:
            await told.promise("460.00", local(13, 17))
        assert running.value.rule == "VIP-11"
        await told.until(local(12, 17))
        assert await told.told(PromiseBroken) == []
        await told.until(local(12, 18))
        assert [each.promise_id for each in await told.told(PromiseBroken)] == [first.id]
        with pytest.raises(Refused) as late:
            await told.promise("460.00", local(13, 17) + timedelta(seconds=1))
        assert late.value.rule == "VIP-11" and "13 de marzo" in late.value.detail
        second = await told.promise("460.00", local(13, 17))
        assert second.ordinal == 2
        await told.until(local(14))
        with pytest.raises(Refused) as third:
            await told.promise("460.00", local(15))
        assert third.value.rule == "VIP-11" and "2" in third.value.detail
        assert len(await told.told(PromiseMade)) == 2 and len(await told.told(PromiseBroken)) == 2


@rule("VIP-11")
async def test_a_second_promise_is_not_made_once_its_day_has_passed(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.promise("460.00", local(12, 17))
        await told.until(local(13, 17))
        verdict = await told.verdict("promise")
        assert not verdict.allowed and verdict.rule == "VIP-11" and "24" in verdict.reason.replace("1 día", "24")


@rule("VIP-11")
async def test_promises_count_for_the_unpaid_month_not_for_ever(database: OpenDatabase) -> None:
    async with story(database) as told:
        march = told.customer.invoice()
        await told.tell(march)
        await told.promise("460.00", local(12, 17))
        paid = told.customer.reported("460.00", local(1, 7), (march, "460.00"))
        await told.until(local(1, 7))
        await told.tell(paid)
        await told.until(local(2, 7, month=4))
        await told.tell(told.customer.confirmed(paid, local(2, 7, month=4)), told.customer.invoice(period="2026-04"))
        assert (await told.promise("460.00", local(12, 17, month=4))).ordinal == 1


async def test_a_payment_in_the_last_instant_keeps_it_and_one_before_it_was_made_does_not_count(database: OpenDatabase) -> None:
    async with story(database) as told:
        invoice = told.customer.invoice()
        await told.tell(invoice)
        await told.until(local(10, 9))
        await told.tell(told.customer.reported("60.00", local(10, 9), (invoice, "60.00"), open_after="400"))
        made = await told.promise("400.00", local(12, 17))
        assert made.state == "RUNNING"
        await told.until(local(12, 17))
        await told.tell(told.customer.reported("10.00", local(12, 17), (invoice, "10.00"), open_after="390"))
        assert await told.told(PromiseBroken) == [], "whoever looks in that instant finds it running"
        await told.tell(told.customer.reported("390.00", local(12, 17), (invoice, "390.00")))
        assert [each.kept_at for each in await told.told(PromiseKept)] == [local(12, 17)]
        await told.until(local(14))
        assert await told.told(PromiseBroken) == []


async def test_a_rejected_payment_breaks_the_promise_that_it_had_kept(database: OpenDatabase) -> None:
    async with story(database) as told:
        invoice = told.customer.invoice()
        await told.tell(invoice)
        await told.promise("460.00", local(12, 17))
        payment = told.customer.reported("460.00", local(2), (invoice, "460.00"))
        await told.until(local(2))
        await told.tell(payment)
        await told.until(local(15, 10))
        await told.tell(told.customer.rejected(payment, local(15, 10)))
        kept, broken = await told.told(PromiseKept), await told.told(PromiseBroken)
        assert len(kept) == 1 and len(broken) == 1
        assert (await told.facts()).promises[0].state == "BROKEN"


async def test_parts_of_the_amount_add_up(database: OpenDatabase) -> None:
    async with story(database) as told:
        invoice = told.customer.invoice()
        await told.tell(invoice)
        await told.promise("460.00", local(12, 17))
        for day, amount in ((3, "200.00"), (4, "260.00")):
            await told.until(local(day))
            assert await told.told(PromiseKept) == []
            await told.tell(told.customer.reported(amount, local(day), (invoice, amount)))
        assert [each.kept_at for each in await told.told(PromiseKept)] == [local(4)]
        assert await told.told(StatusChanged) == []


async def test_what_makes_no_sense_is_refused_with_its_field(database: OpenDatabase) -> None:
    async with story(database) as told:
        await told.tell(told.customer.invoice())
        await told.until(local(10, 9))
        for amount, due, field in (
            ("460.00", local(9), "due_at"),
            ("460.01", local(12), "amount.amount"),
            ("0", local(12), "amount.amount"),
        ):
            with pytest.raises(Invalid) as wrong:
                await told.promise(amount, due)
            assert [each.field for each in wrong.value.errors] == [field]
        with pytest.raises(Refused) as far:
            await told.promise("460.00", local(1, 0, 1, month=4))
        assert far.value.rule == "VIP-11"
        assert await told.told(PromiseMade) == []
        assert (await told.promise("460.00", local(1, month=4))).agent == AGENT


async def test_nobody_promises_what_is_not_owed(database: OpenDatabase) -> None:
    async with story(database, customer=Customer()) as told:
        with pytest.raises(Refused) as nothing:
            await told.promise("10.00", local(12))
        assert "No debe nada" in nothing.value.detail
