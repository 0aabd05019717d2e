"""P17: «Simular el corte»: what the policy would do tomorrow over a whole book, beside the run that then does it."""

import statistics
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from functools import partial

from services.collections.jobs import review
from services.collections.operations.simulating import ask
from shared.auth import Principal
from shared.db import Database
from shared.jobs import JobContext
from shared.settings import Settings
from tests.bench.accounts import EVENING, NOON, ORDINARY, fill
from tests.bench.data import do
from tests.bench.runner import Bench, Goal, Growth, Measure, Variant, rate
from tests.support.service import operator

CUT = {"cut": 100}
TOMORROW = date(2026, 3, 20)
MANAGER = Principal("marta.zelaya", "Marta Zelaya", frozenset({"gerente_cobros"}), "bench", datetime(2100, 1, 1, tzinfo=UTC))
ENOUGH = 100_000  # smaller books are gone through so often that as many accounts are counted
LAST = 1_000_000


async def prepare(bench: Bench) -> Measure:
    database, growth = await bench.database("collections"), Growth("accounts", "accounts/s")
    sizes = bench.sizes(LAST)

    async def measured(series: str, kinds: Mapping[str, int], size: int, work: Callable[[Database], Awaitable[object]]) -> float:
        """The whole book per second: accounts that were looked at, and those of which nobody need know."""
        found = []
        for _ in range(max(1, min(5, ENOUGH // size))):
            await do(database, "TRUNCATE cut_simulation, cut_simulation_step, cut_approval CASCADE")
            await fill(database, size, kinds)
            found.append(await rate(size, work(database)))
        return growth.note(series, size, statistics.median(found))

    def sized(series: str, kinds: Mapping[str, int], work: Callable[[Database], Awaitable[object]]) -> dict[str, Variant]:
        names = [f"{series}, {size:,}" for size in sizes[:-1]] + [series]
        return {name: partial(measured, series, kinds, size, work) for name, size in zip(names, sizes, strict=True)}

    shown, ran = sized("tomorrow is simulated", ORDINARY, _simulate), sized("tomorrow is run", ORDINARY, _run)
    cuts = sized("all are to be cut, simulated", CUT, _simulate)
    (small, *_), (cuts_small, *_), last, cut = shown, cuts, [*shown][-1], [*cuts][-1]
    size, least = f"{sizes[-1]:,}", f"{sizes[0]:,}"
    return Measure(
        "P17",
        f"«Simular el corte» over {size} accounts",
        "accounts/s of the whole book",
        {**shown, **ran, **cuts},
        [
            Goal("simulated / run", last, [*ran][-1], 0.7),
            Goal(f"simulated: cost at {size} / at {least}", small, last, 1.2, at_most=True),
            Goal(f"all to be cut: cost at {size} / at {least}", cuts_small, cut, 1.2, at_most=True),
        ],
        rounds=1,
        growth=growth,
    )


async def _simulate(database: Database) -> None:
    """A manager asks on the evening before, and one worker works it out."""
    async with database.transaction() as session:
        await ask(session, day=TOMORROW, policy=None, actor=MANAGER, operator=operator(), now=EVENING)
    await review.simulate(_context(database, EVENING))


async def _run(database: Database) -> None:
    await review.run(_context(database, NOON))


def _context(database: Database, now: datetime) -> JobContext:
    return JobContext(database, now, operator(), Settings(service="collections", database_url=database.dsn), {})
