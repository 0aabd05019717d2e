"""F14: a billing run whose workers are killed, while two of them are at it."""

import asyncio
import random
import time
from datetime import datetime
from functools import partial

from services.billing.operations.runs import start_run
from services.billing.rules.periods import Period
from shared.db import Database
from tests.faults.fault import Fault, Injected
from tests.faults.stage import Stage

CHUNK = 2  # customers: many chunks, so that a kill finds one under way
RUN_SECONDS = 120.0
KILLS = 6
MONTHS = """
SELECT r.period, count(i.id) AS invoices, coalesce(sum(i.total), 0) AS total, count(DISTINCT i.customer_id) AS customers,
    coalesce(max(i.sequence) - min(i.sequence) + 1, 0) AS numbers, r.customers AS planned
FROM billing_run r LEFT JOIN invoice i ON i.period = r.period AND i.origin_key = 'run' GROUP BY r.id ORDER BY r.period
"""


async def kill_a_billing_run(stage: Stage, chance: random.Random) -> Injected:
    """The next month is billed by two workers that are killed again and again; it must come to what the first month came to."""
    stage.going.clear()
    await stage.drain()
    period = Period.parse((await stage.look("billing", MONTHS))[-1]["period"]).next()
    await stage.house.until(f"{period}-01T00:29")
    second = await stage.another_worker("billing")
    stage.going.set()
    first = stage.processes("worker")["worker billing"]
    await _plan(stage, period)
    kills, since = 0, time.monotonic()
    while not await _is_over(stage, period) and time.monotonic() < since + RUN_SECONDS:
        await asyncio.sleep(chance.uniform(0, 0.15))
        victim = chance.choice([first, second])
        if kills < KILLS and victim.running is not None and victim.running.poll() is None:
            victim.kill()
            kills += 1
        if second.running is not None and second.running.poll() is not None:
            second.start()
    tidy = partial(stage.dismiss, "billing")
    return Injected(f"{kills} kills in the run of {period}", times=kills, wrong=await _differs(stage), tidy=tidy)


async def _plan(stage: Stage, period: Period) -> None:
    """As the clock would, but in small chunks."""
    database = Database(stage.address("billing"), service="billing")
    try:
        async with database.transaction() as session:
            now = datetime.combine(period.first_day, datetime.min.time(), stage.house.operator.zone)
            await start_run(
                session,
                period=period,
                operator=stage.house.operator,
                issue_date=period.first_day,
                requested_by="admin",
                now=now,
                chunk=CHUNK,
            )
    finally:
        await database.close()


async def _is_over(stage: Stage, period: Period) -> bool:
    (row,) = await stage.look("billing", "SELECT state FROM billing_run WHERE period = $1", str(period))
    return bool(row["state"] == "COMPLETED")


async def _differs(stage: Stage) -> list[str]:
    first, *_, last = await stage.look("billing", MONTHS)
    found = []
    for name in ("invoices", "total", "customers", "numbers", "planned"):
        if last[name] != first[name]:
            found.append(f"the run of {last['period']} has {name} {last[name]}, not {first[name]}")
    return found


FAULTS = (
    Fault(
        "F14",
        "a billing run is interrupted",
        "`kill -9` of two workers at random chunks of one run; it must come to what the first month came to",
        kill_a_billing_run,
        30,
    ),
)
