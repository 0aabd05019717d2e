"""The daily run over a whole book: every account that is due, nobody else, and no fact that comes while it thinks is overlooked."""

import asyncio
from collections import Counter
from datetime import date
from typing import Any

import asyncpg
import pytest

from services.collections.app import SERVICE
from services.collections.jobs import review
from services.collections.queries.invariants import invariants
from shared.db import Database
from shared.events.collections import StatusChanged
from tests.bench.accounts import EVENING, NOON, ORDINARY, fill
from tests.collections.factories import Customer, local
from tests.collections.story import OpenDatabase
from tests.support.service import Served, serve

HUNDREDS = 3


async def broken(service: Served) -> list[str]:
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
