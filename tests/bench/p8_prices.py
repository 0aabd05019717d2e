"""P8: a month in which every service's price is asked of a Python function of the operator's own."""

from decimal import Decimal

from services.billing.rules.prices import SoldMonth
from shared.operator import Operator
from tests.bench.p7_billing import Months, orm_rate
from tests.bench.runner import Bench, Goal, Measure
from tests.support.service import operator

STEP, LOYAL = Decimal("0.01"), Decimal("0.95")


def loyalty(sold: SoldMonth) -> Decimal:
    """Five per cent less after a year, and one cent for each month before."""
    months = (sold.first_day.year - sold.active_from.year) * 12 + sold.first_day.month - sold.active_from.month
    return sold.usual * LOYAL if months >= 12 else sold.usual - STEP * months


def with_prices() -> Operator:
    """The shipped operator, each of its plans with this function."""
    plans = [each.model_copy(update={"price": f"{__name__}:{loyalty.__name__}"}) for each in operator().plans]
    return operator().model_copy(update={"plans": plans})


async def prepare(bench: Bench) -> Measure:
    work = await Months.open(bench, with_prices())
    count = bench.count(100_000)
    await work.fill(count)
    return Measure(
        "P8",
        f"billing run, {count:,} invoices of two lines, each priced in Python",
        "invoices/s",
        {
            "1 worker": lambda: work.issue(1),
            "2 workers": lambda: work.issue(2),
            "COPY": work.limit,
            "ORM per invoice": lambda: orm_rate(work.database, bench.count(300)),
        },
        [Goal("1 worker / COPY", "1 worker", "COPY", 0.35), Goal("1 worker / ORM", "1 worker", "ORM per invoice", 25)],
    )
