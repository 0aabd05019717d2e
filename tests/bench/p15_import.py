"""P15: a book of customers from CSV to customers, contracts, services, what they owed and their events, against a COPY of the very rows."""

from datetime import UTC, datetime
from pathlib import Path

from services.billing.adapters.mapping_files import load_mapping
from services.billing.jobs.imports import run_file
from services.billing.rules.states import ImportState
from shared.db import Database
from tests.bench.books import MAPPING, write_book
from tests.bench.data import copy_in, copy_out, do
from tests.bench.runner import Bench, Goal, Growth, Measure, memory_mb, rate
from tests.support.service import operator

NOW = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
RESULT = ("customer", "contract", "service", "customer_history", "invoice", "posting", "payment", "payment_allocation", "outbox")
RESET = f"TRUNCATE import_batch, import_fault, import_missing, staged_customer, {', '.join(RESULT)} CASCADE; CHECKPOINT"


async def prepare(bench: Bench) -> Measure:
    database, folder = await bench.database("billing"), bench.folder()
    growth, held = Growth("customers in the file", "customers/s"), list[float]()
    *smaller, count = bench.sizes(1_000_000)
    path = folder / "book.csv"

    async def take(size: int) -> float:
        write_book(path, size)
        await do(database, RESET)
        before = memory_mb()
        found = await rate(size, _import(database, path))
        held.append(max(1.0, memory_mb() - before))
        return growth.note("import", size, found)

    async def limit(size: int) -> float:  # the rows that the import before this left
        await copy_out(database, folder, RESULT)
        await do(database, RESET)
        return growth.note("COPY", size, await rate(size, copy_in(database, folder, RESULT)))

    async def grown() -> float:
        return max(held)

    for size in smaller:
        await take(size)
        await limit(size)
    return Measure(
        "P15",
        f"import of {count:,} customers from a CRM's CSV",
        "customers/s",
        {"import": lambda: take(count), "COPY": lambda: limit(count), "memory grown, MB": grown},
        [Goal("import / COPY", "import", "COPY", 0.3), Goal("memory grown / 40 MB", "memory grown, MB", 40, 1, at_most=True)],
        rounds=1 if count >= 500_000 else None,
        growth=growth,
    )


async def _import(database: Database, path: Path) -> None:
    mapping = load_mapping(MAPPING, operator())
    batch = await run_file(database, path, mapping=mapping, operator=operator(), now=NOW, requested_by="bench")
    if batch.state != ImportState.DONE:
        raise RuntimeError(batch.failure)
