"""L2: reading the manager's figures at a million accounts: the slowest of the four, by the rows that stand behind them."""

import statistics
import time
from datetime import UTC, datetime, timedelta

import httpx

from services.collections.app import SERVICE
from tests.bench.data import do
from tests.bench.p_lists import ACCOUNT_ROWS, CUSTOMER, INVOICE, PAYMENT, ROWS
from tests.bench.runner import Bench, Goal, Growth, Measure
from tests.support.service import serve

NOW = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
READS = 20
MOST_MS = 200.0
FIGURES = ("collected", "ageing", "promises", "cuts")
# Every second invoice is paid, every tenth account promised, every twentieth was cut and is on again.
MORE_ROWS = (
    "INSERT INTO payment (id, account_id, amount, currency, reference, channel, reported_at, confirmed_at) "
    f"SELECT {PAYMENT}, {CUSTOMER}, 10, 'USD', 'BR' || n, 'banco', '2026-02-10Z', '2026-02-11Z' {ROWS} WHERE n % 2 = 0",
    "INSERT INTO payment_part (payment_id, invoice_id, amount, currency, believed_at) "
    f"SELECT {PAYMENT}, {INVOICE}, 10, 'USD', '2026-02-10Z' {ROWS} WHERE n % 2 = 0",
    "INSERT INTO promise (id, account_id, period, ordinal, amount, currency, made_at, due_at, agent, known_payments, state, state_at) "
    f"SELECT {PAYMENT}, {CUSTOMER}, '2026-02', 1, 10, 'USD', '2026-02-08Z', '2026-02-12Z', 'ana.martinez', '{{{{}}}}', "
    f"CASE WHEN n % 20 = 0 THEN 'KEPT' ELSE 'BROKEN' END, '2026-02-12Z' {ROWS} WHERE n % 10 = 0",
    "INSERT INTO suspension (id, account_id, state, source, procedure, delivery, rule, reason, amount, currency, invoice_ids, agent, "
    "requested_at, suspended_at, reconnected_at, reconnection_id, reconnection_requested_at) "
    f"SELECT {PAYMENT}, {CUSTOMER}, 'RECONNECTED', 'SYSTEM', 'x', 'own', 'x', 'x', 10, 'USD', '{{{{}}}}', 'sistema', '2026-02-09Z', "
    f"'2026-02-09 12:00Z', '2026-02-10 12:00Z', {INVOICE}, '2026-02-10Z' {ROWS} WHERE n % 20 = 0",
)


async def prepare(bench: Bench) -> Measure:
    growth, sizes = Growth("accounts", "ms"), bench.sizes(1_000_000)
    database, before, took = await bench.database("collections"), 0, {}
    for size in sizes:
        for statement in (*ACCOUNT_ROWS, *MORE_ROWS):
            await do(database, statement.format(first=before + 1, last=size, every=40))
        await do(database, "VACUUM ANALYZE")
        async with serve(SERVICE, database, NOW + timedelta(seconds=before)) as served:
            client = served.as_("marta.zelaya")
            (await client.post("/figures")).raise_for_status()
            start = time.perf_counter()
            await next(each for each in SERVICE.jobs if each.name == "figures").run(served.runtime.job_context(await served.now()))
            took["counting"] = 1000 * (time.perf_counter() - start)
            took["reading"] = max([await _read(client, each) for each in FIGURES])
        for name, value in took.items():
            growth.note(name, size, value)
        before = size

    async def reading() -> float:
        return took["reading"]

    async def counting() -> float:
        return took["counting"]

    return Measure(
        "L2",
        f"the manager's figures at {sizes[-1]:,} accounts",
        "ms",
        {"slowest figure read": reading, "all counted by the job": counting},
        [Goal(f"a figure is read in {MOST_MS:.0f} ms", "slowest figure read", MOST_MS, 1.0, at_most=True, scaled=True)],
        rounds=1,
        growth=growth,
    )


async def _read(client: httpx.AsyncClient, name: str) -> float:
    """One figure's page in ms: the slower of twenty but one."""
    took = []
    for _ in range(READS):
        start = time.perf_counter()
        answer = await client.get(f"/figures/{name}")
        took.append(1000 * (time.perf_counter() - start))
        answer.raise_for_status()
        assert answer.json()["items"], name
    return statistics.quantiles(took, n=20)[-1]
