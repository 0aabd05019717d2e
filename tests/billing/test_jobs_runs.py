"""The month's billing run: who is billed, in which order, with which numbers, on which day."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.billing.jobs import runs as job
from services.billing.operations import issuing, runs
from services.billing.operations.terms import policy_terms
from services.billing.rules.periods import Period
from shared.calendar import BusinessCalendar
from shared.db import Database
from shared.errors import Refused
from shared.events.billing import BillingRunCompleted, InvoiceIssued, PaymentAllocated
from shared.operator import Operator
from tests.billing.books import Book, line, local, report, vip
from tests.billing.conftest import serving
from tests.support.rules import rule
from tests.support.service import Served, operator


async def start(billing: Served, period: str = "2026-03", chunk: int | None = None, using: Operator | None = None) -> runs.RunPlan:
    """Plan a month at the service's business time."""
    now, documents = await billing.now(), using or operator()
    async with billing.runtime.database.transaction() as session:
        return await runs.start_run(
            session,
            period=Period.parse(period),
            operator=documents,
            issue_date=BusinessCalendar(documents).today(now),
            requested_by="ines.reyes",
            now=now,
            chunk=chunk,
        )


def with_series(**changes: Any) -> Operator:
    """The operator with another authorised range."""
    series = operator().fiscal_series[0].model_copy(update=changes)
    return operator().model_copy(update={"fiscal_series": [series]})


@rule("VIP-5")
async def test_invoices_go_out_on_day_one_and_vips_first(billing: Served, book: Book) -> None:
    residents = [line(id=f"R-{n}") for n in range(5)]
    await book.customers(billing, *residents[:3], vip(id="V-1"), *residents[3:], vip(id="V-2"))
    await billing.at(local("2026-03-02", "23:59"))
    told = [each.event for each in await billing.published(InvoiceIssued)]
    ids = await billing.sql("SELECT id, external_id FROM customer")
    names = {row.id: row.external_id for row in ids}
    assert {each.issue_date for each in told} == {date(2026, 3, 1)}
    assert [names[each.customer_id] for each in told][:2] == ["V-1", "V-2"]
    assert [each.number for each in told] == [f"000-001-01-{n:08}" for n in range(1, 8)]
    assert (await billing.published(BillingRunCompleted))[0].event.invoices == 7


@rule("VIP-3", "RES-2")
async def test_the_due_date_is_that_of_the_customers_policy(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="R-1"), vip(id="V-1"))
    await billing.at(local("2026-03-01"))
    dues = await billing.sql("SELECT c.policy, i.due_date, i.due_ends_at FROM invoice i JOIN customer c ON c.id = i.customer_id ORDER BY 1")
    assert [(row.policy, row.due_date) for row in dues] == [("residencial", date(2026, 3, 10)), ("vip", date(2026, 3, 5))]
    assert dues[1].due_ends_at == local("2026-03-06", "00:00")


async def test_an_invoice_adds_up_line_by_line(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1", precio="39.95", plan2="telefonia", precio2="19.90"))
    await billing.at(local("2026-03-01"))
    told = (await billing.published(InvoiceIssued))[0].event
    assert [(each.description, each.base, each.tax, each.total) for each in told.lines] == [
        ("Hogar 50 Mbps · 2026-03", Decimal("39.9500"), Decimal("5.9900"), Decimal("45.9400")),  # 5.9925 is rounded
        ("Telefonía fija · 2026-03", Decimal("19.9000"), Decimal("2.9900"), Decimal("22.8900")),  # 2.985 is rounded up
    ]
    assert (told.base, told.tax, told.total, told.balance) == (Decimal("59.8500"), Decimal("8.9800"), Decimal("68.8300"), told.total)
    assert (told.fiscal_code, told.fiscal_expires) == (operator().fiscal_series[0].authorization_code, date(2027, 12, 31))
    assert told.fiscal_range == "000-001-01-00000001 a 000-001-01-05000000"


@rule("FACT-1", "FISCAL-1")
async def test_a_service_is_billed_for_the_days_it_was_sold(billing: Served, book: Book) -> None:
    await book.customers(
        billing,
        line(id="C-1", precio="31.00", alta="2026-03-11"),
        line(id="C-2", precio="31.00", baja="2026-03-10"),
        line(id="C-3", precio="31.00", alta="2026-03-05", baja="2026-03-05"),
        line(id="C-4", precio="31.00", alta="2026-04-01"),
        line(id="C-5", precio="31.00", baja="2026-02-27"),
        line(id="C-6", precio="0"),
    )
    await billing.at(local("2026-03-01"))
    billed = await billing.sql("SELECT c.external_id, i.base FROM invoice i JOIN customer c ON c.id = i.customer_id ORDER BY 1")
    assert [tuple(row) for row in billed] == [
        ("C-1", Decimal("21.0000")), ("C-2", Decimal("10.0000")), ("C-3", Decimal("1.0000")),
    ]  # fmt: skip


async def test_every_month_is_run_by_itself_and_once(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"))
    await billing.at(local("2026-05-15"))
    found = await billing.sql("SELECT period, issue_date, state FROM billing_run ORDER BY 1")
    assert [tuple(row) for row in found] == [
        (f"2026-0{month}", date(2026, month, 1), "COMPLETED") for month in (3, 4, 5)
    ]  # fmt: skip
    with pytest.raises(Refused, match="ya tiene su corrida"):
        await start(billing, "2026-05")
    with pytest.raises(Refused, match="todavía no empieza"):
        await start(billing, "2026-06")
    assert len(await billing.published(InvoiceIssued)) == 3


async def test_numbers_have_no_gap_over_months_and_chunks(billing: Served, book: Book) -> None:
    await book.customers(billing, *(line(id=f"C-{n}") for n in range(10)))
    for month in ("2026-03", "2026-04"):
        await billing.runtime.clock.set(local(f"{month}-01", "00:10"))  # type: ignore[attr-defined]
        await start(billing, month, chunk=3)
        await billing.work()
    sequences = await billing.sql("SELECT sequence FROM invoice ORDER BY 1")
    assert [row.sequence for row in sequences] == list(range(1, 21))
    assert (await billing.sql("SELECT count(*) AS n FROM billing_chunk"))[0].n == 8


@rule("FISCAL-1")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"to_number": 2}, "Hacen falta 3 números"),
        ({"expires": date(2026, 2, 28)}, "vence el 2026-02-28"),
    ],
)
async def test_a_run_whose_numbers_do_not_suffice_does_not_start(
    database: Callable[[str], Awaitable[Database]], tmp_path: Path, book: Book, changes: dict[str, Any], expected: str
) -> None:
    documents = with_series(**changes)
    async with serving(await database("billing"), tmp_path, using=documents) as billing:
        await book.customers(billing, *(line(id=f"C-{n}") for n in range(3)))
        await billing.at(local("2026-03-01"))
        found = (await billing.sql("SELECT state, refusal FROM billing_run"))[0]
        assert found.state == "REFUSED" and expected in found.refusal
        assert await billing.published(InvoiceIssued) == []
        object.__setattr__(billing.runtime, "operator", operator())  # a longer range was granted
        await billing.at(local("2026-03-01", "23:00"))
        assert await billing.published(InvoiceIssued) == []
        await billing.at(local("2026-03-02", "00:30"))  # tried again a day later
        assert len(await billing.published(InvoiceIssued)) == 3


@rule("FACT-1", "FISCAL-1")
async def test_the_last_number_of_a_range_is_used_and_the_next_range_after_it(
    database: Callable[[str], Awaitable[Database]], tmp_path: Path, book: Book
) -> None:
    first = operator().fiscal_series[0].model_copy(update={"to_number": 3})
    second = first.model_copy(update={"authorization_code": "NUEVO", "from_number": 101, "to_number": 200})
    documents = operator().model_copy(update={"fiscal_series": [first, second]})
    async with serving(await database("billing"), tmp_path, using=documents) as billing:
        await book.customers(billing, *(line(id=f"C-{n}") for n in range(3)))
        await billing.at(local("2026-04-02"))
        sequences = await billing.sql("SELECT sequence FROM invoice ORDER BY 1")
        assert [row.sequence for row in sequences] == [1, 2, 3, 101, 102, 103]


async def test_a_plan_that_the_catalogue_lost_keeps_the_run_from_starting(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"), line(id="C-2", plan="hogar_10"))
    fewer = operator().model_copy(update={"plans": [each for each in operator().plans if each.code != "hogar_10"]})
    await billing.at(local("2026-03-01", "00:00"))
    with pytest.raises(Refused, match=r"hogar_10 \(1 servicios\)"):
        await start(billing, using=fewer)
    assert await billing.sql("SELECT id FROM billing_run") == []


async def test_a_run_that_was_killed_between_chunks_goes_on(billing: Served, book: Book) -> None:
    await book.customers(billing, *(line(id=f"C-{n}") for n in range(10)))
    await billing.runtime.clock.set(local("2026-03-01", "00:10"))  # type: ignore[attr-defined]
    plan = await start(billing, chunk=4)
    await issue_one(billing, plan)
    before = await billing.sql("SELECT id, number FROM invoice ORDER BY number")
    with pytest.raises(RuntimeError, match="killed"):  # in mid-chunk: nothing of it stays
        await issue_one(billing, plan, killed=True)
    assert await billing.sql("SELECT id, number FROM invoice ORDER BY number") == before
    await billing.work()
    found = await billing.sql("SELECT number FROM invoice ORDER BY number")
    assert [row.number for row in found] == [f"000-001-01-{n:08}" for n in range(1, 11)]
    assert len(await billing.published(BillingRunCompleted)) == 1


async def test_two_workers_at_once_share_the_chunks(billing: Served, book: Book) -> None:
    await book.customers(billing, *(line(id=f"C-{n:02}") for n in range(24)))
    await billing.runtime.clock.set(local("2026-03-01", "00:10"))  # type: ignore[attr-defined]
    plan = await start(billing, chunk=2)
    context = billing.runtime.job_context(await billing.now())
    steps = await asyncio.gather(*(job.issue(context, plan.run_id) for _ in range(3)))
    assert sum(steps) == 12 + 1  # every chunk once, closed once
    assert len(await billing.published(InvoiceIssued)) == 24
    assert len(await billing.published(BillingRunCompleted)) == 1


async def test_who_has_nothing_to_bill_any_more_gets_a_voided_invoice_of_zero(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"), line(id="C-2"))
    await billing.runtime.clock.set(local("2026-03-01", "00:10"))  # type: ignore[attr-defined]
    await start(billing)
    await billing.sql(
        "UPDATE service s SET active_to = '2026-02-28' FROM customer c WHERE c.id = s.customer_id AND external_id = 'C-1' RETURNING s.id"
    )
    await billing.work()
    found = await billing.sql("SELECT number, state, total FROM invoice ORDER BY number")
    assert [tuple(row) for row in found] == [
        ("000-001-01-00000001", "VOIDED", Decimal("0.0000")), ("000-001-01-00000002", "OPEN", Decimal("45.8900")),
    ]  # fmt: skip
    assert [each.event.number for each in await billing.published(InvoiceIssued)] == ["000-001-01-00000002"]


@rule("FACT-1")
async def test_money_left_over_pays_the_new_invoice(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1"))
    await report(billing, "C-1", "50.00", "R-1")
    await billing.at(local("2026-03-01"))
    assert (await billing.sql("SELECT balance - reported AS open FROM invoice"))[0].open == Decimal("0.0000")
    told = [(each.type, each.event) for each in await billing.published(InvoiceIssued, PaymentAllocated)]
    assert [kind for kind, _ in told] == [InvoiceIssued.TYPE, PaymentAllocated.TYPE]
    assert (told[1][1].open_after, told[1][1].confirmed) == (Decimal("0.0000"), False)


async def test_no_run_starts_while_a_book_comes_in(billing: Served, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.billing.operations.imports.LEASE", timedelta(hours=1))
    await book.customers(billing, line(id="C-1"))
    await billing.sql("UPDATE import_batch SET state = 'READING', claimed_until = now() + interval '1 hour' RETURNING id")
    await billing.runtime.clock.set(local("2026-03-01", "00:30"))  # type: ignore[attr-defined]
    await billing.work()
    assert await billing.sql("SELECT id FROM billing_run") == []
    with pytest.raises(Refused, match="Se está importando"):
        await start(billing)
    await billing.sql("UPDATE import_batch SET state = 'DONE' RETURNING id")
    await billing.work()
    assert len(await billing.published(InvoiceIssued)) == 1


@pytest.mark.parametrize(
    ("imported", "expected"),
    [("2026-02-20T10:00-06:00", "2026-03"), ("2026-03-02T10:00-06:00", "2026-03"), ("2026-03-15T10:00-06:00", "2026-04")],
)
async def test_the_first_month_is_the_current_one_while_its_invoices_are_in_time(
    database: Callable[[str], Awaitable[Database]], tmp_path: Path, book: Book, imported: str, expected: str
) -> None:
    async with serving(await database("billing"), tmp_path, start=datetime.fromisoformat(imported)) as billing:
        await book.customers(billing, line(id="C-1"))
        await billing.at(local("2026-04-01", "12:00"))
        assert (await billing.sql("SELECT min(period) AS first FROM billing_run"))[0].first == expected


@pytest.mark.parametrize(("customers", "chunk"), [(0, 1_000), (7_043, 1_000), (400_000, 2_000), (3_000_000, 5_000)])
def test_a_chunk_is_a_small_part_of_the_book(customers: int, chunk: int) -> None:
    assert runs.chunk_size(customers) == chunk


async def arguments(billing: Served, plan: runs.RunPlan) -> dict[str, Any]:
    """What issues the next chunk of a run."""
    documents = operator()
    terms = {"policies": policy_terms(documents), "prices": {}, "calendar": BusinessCalendar(documents)}
    return {"run_id": plan.run_id, "operator": documents, **terms, "now": await billing.now()}


async def issue_one(billing: Served, plan: runs.RunPlan, *, killed: bool = False) -> None:
    """Issue one chunk; a killed worker does not come to its commit."""
    async with billing.runtime.database.transaction() as session:
        assert await issuing.issue_chunk(session, **await arguments(billing, plan))
        if killed:
            raise RuntimeError("killed")


async def test_payments_that_come_in_while_the_month_is_billed_meet_the_new_invoices(billing: Served, book: Book) -> None:
    names = [f"C-{n:02}" for n in range(20)]
    await book.customers(billing, *(line(id=name) for name in names))
    await billing.runtime.clock.set(local("2026-03-01", "00:10"))  # type: ignore[attr-defined]
    plan = await start(billing, chunk=4)
    context = billing.runtime.job_context(await billing.now())
    paying = [report(billing, name, "45.89", f"R-{name}") for name in names]
    await asyncio.gather(job.issue(context, plan.run_id), *paying, job.issue(context, plan.run_id))
    found = (await billing.sql("SELECT count(*) AS n, sum(balance - reported) AS open FROM invoice"))[0]
    assert tuple(found) == (20, Decimal("0.0000"))


LEFT_BEHIND = f"""
INSERT INTO outbox (event_id, type, subject, sequence, key, occurred_at, data)
SELECT gen_random_uuid(), 'billing.invoice_issued.v1', 'invoice/' || n, 1, n::text, now(), '{{}}'
FROM generate_series(0, {runs.LARGEST}) AS n
"""


async def test_a_run_waits_for_the_relay_that_follows_it_and_for_no_other(billing: Served) -> None:
    database = billing.runtime.database
    assert await job._followed(database), "nothing is behind"
    await billing.sql(LEFT_BEHIND)
    assert not await job._followed(database), "nobody takes the events away"
    waits = asyncio.create_task(job._followed(database))
    await asyncio.sleep(job.FOLLOW_SECONDS / 2)
    await billing.sql("DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox)")
    assert await waits
