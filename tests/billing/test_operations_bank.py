"""A bank's file of payments."""

from decimal import Decimal
from typing import Any

import pytest

from services.billing.jobs import blocks
from services.billing.models import ImportBatch
from shared.events.billing import InvoicePaid, PaymentConfirmed, PaymentReported
from tests.billing.books import BANK, BANK_COLUMNS, Book, faults, line, local, report
from tests.support.service import Served

ROW: dict[str, Any] = {"fecha": "2026-03-02", "referencia": "BR-1", "cliente": "C-1", "monto": "45.89", "moneda": "USD"}


async def opened(billing: Served, book: Book) -> None:
    """March 3, two customers with the month's invoice."""
    await book.customers(billing, line(id="C-1"), line(id="C-2"))
    await billing.at(local("2026-03-03"))


async def test_new_payments_are_reported_and_confirmed_and_a_repeated_file_changes_nothing(billing: Served, book: Book) -> None:
    await opened(billing, book)
    rows = [ROW, {**ROW, "referencia": "BR-2", "cliente": "", "factura": "000-001-01-00000002"}]
    batch = await book.payments(billing, *rows)
    assert (batch.state, batch.rows_new, batch.rows_changed, batch.rows_bad) == ("DONE", 2, 0, 0), await faults(billing, batch)
    assert len(await billing.published(PaymentReported)) == len(await billing.published(PaymentConfirmed)) == 2
    assert len(await billing.published(InvoicePaid)) == 2
    again = await book.payments(billing, *rows)
    assert (again.rows_new, again.rows_changed, again.rows_unchanged) == (0, 0, 2)
    assert len(await billing.published(PaymentReported)) == 2


async def test_a_file_without_a_header_has_its_columns_named_by_the_mapping(billing: Served, book: Book) -> None:
    await opened(billing, book)
    mapping = BANK + "columns: [fecha, referencia, cliente, factura, monto, moneda]\n"
    path = book.write("2026-03-02;BR-1;C-1;;45.89;USD\n2026-03-02;BR-2;C-2;;1.00;USD\n")
    batch = await book.take(billing.runtime.database, path, mapping, now=await billing.now())
    assert (batch.state, batch.rows_read, batch.rows_new) == ("DONE", 2, 2), await faults(billing, batch)
    short = await book.take(billing.runtime.database, book.write("2026-03-02;BR-3\n"), mapping, now=await billing.now())
    assert (short.state, short.failure) == (
        "FAILED",
        "El mapeo nombra 6 columnas (`columns`) y la primera línea del archivo tiene 2.",
    )


async def test_a_payment_that_was_reported_before_is_confirmed(billing: Served, book: Book) -> None:
    await opened(billing, book)
    await report(billing, "C-1", "45.89", "br-1", channel="whatsapp")
    batch = await book.payments(billing, ROW)
    assert (batch.rows_new, batch.rows_changed) == (0, 1)
    assert (len(await billing.published(PaymentReported)), len(await billing.published(PaymentConfirmed))) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"monto": "0"}, "monto", "no es positivo"),
        ({"monto": "-5"}, "monto", "no es positivo"),
        ({"monto": "5.001"}, "(importe)", "decimales"),
        ({"monto": "x"}, "monto", "importe"),
        ({"moneda": "HNL"}, "moneda", "USD"),
        ({"fecha": "2026-03-04"}, "(fecha)", "posterior a hoy"),
        ({"fecha": "hoy"}, "fecha", "fecha"),
        ({"referencia": ""}, "referencia", "falta"),
        ({"cliente": "C-9"}, "(cliente)", "No existe"),
        ({"cliente": ""}, "customer, invoice", "de quién"),
        ({"factura": "000-001-01-00000002"}, "(factura)", "otro cliente"),
        ({"factura": "000-001-01-00000099"}, "(factura)", "No existe"),
    ],
)
async def test_a_row_that_cannot_be_applied_is_told_and_the_others_are(
    billing: Served, book: Book, changes: dict[str, Any], column: str, reason: str
) -> None:
    await opened(billing, book)
    batch = await book.payments(billing, {**ROW, **changes}, {**ROW, "referencia": "BR-2", "monto": "1.00"})
    assert (batch.state, batch.rows_new, batch.rows_bad) == ("DONE", 1, 1)
    found = await faults(billing, batch)
    assert [(each[0], each[1]) for each in found] == [(2, column)]
    assert reason in found[0][3]


async def test_a_reference_with_another_customer_or_amount_is_told(billing: Served, book: Book) -> None:
    await opened(billing, book)
    batch = await book.payments(billing, ROW, {**ROW, "cliente": "C-2"}, {**ROW, "monto": "1.00"}, ROW)
    assert (batch.rows_new, batch.rows_bad, batch.rows_unchanged) == (1, 2, 1)
    assert {each[3].split(" (")[0] for each in await faults(billing, batch)} == {
        "La referencia ya está registrada con otro cliente o importe"
    }


async def test_a_killed_file_of_payments_goes_on_and_counts_each_row_once(
    billing: Served, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(billing, book)
    monkeypatch.setattr(blocks, "READ_ROWS", 4)
    rows = [{**ROW, "referencia": f"BR-{n}", "monto": "x" if n == 2 else "1.00"} for n in range(10)]

    class Killed(BaseException):
        """The process is gone."""

    def stop(batch: ImportBatch) -> None:
        if batch.rows_read >= 4:
            raise Killed

    with pytest.raises(Killed):
        await book.take(billing.runtime.database, book.rows(rows, BANK_COLUMNS), BANK, now=await billing.now(), progress=stop)
    await billing.sql("UPDATE import_batch SET claimed_until = now() - interval '1 second' WHERE state <> 'DONE' RETURNING id")
    await billing.work()
    done = (await billing.sql("SELECT state, rows_read, rows_new, rows_unchanged, rows_bad FROM import_batch WHERE kind = 'payments'"))[0]
    assert tuple(done) == ("DONE", 10, 9, 0, 1)
    assert (await billing.sql("SELECT sum(amount) AS paid FROM payment"))[0].paid == Decimal("9.0000")
    assert len(await billing.sql("SELECT id FROM import_fault")) == 1
