"""What the operator decided by itself for everybody who is not in a segment of its own: policies/residencial.yaml."""

from collections.abc import Awaitable, Callable
from datetime import date

import pytest

from shared.db import Database
from shared.errors import Refused
from shared.events.collections import PromiseBroken
from tests.collections.factories import Customer, local
from tests.collections.story import story
from tests.support.rules import rule
from tests.support.service import operator

OpenDatabase = Callable[[str], Awaitable[Database]]
DUE = date(2026, 3, 10)


@rule("RES-1")
async def test_whoever_is_in_no_segment_is_ruled_by_the_default_policy(database: OpenDatabase) -> None:
    async with story(database, start=local(1), customer=Customer(status=None, plan_kind="residential", agent=None)) as told:
        await told.tell(told.customer.invoice("25.00", due=DUE))
        [account] = await told.service.sql("SELECT policy FROM account")
        assert account.policy == operator().default_policy == "residencial"
        assert operator().policy("residencial").decided_by == "system"


@rule("RES-6")
async def test_one_promise_a_month_of_ten_days_at_most(database: OpenDatabase) -> None:
    customer = Customer(status="ACTIVO", plan_kind="residential", agent="ana.martinez")
    async with story(database, start=local(1), customer=customer) as told:
        await told.tell(told.customer.invoice("25.00", due=DUE))
        await told.until(local(11, 9))
        with pytest.raises(Refused) as too_long:
            await told.promise("25.00", local(21, 9, 1))
        assert too_long.value.rule == "RES-6"
        await told.promise("25.00", local(21, 9))
        await told.until(local(21, 10))
        assert len(await told.told(PromiseBroken)) == 1
        with pytest.raises(Refused) as second:
            await told.promise("25.00", local(22, 9))
        assert second.value.rule == "RES-6"
