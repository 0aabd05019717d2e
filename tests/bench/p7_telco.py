"""P7T: the month of a book that nobody here wrote: a telephone company's customers, as often as it takes, with the mapping that we ship."""

import csv
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

from services.billing.adapters.mapping_files import load_mapping
from services.billing.jobs.imports import run_file
from tests.bench.p7_billing import Months
from tests.bench.runner import Bench, Goal, Measure
from tests.support.service import OPERATOR_FOLDER, operator

TELCO = Path("../shared/data/telco-customers.csv")
MAPPING = OPERATOR_FOLDER / "books" / "telco.mapping.yaml"
NOW = datetime(2026, 2, 28, 12, tzinfo=UTC)


async def prepare(bench: Bench) -> Measure:
    work, path = await Months.open(bench), bench.folder() / "telco.csv"
    _write(path, bench.count(100_000))
    batch = await run_file(
        work.database, path, mapping=load_mapping(MAPPING, operator()), operator=operator(), now=NOW, requested_by="bench"
    )
    work.customers = batch.rows_new
    return Measure(
        "P7T",
        f"billing run, {work.customers:,} customers of the Telco book",
        "invoices/s",
        {"1 worker": lambda: work.issue(1), "2 workers": lambda: work.issue(2), "COPY": work.limit},
        [Goal("1 worker / COPY", "1 worker", "COPY", 0.40), Goal("2 workers / COPY", "2 workers", "COPY", 0.75)],
    )


def _write(path: Path, customers: int) -> None:
    with TELCO.open(encoding="utf-8-sig", newline="") as text:
        rows = list(csv.DictReader(text))
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        for number, row in enumerate(islice(cycle(rows), customers)):
            writer.writerow(row | {"customerID": f"{row['customerID']}-{number // len(rows)}"})


def here() -> bool:
    """Is the book on this machine?"""
    return TELCO.is_file()
