"""The daily run over a whole book: every account that is due, nobody else, and no fact that comes while it thinks is overlooked."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from services.collections.app import SERVICE
from services.collections.jobs import review
from services.collections.operations import looking
from services.collections.queries.invariants import invariants
from shared.db import Database, execute
from shared.events.collections import (
    FeeDue,
    RecoveryRequested,
    ReminderRequested,
    RestrictionReleaseRequested,
    RestrictionRequested,
    StatusChanged,
    SuspensionRequested,
)
from shared.operator import Operator
from shared.operator.policies import AllowedFrom
from tests.bench.accounts import EVENING, NOON, ORDINARY, fill
from tests.collections.factories import Customer, local
from tests.collections.story import OpenDatabase, story
from tests.support.rules import rule
from tests.support.service import Served, operator, serve

HUNDREDS = 3
DUE = date(2026, 3, 10)


async def broken(service: Served) -> list[Any]:
    async with service.runtime.database.transaction() as session:
        return await invariants(session, operator=service.runtime.operator, now=await service.now())


async def test_a_day_of_an_ordinary_book(database: OpenDatabase) -> None:
    """Those whom the run skipped have nothing due (the invariants ask the deciding functions about every one of them)."""
    async with serve(SERVICE, await database("collections"), EVENING) as service:
        await fill(service.runtime.database, 100 * HUNDREDS)
        assert await review.run(service.runtime.job_context(EVENING)) == 0
        assert await broken(service) == []
        await service.runtime.clock.set(NOON)  # type: ignore[attr-defined]
        due = ("cut", "remind", "plan", "promise")
        assert await review.run(service.runtime.job_context(NOON)) == HUNDREDS * sum(ORDINARY[kind] for kind in due)
        assert await broken(service) == []
        told = Counter(each.type for each in await service.published())
        assert told == {
            "collections.suspension_requested.v1": HUNDREDS * (ORDINARY["cut"] + ORDINARY["plan"] + ORDINARY["promise"]),
            "collections.reminder_requested.v1": HUNDREDS * ORDINARY["remind"],
            "collections.promise_broken.v1": HUNDREDS * ORDINARY["promise"],
            "collections.payment_plan_lapsed.v1": HUNDREDS * ORDINARY["plan"],
            StatusChanged.TYPE: HUNDREDS * ORDINARY["plan"],
        }
        [row] = await service.sql("SELECT count(*) AS explained FROM status_change WHERE changed_at = $1", NOON)
        assert row.explained == HUNDREDS * ORDINARY["plan"]
        assert await review.run(service.runtime.job_context(NOON)) == 0


async def _held(database: Database, table: str) -> asyncpg.Connection:
    """A connection that lets nobody read or write the table until it is closed."""
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    return connection


async def _waits(database: Database, task: asyncio.Task[Any], waiting: int) -> None:
    """Until the task, and with it so many sessions, wait for a lock; or until it is done, when nothing held it up."""
    connection = await asyncpg.connect(database.dsn)
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(20):
        while not task.done() and await connection.fetchval(count) < waiting:
            await asyncio.sleep(0.01)
    await connection.close()


async def test_a_payment_that_comes_between_the_reading_and_the_writing_is_not_overlooked(
    database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "LANES", 1)
    async with serve(SERVICE, await database("collections"), local(1)) as service:
        customer = Customer(status="ACTIVO", plan_kind="residential", agent=None)
        invoice = customer.invoice("25.00", due=date(2026, 3, 10))
        await service.deliver(customer.registered(), invoice)
        await service.at(local(20, 8))
        now = local(20, 9)
        await service.runtime.clock.set(now)  # type: ignore[attr-defined]
        held = await _held(service.runtime.database, "suspension")
        run = asyncio.create_task(review.run(service.runtime.job_context(now)))
        await _waits(service.runtime.database, run, 1)  # it has read the payments and comes to the cuts
        payment = asyncio.create_task(service.deliver(customer.reported("25.00", now, (invoice, "25.00"))))
        await _waits(service.runtime.database, payment, 2)  # for the account
        await held.close()
        assert await run == 1
        await payment
        assert await service.next_due() == now, "the payment would be looked at some other day"
        await service.work()
        assert await broken(service) == []


def ruled(code: str = "residencial", **parts: Any) -> Operator:
    """The operator, one of whose policies' files says something else."""
    policy = operator().policy(code).model_copy(update=parts)
    return operator().model_copy(update={"policies": {**operator().policies, code: policy}})


def home(number: int = 1) -> Customer:
    return Customer(external_id=f"H-{number}", status="ACTIVO", plan_kind="residential", agent=None, monthly=Decimal("25.00"))


@asynccontextmanager
async def restarted(database: Database, at: datetime, using: Operator) -> AsyncIterator[Served]:
    """The service of a process that starts with these files over what an older one has left; it has begun to work."""
    async with serve(SERVICE, database, at, using=using) as service:
        await service.work()
        yield service
        assert await broken(service) == []


@rule("RES-4", "RES-8")
async def test_a_policy_that_is_changed_in_a_running_house_counts_from_the_next_start_on(database: OpenDatabase) -> None:
    """It had neither fees nor the second reminder: the next look at the customer was the restriction on the 17th."""
    kept, customer = await database("collections"), home()
    async with serve(SERVICE, kept, local(1), using=ruled(fees=None, reminders=operator().policy("residencial").reminders[:1])) as before:
        await before.deliver(customer.registered(), customer.invoice("25.00", due=DUE))
        await before.at(local(12, 9))
        assert [each.event.reminder for each in await before.published(ReminderRequested)] == ["antes_de_vencer"]
        assert await before.next_due() == local(17, 9)
    async with restarted(kept, local(12, 9), operator()) as after:
        await after.at(local(15, 9))
        assert [each.event.requested_at for each in await after.published(ReminderRequested)][1:] == [local(13, 9)]
        assert [each.event.due_at for each in await after.published(FeeDue)] == [local(15, 9)]


@rule("RES-4", "RES-8")
@pytest.mark.parametrize(("started", "late"), [(local(15, 12), True), (local(18, 8), True), (local(18, 9), False), (local(19, 22), False)])
async def test_a_changed_policy_does_nothing_for_days_gone_by(database: OpenDatabase, started: datetime, late: bool) -> None:
    """The fee of the 15th at nine is charged within its three days, and a reminder sent within its own; February is left alone."""
    kept, customer = await database("collections"), home()
    async with serve(SERVICE, kept, local(1), using=ruled(fees=None, reminders=[])) as before:
        await before.deliver(
            customer.registered(),
            customer.invoice("25.00", due=DUE),
            customer.invoice("30.00", period="2026-02", due=date(2026, 3, 2)),
        )
        await before.at(started - timedelta(minutes=1))
    async with restarted(kept, started, operator()) as after:
        told = [each.event for each in await after.published(FeeDue)]
        assert [each.reason for each in told] == [f"Factura F-2026-03-H-1 con {started.day - 10} días de atraso: debe $25.00."] * late
        assert len(await after.published(ReminderRequested)) == (started < local(16, 9))
        await after.at(local(19, 23))
        assert len(await after.published(FeeDue)) == late


@rule("RES-5")
async def test_a_cut_that_a_changed_policy_allows_since_yesterday_waits_like_any_late_debt(database: OpenDatabase) -> None:
    """Ten days after the due day became five: whoever is seven days late has the 24 hours, nobody is cut by the restart itself."""
    kept, customer = await database("collections"), home()
    async with serve(SERVICE, kept, local(1)) as before:
        await before.deliver(customer.registered(), customer.invoice("25.00", due=DUE))
        await before.at(local(17, 14))
    sooner = operator().policy("residencial").suspension.model_copy(update={"allowed_from": AllowedFrom(days_after_due=5, at=time(9))})
    async with restarted(kept, local(17, 14), ruled(suspension=sooner)) as after:
        await after.at(local(18, 14) - timedelta(minutes=1))
        assert await after.published(SuspensionRequested) == []
        await after.at(local(18, 14))
        assert len(await after.published(SuspensionRequested)) == 1


@rule("RES-9")
async def test_a_restriction_that_a_changed_policy_brings_counts_at_once_and_one_that_is_gone_is_taken_off(database: OpenDatabase) -> None:
    """It is a state: whoever is between its day and the cut's is restricted from the restart on, and released by the one after."""
    kept, customer = await database("collections"), home()
    none = ruled(restriction=None)
    async with serve(SERVICE, kept, local(1), using=none) as before:
        await before.deliver(customer.registered(), customer.invoice("25.00", due=DUE))
        await before.at(local(18, 14))
        assert await before.published(RestrictionRequested) == []
    async with restarted(kept, local(18, 14), operator()) as after:
        [order] = [each.event for each in await after.published(RestrictionRequested)]
        await after.deliver(customer.restricted(order.restriction_id, local(18, 14)))
        await after.work()
    async with restarted(kept, local(18, 15), none) as gone:
        assert [each.event.cause for each in await gone.published(RestrictionReleaseRequested)] == ["policy"]


@rule("VIP-16")
async def test_a_policy_that_has_recovery_only_since_hands_nobody_over_for_a_sixth_gone_by(database: OpenDatabase) -> None:
    async with story(database, using=ruled("vip", recovery=None)) as told:
        await told.tell(told.customer.invoice())
        await told.cut()
        await told.until(local(20, month=4))
        kept = told.service.runtime.database
    async with restarted(kept, local(20, month=4), operator()) as after:
        await after.at(local(6, month=5) - timedelta(minutes=1))
        assert await after.published(RecoveryRequested) == []
        await after.at(local(6, month=5))
        assert len(await after.published(RecoveryRequested)) == 1


async def test_the_accounts_of_a_changed_policy_are_brought_forward_once_by_however_many_processes(
    database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking.bring_forward, "__kwdefaults__", {"limit": 70})
    kept, changed = await database("collections"), ruled(fees=None)
    async with serve(SERVICE, kept, EVENING) as first:
        await fill(first.runtime.database, 200)
        assert await review.follow_policies(first.runtime.job_context(EVENING)) == 0, "there was nothing before that could differ"
        due = "SELECT count(*) FILTER (WHERE r.due_at <= $1) AS due FROM account a LEFT JOIN account_review r ON r.account_id = a.id"
        homes = sum(number for kind, number in ORDINARY.items() if kind != "vip") * 2
        async with serve(SERVICE, kept, EVENING, using=changed) as one, serve(SERVICE, kept, EVENING, using=changed) as other:
            workers = [each.runtime.job_context(EVENING) for each in (one, other)]
            forward = [await asyncio.gather(*(review.follow_policies(each) for each in workers)) for _ in range(4)]
            assert sum(map(sum, forward)) == homes == (await one.sql(due, EVENING))[0].due
            await one.work()
            assert (await one.sql(due, EVENING))[0].due == 0 and await broken(one) == []
            assert await other.next_due() == EVENING + looking.AGAIN, "an older process may have looked at some meanwhile"
            await other.at(EVENING + looking.AGAIN)
            assert await other.published() == [] and (await one.sql("SELECT FROM policy_in_force WHERE reached IS NOT NULL")) == []


async def test_of_a_changed_policy_few_are_brought_forward_at_a_time_so_that_a_payment_does_not_wait_for_all(
    database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "FEW", 10)
    kept = await database("collections")
    async with serve(SERVICE, kept, EVENING) as first:
        await fill(first.runtime.database, 100)
        await first.work()
    async with serve(SERVICE, kept, EVENING, using=ruled(fees=None)) as after:
        context = after.runtime.job_context(EVENING)
        await after.sql("UPDATE account_review SET due_at = $1 WHERE account_id IN (SELECT id FROM account LIMIT 9) RETURNING 1", EVENING)
        assert await review.follow_policies(context) > 0
        async with after.runtime.database.transaction() as session:
            await execute(session, looking.REACHED, "residencial", looking.FIRST)
            assert await review.policies_due(session, context) is None
        await review.run(context)
        async with after.runtime.database.transaction() as session:
            assert await review.policies_due(session, context) == EVENING
