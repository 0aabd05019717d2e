"""Books end to end: what becomes of good, bad, changed, missing and repeated rows."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from services.billing.jobs import blocks
from services.billing.jobs import imports as job
from services.billing.models import ImportBatch
from services.billing.operations.imports import claim_import, keep_claim, queue_import
from services.billing.queries.imports import MISSING, missing_of
from shared.calendar import BusinessCalendar
from shared.db import rows
from shared.events.billing import CustomerChanged, CustomerRegistered, InvoiceIssued, PaymentAllocated
from shared.lease import LEASE
from tests.billing.books import COLUMNS, MAPPING, Book, customer_id, faults, line, local, report, vip
from tests.support.service import Served, operator


def outcome(batch: ImportBatch) -> tuple[str, int, int, int, int]:
    """State, and new, changed, unchanged and bad rows."""
    return batch.state, batch.rows_new, batch.rows_changed, batch.rows_unchanged, batch.rows_bad


async def test_new_customers_are_registered_and_told_once(billing: Served, book: Book) -> None:
    batch = await book.customers(billing, line(id="C-1", gestor="ana.martinez", correo="a@uno.hn"), vip(id="C-2", nodo="SPS-1"))
    assert outcome(batch) == ("DONE", 2, 0, 0, 0)
    first, second = [each.event for each in await billing.published(CustomerRegistered)]
    assert (first.external_id, first.assigned_agent, first.opening_status) == ("C-1", "ana.martinez", "ACTIVO")
    assert (first.monthly_amount, first.services[0].plan_kind, first.contacts[0].email) == (Decimal("39.9000"), "residential", "a@uno.hn")
    assert (second.opening_status, second.services[0].access_node) == ("CLIENTE VIP", "SPS-1")
    policies = await billing.sql("SELECT external_id, policy, last_billed FROM customer ORDER BY 1")
    assert [tuple(row) for row in policies] == [("C-1", "residencial", "2026-02"), ("C-2", "vip", "2026-02")]


async def test_the_same_file_again_changes_and_tells_nothing(billing: Served, book: Book) -> None:
    rows = [line(id=f"C-{n}", saldo=str(n), gestor="ana.martinez") for n in range(1, 30)]
    await book.customers(billing, *rows)
    told = len(await billing.published())
    for _ in range(2):
        assert outcome(await book.customers(billing, *rows)) == ("DONE", 0, 0, 29, 0)
    assert len(await billing.published()) == told


async def test_a_changed_row_updates_with_history_and_a_missing_one_is_only_listed(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1", plan2="telefonia"), line(id="C-2"), line(id="C-3"))
    batch = await book.customers(billing, line(id="C-1", nombre="Nuevo Nombre", plan="hogar_200"), line(id="C-2"))
    assert outcome(batch) == ("DONE", 0, 1, 1, 0)
    changed = (await billing.published(CustomerChanged))[0]
    assert (changed.event.name, changed.sequence) == ("Nuevo Nombre", 2)
    ends = {each.plan_code: each.active_to for each in changed.event.services}
    assert ends["hogar_200"] is None
    assert str(ends["telefonia"]) == "2026-02-27"  # the source no longer has it: it ended yesterday
    kept = (await billing.sql("SELECT version, changed_by, changes FROM customer_history"))[0]
    assert (kept.version, kept.changed_by) == (2, f"importación {batch.id}")
    assert '"Cliente C-1", "Nuevo Nombre"' in str(kept.changes).replace("'", '"')
    async with billing.runtime.database.transaction() as session:
        assert [each.item.external_id for each in await missing_of(session, batch.id, MISSING.order())] == ["C-3"]
    assert (batch.rows_missing, len(await billing.sql("SELECT 1 FROM customer"))) == (1, 3)


async def test_the_tax_id_comes_with_the_book_and_stays_where_the_mapping_has_none(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1", rtn="05012024252421"), line(id="C-2"))
    known = "SELECT external_id, tax_id FROM customer ORDER BY external_id"
    assert [tuple(row) for row in await billing.sql(known)] == [("C-1", "05012024252421"), ("C-2", None)]
    await book.customers(billing, line(id="C-1", rtn="05012024252422"), line(id="C-2"))
    kept = (await billing.sql("SELECT changes::text AS changes FROM customer_history"))[0].changes
    assert kept == '{"tax_id": ["05012024252421", "05012024252422"]}'
    silent = MAPPING.replace(", tax_id: rtn", "")
    await book.take(billing.runtime.database, book.rows([line(id="C-1", nombre="Otro"), line(id="C-2")]), silent)
    assert [tuple(row) for row in await billing.sql(known)] == [("C-1", "05012024252422"), ("C-2", None)]


async def test_a_change_that_no_event_shows_is_history_too(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1", contrato="CT-1"))
    batch = await book.customers(billing, line(id="C-1", contrato="CT-2"))
    assert outcome(batch) == ("DONE", 0, 1, 0, 0)
    kept = (await billing.sql("SELECT changes::text AS changes FROM customer_history"))[0].changes
    assert kept == '{"contract_number": ["CT-1", "CT-2"]}'


async def test_what_somebody_changed_here_is_not_overwritten_by_an_old_row(billing: Served, book: Book) -> None:
    row = line(id="C-1", gestor="ana.martinez")
    await book.customers(billing, row)
    await billing.sql("UPDATE customer SET assigned_agent = 'carlos.rivera' RETURNING id")
    await book.customers(billing, {**row, "nombre": "Otro"})
    found = (await billing.sql("SELECT name, assigned_agent FROM customer"))[0]
    assert tuple(found) == ("Otro", "carlos.rivera")
    await book.customers(billing, {**row, "nombre": "Otro", "gestor": "lucia.flores"})
    assert (await billing.sql("SELECT assigned_agent FROM customer"))[0].assigned_agent == "lucia.flores"


async def test_a_broken_row_in_the_middle_is_reported_and_the_others_applied(billing: Served, book: Book) -> None:
    text = 'id,nombre,plan,precio\nC-1,Ana,hogar_50,39.90\nC-2,"Beto,hogar_50,39.90\nC-3,Carla,hogar_50,x\nC-4,Dora,hogar_50,39.90\n'
    mapping = "source: crm\ncustomer: {external_id: id, name: nombre}\nservices: [{plan: plan, amount: precio}]\n"
    batch = await book.take(billing.runtime.database, book.write(text), mapping)
    assert outcome(batch) == ("DONE", 2, 0, 0, 2)
    assert batch.rows_read == 4
    found = await faults(billing, batch)
    assert [each[:3] for each in found] == [(3, "(fila)", ""), (4, "precio", "x")]
    again = await book.take(billing.runtime.database, book.write(text), mapping)
    assert (outcome(again), again.rows_missing) == (("DONE", 0, 0, 2, 2), 0)


async def test_a_customer_twice_in_a_file_counts_once(billing: Served, book: Book) -> None:
    path = book.rows([line(id="C-1", nombre="Primera"), line(id="C-2"), line(id="C-1", nombre="Segunda")])
    batch = await book.take(billing.runtime.database, path)
    assert outcome(batch) == ("DONE", 2, 0, 0, 1)
    assert (await faults(billing, batch))[0][:3] == (4, "(identificador)", "C-1")
    names = await billing.sql("SELECT name FROM customer ORDER BY external_id")
    assert [row.name for row in names] == ["Primera", "Cliente C-2"]


@pytest.mark.parametrize(
    ("encoding", "delimiter", "extra"),
    [
        ("utf-8-sig", ",", ""),
        ("latin-1", ";", 'decimal: ","\n'),
        ("utf-16", "\t", ""),
        ("utf-8", "|", ""),
        ("cp1252", ";", 'encoding: cp1252\ndecimal: ","\n'),
    ],
)
async def test_files_as_other_programs_write_them(billing: Served, book: Book, encoding: str, delimiter: str, extra: str) -> None:
    price = "1.234,50" if "decimal" in extra else "1234.50"
    rows = [["Exportado por CRM"], [" CÓDIGO ", "Razón  Social", "Plan", "Precio "], ["C-1", "Peña & Cía", "hogar_50", price]]
    text = "\r\n".join(delimiter.join(row) for row in rows) + "\r\n"
    mapping = f"source: crm\n{extra}customer: {{external_id: Código, name: Razón social}}\nservices: [{{plan: plan, amount: precio}}]\n"
    batch = await book.take(billing.runtime.database, book.write(text.encode(encoding)), mapping)
    assert outcome(batch) == ("DONE", 1, 0, 0, 0), await faults(billing, batch)
    found = (await billing.sql("SELECT c.name, s.monthly_amount FROM customer c JOIN service s ON s.customer_id = c.id"))[0]
    assert tuple(found) == ("Peña & Cía", Decimal("1234.5000"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "vacío"),
        ("uno,dos\n1,2\n", "ninguna de las columnas"),
        ("id,nombre\n1,2\n", "Faltan columnas del mapeo: "),
        ("PK\x03\x04hoja", "Excel"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_with_its_reason(billing: Served, book: Book, text: str, expected: str) -> None:
    batch = await book.take(billing.runtime.database, book.write(text))
    assert batch.state == "FAILED"
    assert expected in (batch.failure or "")


async def test_a_row_per_service_is_put_together(billing: Served, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "GATHER_ROWS", 2)
    mapping = """
source: crm
one_row_per: service
customer: {external_id: id, name: nombre}
contacts: [{name: contacto}]
services: [{code: servicio, plan: plan}]
"""
    rows = [
        "C-1,Ana,a,hogar_50,Ana",
        "C-2,Beto,x,hogar_10,Beto",
        "C-1,Ana,b,telefonia,Luz",
        "C-2,Beto,x,hogar_10,Beto",
        "C-3,Eva,x,hogar_50,",
    ]
    path = book.write("\n".join(["id,nombre,servicio,plan,contacto", *rows, "C-1,Ana,c,hogar_10,Ana"]))
    batch = await book.take(billing.runtime.database, path, mapping)
    assert (batch.state, batch.rows_read, batch.rows_new, batch.rows_bad) == ("DONE", 6, 2, 1)
    found = await billing.sql("SELECT external_id, code FROM service s JOIN customer c ON c.id = customer_id ORDER BY 1, 2")
    assert [tuple(row) for row in found] == [("C-1", "a"), ("C-1", "b"), ("C-1", "c"), ("C-3", "x")]
    contacts = (await billing.sql("SELECT jsonb_array_length(contacts) AS n FROM customer WHERE external_id = 'C-1'"))[0]
    assert contacts.n == 2
    assert (await faults(billing, batch))[0][1:3] == ("(servicio)", "x")
    again = await book.take(billing.runtime.database, path, mapping)
    assert (again.rows_new, again.rows_changed, again.rows_unchanged, again.rows_missing) == (0, 0, 2, 0)


async def test_an_export_that_names_the_customer_in_its_first_row_alone(billing: Served, book: Book) -> None:
    mapping = """
source: odoo
one_row_per: service
fill_down: [id, name]
customer: {external_id: id, name: name}
services: [{code: lines/login, plan: lines/product}]
"""
    rows = ["P-1,Acme,a,hogar_50", ",,b,telefonia", "P-2,Beta,c,hogar_99", ",,d,telefonia", "P-3,Gama,e,hogar_50"]
    batch = await book.take(billing.runtime.database, book.write("\n".join(["id,name,lines/login,lines/product", *rows])), mapping)
    assert (batch.state, batch.rows_read, batch.rows_new) == ("DONE", 5, 3)
    found = await billing.sql("SELECT external_id, code FROM service s JOIN customer c ON c.id = customer_id ORDER BY 1, 2")
    assert [tuple(row) for row in found] == [("P-1", "a"), ("P-1", "b"), ("P-2", "d"), ("P-3", "e")]


async def test_the_opening_state_of_a_live_operator(billing: Served, book: Book) -> None:
    await book.customers(
        billing,
        line(id="C-1", factura="A-1", emitida="2026-02-01", vence="2026-02-10", total="45.89", debe="20.00"),
        line(id="C-2", saldo="75.10"),
        line(id="C-3", saldo="-30.00"),
    )
    told = [each.event for each in await billing.published(InvoiceIssued)]
    assert [(each.number, each.origin, each.total, each.balance) for each in told] == [
        ("A-1", "opening", Decimal("45.8900"), Decimal("20.0000")),
        ("SALDO-C-2", "opening", Decimal("75.1000"), Decimal("75.1000")),
    ]
    credit = (await billing.sql("SELECT amount, unallocated, state FROM payment"))[0]
    assert tuple(credit) == (Decimal("30.0000"), Decimal("30.0000"), "CONFIRMED")
    again = await book.customers(billing, line(id="C-1"), line(id="C-2", saldo="10.00"), line(id="C-3"))
    assert outcome(again) == ("DONE", 0, 0, 3, 0)  # from then on this system keeps the balances
    assert (again.notices, (await faults(billing, again))[0][1:3]) == (1, ("(saldo inicial)", "3"))


async def test_a_credit_beside_open_invoices_pays_them(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1", saldo="-30.00", factura="A-1", emitida="2026-02-01", total="50.00"))
    moved = [each.event for each in await billing.published(PaymentAllocated)]
    assert [(each.confirmed, each.open_after) for each in moved] == [(True, Decimal("20.0000"))]
    assert (await billing.sql("SELECT balance FROM invoice"))[0].balance == Decimal("20.0000")


async def test_a_block_that_is_written_first_waits_for_the_one_before_it(
    billing: Served, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `merged_line` passes is applied."""
    monkeypatch.setattr(job, "MERGE_ROWS", 10)
    await book.customers(billing, line(id="C-000"))
    path, database = book.rows([line(id=f"C-{n:03}", nombre="Otro") for n in range(15)]), billing.runtime.database
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with database.transaction() as session:
        await rows(session, "SELECT id FROM customer FOR UPDATE")
        taking = asyncio.create_task(book.take(database, path))
        async with asyncio.timeout(20):
            while not await billing.sql(waiting):
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)  # time enough for the second block, which nothing stops
        assert len(await billing.sql("SELECT 1 FROM customer")) == 1
        assert (await billing.sql("SELECT max(merged_line) AS line FROM import_batch WHERE state = 'MERGING'"))[0].line == 0
    assert outcome(await taking) == ("DONE", 14, 1, 0, 0)


async def test_a_killed_import_goes_on_where_it_was(billing: Served, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MERGE_ROWS", 10)
    monkeypatch.setattr(blocks, "READ_ROWS", 7)
    path = book.rows([line(id=f"C-{n:03}", saldo="5", precio="x" if n == 20 else "") for n in range(45)])
    database = billing.runtime.database

    class Killed(BaseException):
        """The process is gone."""

    def stop(batch: ImportBatch) -> None:
        if batch.rows_new >= 20:
            raise Killed

    with pytest.raises(Killed):
        await book.take(database, path, progress=stop)
    merged = len(await billing.sql("SELECT 1 FROM customer"))
    assert merged in (20, 30)  # the block behind may have been committed when the process died
    assert (await billing.sql("SELECT rows_new FROM import_batch"))[0].rows_new == merged
    await billing.work()  # nobody may take it while the dead one's lease runs
    assert (await billing.sql("SELECT state FROM import_batch"))[0].state == "MERGING"
    await billing.sql("UPDATE import_batch SET claimed_until = now() - interval '1 second' RETURNING id")
    await billing.work()
    done = (await billing.sql("SELECT state, rows_read, rows_new, rows_unchanged, rows_bad, rows_missing FROM import_batch"))[0]
    assert tuple(done) == ("DONE", 45, 44, 0, 1, 0)
    assert len(await billing.published(CustomerRegistered)) == len(await billing.published(InvoiceIssued)) == 44
    assert await billing.sql("SELECT 1 FROM staged_customer") == []


async def test_an_import_whose_worker_is_gone_waits_no_longer_than_any_claim(billing: Served, book: Book) -> None:
    """A bank's file is not to stand still for a minute because a connection was cut; who works on a long block keeps it all the same."""
    path, database, now = book.rows([line(id="C-1")]), billing.runtime.database, await billing.now()
    mapping = {"source": "crm", "customer": {"external_id": {"column": "id"}, "name": {"column": "nombre"}}}
    async with database.transaction() as session:
        batch = await queue_import(
            session, kind="customers", source="crm", file_name="a.csv", path=str(path), mapping=mapping, requested_by="admin", now=now
        )
        await claim_import(session, holder="one", now=now, batch_id=batch.id)
    left = "SELECT claimed_until - clock_timestamp() AS left FROM import_batch"
    assert timedelta(0) < (await billing.sql(left))[0].left <= LEASE
    await billing.sql("UPDATE import_batch SET claimed_until = clock_timestamp() + interval '1 second' RETURNING id")
    for holder, kept in (("another", False), ("one", True)):
        async with database.transaction() as session:
            await keep_claim(session, batch_id=batch.id, holder=holder)
        assert ((await billing.sql(left))[0].left > timedelta(seconds=2)) is kept


@pytest.mark.parametrize(("left", "taken"), [("-1 second", True), ("4 seconds", False), ("1 hour", True)])
async def test_whether_a_claim_holds_is_told_by_the_clock_that_all_share(billing: Served, book: Book, left: str, taken: bool) -> None:
    """The database's: those of processes may differ. What would last for an hour was claimed before that clock was set back."""
    path, database, now = book.rows([line(id="C-1")]), billing.runtime.database, await billing.now()
    async with database.transaction() as session:
        batch = await queue_import(
            session, kind="payments", source="bank", file_name="a.csv", path=str(path), mapping={}, requested_by="admin", now=now
        )
        assert await claim_import(session, holder="one", now=now) is not None
    await billing.sql(f"UPDATE import_batch SET claimed_until = clock_timestamp() + interval '{left}' RETURNING id")
    async with database.transaction() as session:
        found = await claim_import(session, holder="another", now=now)
    assert (found is not None and found.id == batch.id) is taken


@pytest.mark.parametrize("there", [True, False], ids=["a_good_file", "a_file_that_is_gone"])
async def test_an_import_that_was_taken_over_stops(billing: Served, book: Book, there: bool) -> None:
    """It neither applies rows nor says how the other's work ended."""
    path, database = book.rows([line(id="C-1")]), billing.runtime.database
    mapping = {"source": "crm", "customer": {"external_id": {"column": "id"}, "name": {"column": "nombre"}}}
    now = await billing.now()
    async with database.transaction() as session:
        batch = await queue_import(
            session, kind="customers", source="crm", file_name="a.csv", path=str(path), mapping=mapping, requested_by="admin", now=now
        )
        first = await claim_import(session, holder="one", now=now, batch_id=batch.id)
        assert first is not None
        assert await claim_import(session, holder="two", now=now) is None
    await billing.sql("UPDATE import_batch SET claimed_by = 'two' RETURNING id")
    if not there:
        path.unlink()
    work = job.Work(database, operator(), BusinessCalendar(operator()), first, "one", now)
    await job._work(work)
    assert await billing.sql("SELECT 1 FROM customer") == []
    assert (await billing.sql("SELECT state, claimed_by, failure FROM import_batch"))[0] == ("READING", "two", None)


async def test_the_month_that_the_source_billed_is_not_billed_again(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1", facturado="2026-02"), line(id="C-2", facturado="2026-03"), line(id="C-3", facturado=""))
    await billing.at(local("2026-03-02"))
    billed = await billing.sql("SELECT c.external_id, i.period FROM invoice i JOIN customer c ON c.id = i.customer_id ORDER BY 1")
    assert [tuple(row) for row in billed] == [("C-1", "2026-03"), ("C-3", "2026-03")]


async def test_a_payment_goes_to_what_the_customer_brought_along(billing: Served, book: Book) -> None:
    await book.customers(billing, line(id="C-1", factura="A-1", emitida="2026-02-01", total="50.00"))
    await report(billing, "C-1", "50.00", "R-1")
    assert (await billing.sql("SELECT reported FROM invoice"))[0].reported == Decimal("50.0000")
    assert await customer_id(billing, "C-1")


async def test_columns_of_the_test_book_are_those_of_its_mapping() -> None:
    assert all(name in MAPPING for name in COLUMNS)
