"""The operator's own sample book and its bank's file: what `make demo` plays."""

from services.billing.adapters.mapping_files import load_mapping
from services.billing.jobs.imports import run_file
from services.billing.models import ImportBatch
from tests.billing.books import faults, local
from tests.support.service import OPERATOR_FOLDER, Served, operator

BOOKS = OPERATOR_FOLDER / "books"


async def take(billing: Served, file: str, mapping: str) -> ImportBatch:
    """Import one of the shipped files at the service's business time."""
    loaded = load_mapping(BOOKS / f"{mapping}.mapping.yaml", operator())
    database, now = billing.runtime.database, await billing.now()
    return await run_file(database, BOOKS / file, mapping=loaded, operator=operator(), now=now, requested_by="admin")


async def test_the_sample_book_lives_a_month(billing: Served) -> None:
    book = await take(billing, "clientes.csv", "clientes")
    assert (book.state, book.failure) == ("DONE", None)
    assert book.rows_new > 280
    assert book.rows_bad < 15, await faults(billing, book)
    policies = await billing.sql("SELECT policy, count(*) AS n FROM customer GROUP BY 1")
    assert {row.policy for row in policies} == {"vip", "residencial"}
    await billing.at(local("2026-03-31"))
    run = (await billing.sql("SELECT state, customers FROM billing_run"))[0]
    assert (run.state, run.customers > 270) == ("COMPLETED", True)
    deposits = await take(billing, "pagos_banco.csv", "banco")
    assert (deposits.state, deposits.failure) == ("DONE", None)
    assert deposits.rows_new >= 100
    again = await take(billing, "pagos_banco.csv", "banco")
    assert (again.rows_new, again.rows_changed, again.rows_unchanged) == (0, 0, deposits.rows_new)
    assert (await take(billing, "clientes.csv", "clientes")).rows_changed == 0
