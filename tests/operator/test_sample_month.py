"""The sample book in billing: everything good is imported, March is billed once, and the bank pays exactly what was billed."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import pytest

from services.billing.adapters.mapping_files import load_mapping
from services.billing.app import SERVICE
from services.billing.jobs.imports import run_file
from services.billing.models import ImportBatch
from services.billing.queries.invariants import invariants
from shared.db import Database
from tests.support.sample_book import BOOKS
from tests.support.service import Served, operator, serve


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=operator().zone)


@pytest.fixture
async def billing(database: Callable[[str], Awaitable[Database]]) -> AsyncIterator[Served]:
    async with serve(SERVICE, await database("billing"), local("2026-02-28T20:00")) as served:
        yield served


async def bring(billing: Served, name: str, mapping: str) -> ImportBatch:
    """What `reconecta import` does."""
    return await run_file(
        billing.runtime.database,
        BOOKS / name,
        mapping=load_mapping(BOOKS / mapping, operator()),
        operator=operator(),
        now=await billing.now(),
        requested_by="prueba",
    )


async def test_a_month_of_the_sample_book(billing: Served) -> None:
    first = await bring(billing, "clientes.csv", "clientes.mapping.yaml")
    assert not first.failure, first.failure
    assert (first.state, first.rows_read, first.rows_new, first.rows_bad, first.notices) == ("DONE", 300, 293, 7, 3)
    again = await bring(billing, "clientes.csv", "clientes.mapping.yaml")
    assert (again.rows_new, again.rows_changed, again.rows_unchanged) == (0, 0, 293)

    await billing.at(local("2026-03-02T08:00"))
    [run] = await billing.sql("SELECT count(*) AS count FROM invoice WHERE origin = 'run'")
    assert run.count == 292, "one was billed already"

    await billing.at(local("2026-03-29T08:00"))
    paid = await bring(billing, "pagos_banco.csv", "banco.mapping.yaml")
    assert (paid.rows_new, paid.rows_bad) == (267, 2)
    states = await billing.sql("SELECT CASE WHEN balance > 0 AND balance < total THEN 'partly' ELSE state END AS state FROM invoice")
    assert Counter(row.state for row in states) == {"PAID": 267, "OPEN": 32, "partly": 1}, "whoever pays, pays exactly what March costs"
    [left] = await billing.sql("SELECT coalesce(sum(unallocated), 0) AS money FROM payment")
    assert left.money == 0
    async with billing.runtime.database.transaction() as session:
        assert await invariants(session) == []
