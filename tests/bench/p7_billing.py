"""P7: a month's invoices, two lines each, against a COPY of the very rows that came out."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from sqlmodel import select

from services.billing.adapters.price_functions import price_functions
from services.billing.models.customers import Customer, Service
from services.billing.models.invoices import Invoice, InvoiceLine
from services.billing.models.payments import Posting
from services.billing.operations import issuing, runs
from services.billing.operations.terms import policy_terms
from services.billing.rules.periods import Period
from shared.calendar import BusinessCalendar
from shared.courier import Courier, Receiver
from shared.db import Database, new_id
from shared.events.billing import InvoiceIssued
from shared.operator import Operator
from shared.outbox import OutboxRow, Relay
from tests.bench.data import copy_in, copy_out, do, empty
from tests.bench.p5_courier import HEARERS
from tests.bench.runner import Bench, Goal, Growth, Measure, memory_mb, rate
from tests.support.service import operator

NOW = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
PERIOD = Period.parse("2026-03")
RESULT = ("invoice", "invoice_line", "posting", "outbox")
BOOK = """
INSERT INTO customer (id, external_source, external_id, name, search_name, contacts, is_isp, policy, currency, version, created_at,
    updated_at)
SELECT gen_random_uuid(), 'bench', 'C' || n, 'Cliente ' || n, 'cliente ' || n, '[]', false, 'residencial', 'USD', 1, now(), now()
FROM generate_series({first}, {last}) AS n;
INSERT INTO service (id, customer_id, code, plan_code, plan_kind, delivery, monthly_amount, currency, active_from)
SELECT gen_random_uuid(), c.id, 'S' || n, CASE n WHEN 1 THEN 'hogar_50' ELSE 'telefonia' END, 'residential', 'own',
    CASE n WHEN 1 THEN 39.90 ELSE 19.90 END, 'USD', '2025-01-01' FROM customer c CROSS JOIN generate_series(1, 2) AS n
WHERE NOT EXISTS (SELECT FROM service s WHERE s.customer_id = c.id);
ANALYZE customer; ANALYZE service"""
RESET = "TRUNCATE billing_run, billing_run_customer, billing_chunk, invoice, invoice_line, posting, outbox CASCADE"


async def prepare(bench: Bench) -> Measure:
    work = await Months.open(bench)
    growth = Growth("customers in the book, two services each", "invoices/s")
    *smaller, count = bench.sizes(1_000_000)
    drained = 0.0
    for size in smaller:
        await work.fill(size)
        for workers in (1, 2):
            growth.note(_workers(workers), size, await work.issue(workers))
        growth.note("COPY", size, await work.limit())
        drained = await work.drain()
    await work.fill(count)
    chunks, memory = list[float](), list[float]()

    async def issue(workers: int) -> float:
        before = memory_mb()
        found = await work.issue(workers, chunks if workers == 1 else [])
        if workers == 1:
            memory.append(max(1.0, memory_mb() - before))
        return growth.note(_workers(workers), count, found)

    async def limit() -> float:
        return growth.note("COPY", count, await work.limit())

    async def drain() -> float:
        return drained or await work.drain()

    async def longest() -> float:
        return max(chunks)

    async def grown() -> float:
        return max(memory)

    return Measure(
        "P7",
        f"billing run, {count:,} invoices of two lines",
        "invoices/s",
        {
            "1 worker": lambda: issue(1), "2 workers": lambda: issue(2), "COPY": limit, "relay to four, beside": drain,
            "ORM per invoice": lambda: orm_rate(work.database, bench.count(300)), "longest chunk, s": longest,
            "memory grown, MB": grown,
        },
        [
            Goal("1 worker / COPY", "1 worker", "COPY", 0.40), Goal("2 workers / COPY", "2 workers", "COPY", 0.75),
            Goal("1 worker / ORM", "1 worker", "ORM per invoice", 50),
            Goal("longest chunk / 2.5 s", "longest chunk, s", 2.5, 1, at_most=True, scaled=True),
            Goal("memory grown / 20 MB", "memory grown, MB", 20, 1, at_most=True),
        ],
        rounds=1 if count >= 500_000 else None,
        growth=growth,
    )  # fmt: skip


def _workers(number: int) -> str:
    return "1 worker" if number == 1 else f"{number} workers"


@dataclass
class Months:
    """A billing database whose month is issued again and again, and the four that hear of it."""

    database: Database
    receivers: dict[str, Receiver]
    folder: Path
    operator: Operator = field(default_factory=operator)
    customers: int = 0

    @classmethod
    async def open(cls, bench: Bench, using: Operator | None = None) -> "Months":
        receivers = {name: Receiver(await bench.database(name), frozenset({InvoiceIssued.TYPE})) for name in HEARERS}
        return cls(await bench.database("billing"), receivers, bench.folder(), using or operator())

    async def fill(self, customers: int) -> None:
        """Let the book grow to so many customers."""
        await do(self.database, RESET)
        await do(self.database, BOOK.format(first=self.customers + 1, last=customers))
        self.customers = customers

    async def issue(self, workers: int, chunks: list[float] | None = None) -> float:
        """Invoices a second with so many workers, the month planned beforehand; how long each chunk took goes into `chunks`."""
        run_id = await _plan(self.database, self.operator)
        took = chunks if chunks is not None else []
        work = (_work(self.database, self.operator, run_id, took) for _ in range(workers))
        return await rate(self.customers, asyncio.gather(*work))

    async def limit(self) -> float:
        """COPY of the rows that the run before this left."""
        await copy_out(self.database, self.folder, RESULT)
        await do(self.database, RESET)
        return await rate(self.customers, copy_in(self.database, self.folder, RESULT))

    async def drain(self) -> float:
        """The relay brings what is in the outbox to four durable inboxes."""
        relay = Relay(self.database, Courier(self.receivers), holder="bench")
        found = await rate(self.customers, _all(relay))
        await relay.lease.release()
        for each in self.receivers.values():
            await empty(each.database, "inbox_pending")
        return found


async def _plan(database: Database, using: Operator) -> UUID:
    """A clean month, planned: what a worker then finds."""
    await do(database, RESET)
    await do(database, "UPDATE fiscal_series SET next_number = from_number; CHECKPOINT")
    async with database.transaction() as session:
        plan = await runs.start_run(
            session, period=PERIOD, operator=using, issue_date=PERIOD.first_day, requested_by="bench", now=NOW
        )  # fmt: skip
    return plan.run_id


async def _work(database: Database, using: Operator, run_id: UUID, chunks: list[float]) -> None:
    """One worker, until no chunk is free."""
    policies, prices, calendar = policy_terms(using), price_functions(using), BusinessCalendar(using)
    more = True
    while more:
        start = time.perf_counter()
        async with database.transaction() as session:
            more = await issuing.issue_chunk(
                session, run_id=run_id, operator=using, policies=policies, prices=prices, calendar=calendar, now=NOW
            )
        chunks.append(time.perf_counter() - start)


async def _all(relay: Relay) -> None:
    while await relay.step():
        pass


async def orm_rate(database: Database, count: int) -> float:
    await do(database, RESET)
    connection = await asyncpg.connect(database.dsn)
    ids = [row["id"] for row in await connection.fetch("SELECT id FROM customer LIMIT $1", count)]
    series = await connection.fetchval("SELECT id FROM fiscal_series LIMIT 1")
    await connection.close()

    async def work() -> None:
        for number, each in enumerate(ids, 1):
            await _orm(database, each, number, series)

    return await rate(count, work())


async def _orm(database: Database, customer_id: UUID, number: int, series: UUID) -> None:
    """The naive way: one invoice, one commit."""
    async with database.transaction() as session:
        customer = await session.get_one(Customer, customer_id, with_for_update=True)
        services = (await session.execute(select(Service).where(Service.customer_id == customer.id))).scalars().all()
        amounts = [(each, each.monthly_amount, round(each.monthly_amount * Decimal("0.15"), 2)) for each in services]
        base, tax = sum((each[1] for each in amounts), Decimal()), sum((each[2] for each in amounts), Decimal())
        invoice = Invoice(
            customer_id=customer.id, origin="run", origin_key="run", fiscal_series_id=series, sequence=number,
            number=f"000-001-01-{number:08}",
            period=str(PERIOD), issue_date=PERIOD.first_day, due_date=PERIOD.last_day, due_ends_at=NOW, base=base, tax=tax,
            total=base + tax, balance=base + tax, reported=Decimal(), currency="USD",
        )  # fmt: skip
        session.add(invoice)
        await session.flush()
        lines = [_line(invoice, place, *each) for place, each in enumerate(amounts, 1)]
        session.add_all([*lines, *(_posting(invoice, credit, amount) for credit, amount in (("REVENUE", base), ("TAX", tax)))])
        session.add(_told(invoice, lines))


def _line(invoice: Invoice, number: int, service: Service, base: Decimal, tax: Decimal) -> InvoiceLine:
    return InvoiceLine(
        invoice_id=invoice.id, number=number, service_id=service.id, description=service.plan_code, quantity=Decimal(1), base=base,
        tax_code="isv15", tax_rate=Decimal("0.15"), tax=tax, total=base + tax, currency="USD",
    )  # fmt: skip


def _posting(invoice: Invoice, credit: str, amount: Decimal) -> Posting:
    return Posting(
        customer_id=invoice.customer_id, invoice_id=invoice.id, debit="RECEIVABLE", credit=credit, amount=amount, currency="USD",
        posted_at=NOW,
    )  # fmt: skip


def _told(invoice: Invoice, lines: list[InvoiceLine]) -> OutboxRow:
    amounts: Mapping[str, Any] = {name: getattr(invoice, name) for name in InvoiceIssued.model_fields if hasattr(invoice, name)}
    event = InvoiceIssued.model_validate({
        **amounts, "invoice_id": invoice.id, "fiscal_code": "x", "fiscal_range": "x", "fiscal_expires": PERIOD.last_day,
        "lines": [each.model_dump() for each in lines],
    })  # fmt: skip
    return OutboxRow(
        event_id=new_id(), type=event.TYPE, subject=f"invoice/{invoice.id}", sequence=1, key=str(invoice.customer_id), occurred_at=NOW,
        data=event.model_dump_json(),
    )  # fmt: skip
