"""A book that nobody here wrote: 7,043 customers of a telephone company, with the mapping that we ship."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from services.billing.adapters.mapping_files import load_mapping
from services.billing.jobs.imports import run_file
from shared.db import Database
from tests.billing.books import faults, local
from tests.billing.conftest import serving
from tests.support.service import OPERATOR_FOLDER, operator

TELCO = Path("../shared/data/telco-customers.csv")
CONTRACTS = {"mensual": 3875, "anual": 1473, "bienal": 1695}
INTERNET = {"hogar_200": 3096, "hogar_50": 2421, "telefonia": 1526}


@pytest.mark.slow
@pytest.mark.skipif(not TELCO.is_file(), reason=f"{TELCO} is not on this machine")
async def test_the_telco_book_comes_in_whole_and_a_second_time_changes_nothing(
    database: Callable[[str], Awaitable[Database]], tmp_path: Path
) -> None:
    opened = await database("billing")
    mapping = load_mapping(OPERATOR_FOLDER / "books/telco.mapping.yaml", operator())
    async with serving(opened, tmp_path) as billing:
        first = await run_file(opened, TELCO, mapping=mapping, operator=operator(), now=await billing.now(), requested_by="admin")
        assert (first.state, first.rows_read, first.rows_new, first.rows_bad) == ("DONE", 7043, 7043, 0), await faults(billing, first)
        assert (await billing.sql("SELECT sum(monthly_amount) AS all, max(monthly_amount) AS most FROM service"))[0] == (
            Decimal("456116.6000"),
            Decimal("118.7500"),
        )
        kinds = await billing.sql("SELECT kind, count(*) AS n FROM contract GROUP BY 1")
        assert {row.kind: row.n for row in kinds} == CONTRACTS
        plans = await billing.sql("SELECT plan_code, count(*) AS n FROM service WHERE monthly_amount > 0 GROUP BY 1")
        assert {row.plan_code: row.n for row in plans} == INTERNET
        again = await run_file(opened, TELCO, mapping=mapping, operator=operator(), now=await billing.now(), requested_by="admin")
        assert (again.rows_new, again.rows_changed, again.rows_unchanged) == (0, 0, 7043)
        assert len(await billing.published()) == 7043
        await billing.at(local("2026-03-01"))
        billed = (await billing.sql("SELECT count(*) AS n, sum(base) AS base FROM invoice"))[0]
        assert billed == (7043, Decimal("456116.6000"))
