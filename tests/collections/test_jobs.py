"""The review: every due account once, by any number of workers at once, and nothing is done twice."""

import asyncio
from datetime import date

import pytest

from services.collections.app import SERVICE
from services.collections.jobs import review
from shared.events.collections import InvoiceDispatchRequested, SuspensionRequested
from tests.collections.factories import Customer, local
from tests.collections.story import OpenDatabase
from tests.support.service import serve

CROWD = 60


async def test_workers_share_the_accounts_and_none_is_done_twice(database: OpenDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "CHUNK", 7)
    async with serve(SERVICE, await database("collections"), local(1)) as service:
        crowd = [Customer(external_id=f"C-{at}", status="ACTIVO", plan_kind="residential", agent=None) for at in range(CROWD)]
        await service.deliver(*[each.registered() for each in crowd])
        await service.deliver(*[each.invoice("25.00", due=date(2026, 3, 10)) for each in crowd])
        context = service.runtime.job_context(local(1))
        done = await asyncio.gather(*(review.run(context) for _ in range(3)))
        assert sum(done) == CROWD
        assert len({each.key for each in await service.published(InvoiceDispatchRequested)}) == CROWD
        await service.runtime.clock.set(local(20, 9))  # type: ignore[attr-defined]
        await asyncio.gather(*(review.run(service.runtime.job_context(local(20, 9))) for _ in range(3)))
        orders = await service.published(SuspensionRequested)
        assert len(orders) == CROWD and len({each.key for each in orders}) == CROWD
        versions = await service.sql("SELECT key, array_agg(sequence ORDER BY id) AS versions FROM outbox GROUP BY key")
        assert all(row.versions == list(range(1, len(row.versions) + 1)) for row in versions)


async def test_nothing_is_due_where_time_alone_changes_nothing(database: OpenDatabase) -> None:
    async with serve(SERVICE, await database("collections"), local(1)) as service:
        vip = Customer()
        invoice = vip.invoice()
        await service.deliver(vip.registered(), invoice, vip.paid(invoice, local(1)))
        await service.work()
        assert await service.next_due() is None


async def test_an_account_that_cannot_be_reviewed_holds_up_nobody_else(database: OpenDatabase) -> None:
    async with serve(SERVICE, await database("collections"), local(1)) as service:
        crowd = [Customer(external_id=f"C-{at}", status="ACTIVO", plan_kind="residential", agent=None) for at in range(5)]
        invoices = [each.invoice("25.00", due=date(2026, 3, 10)) for each in crowd]
        await service.deliver(*[each.registered() for each in crowd], *invoices)
        await service.sql("UPDATE invoice SET period = '2026-99' WHERE id = $1 RETURNING id", invoices[2].invoice_id)
        await service.work()
        sent = {each.key for each in await service.published(InvoiceDispatchRequested)}
        assert sent == {str(each.id) for each in crowd} - {str(crowd[2].id)}
        [row] = await service.sql("SELECT due_at FROM account_review WHERE account_id = $1", crowd[2].id)
        assert row.due_at == local(2)
