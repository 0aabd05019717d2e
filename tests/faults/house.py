"""F11, F14, F18: clocks disagree, a billing run is interrupted, and nothing happens at all for a while."""

import asyncio
import random
import resource
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import linear_regression

import httpx

from services.billing.operations.runs import start_run
from services.billing.rules.periods import Period
from services.migrate import SERVICES
from shared.db import Database
from tests.faults.fault import Fault, Injected
from tests.faults.network import leaked
from tests.faults.stage import Stage
from tests.support.processes import Process
from tests.support.service import token

CHUNK = 2  # customers: many chunks, so that a kill finds one under way
RUN_SECONDS = 120.0
KILLS = 6
SOAK_SECONDS, SAMPLE_SECONDS = 180.0, 5.0
LIMITS = {
    "MB of ten processes": 15.0,
    "connections": 6.0,
    "waiting events": 5.0,
}  # a minute; pools fill up to their size, of which `leaked` is the judge
WAITING = """SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM inbox_pending) + (SELECT count(*) FROM parked_event) AS n"""
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


async def skew_clocks(stage: Stage, chance: random.Random) -> Injected:
    """Some services' business time is an hour ahead of the others', and one is told to go back, which no clock does."""
    names = list(SERVICES)
    chance.shuffle(names)
    now = await stage.today()
    moves = {each: timedelta(hours=1) for each in names[: chance.randint(1, 3)]} | {names[-1]: -timedelta(hours=1)}
    headers = {"authorization": f"Bearer {token('admin')}"}
    async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False) as client:
        for service, step in moves.items():
            port = stage.house.processes[f"worker {service}"].port
            url = f"http://127.0.0.1:{port}/{service}/simulation"
            (await client.put(url, json={"now": (now + step).isoformat()})).raise_for_status()
    await asyncio.sleep(3)
    (behind,) = await stage.look(names[-1], "SELECT now FROM simulated_clock")
    wrong = [f"{names[-1]}'s clock went back to {behind['now']}"] if behind["now"] < now else []

    async def agree() -> None:
        await stage.house.until((now + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M"))

    return Injected(f"{len(moves) - 1} services an hour ahead, one told to go back", times=len(moves), wrong=wrong, tidy=agree)


async def soak(stage: Stage, chance: random.Random) -> Injected:
    """Nothing but the load for a while: what grows?"""
    began, seen = time.monotonic(), list[Sample]()
    while time.monotonic() < began + SOAK_SECONDS:
        await asyncio.sleep(SAMPLE_SECONDS)
        seen.append(await _sample(stage, (time.monotonic() - began) / 60))
    late = seen[len(seen) // 3 :]  # what a process loads at first is no growth
    slopes = {name: linear_regression([each.minute for each in late], [each.counts[name] for each in late]).slope for name in LIMITS}
    wrong = [f"{name} grows by {slopes[name]:.1f} a minute, asked at most {most}" for name, most in LIMITS.items() if slopes[name] > most]
    said = ", ".join(f"{slope:+.1f} {name}" for name, slope in slopes.items())
    return Injected(f"{SOAK_SECONDS / 60:.0f} minutes of load, a minute: {said}", wrong=wrong, after=partial(leaked, stage))


@dataclass(frozen=True)
class Sample:
    """What there was at a minute of the soak."""

    minute: float
    counts: dict[str, float]


async def _sample(stage: Stage, minute: float) -> Sample:
    memory = sum(_resident(each) for each in stage.processes("api", "worker").values())
    (row,) = await stage.look("billing", "SELECT count(*) AS n FROM pg_stat_activity WHERE usename = datname")
    waiting = sum([(await stage.look(each, WAITING))[0]["n"] for each in SERVICES])
    return Sample(minute, {"MB of ten processes": memory, "connections": row["n"], "waiting events": waiting})


def _resident(process: Process) -> float:
    """Megabytes."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1024**2


FAULTS = (
    Fault(
        "F14",
        "a billing run is interrupted",
        "`kill -9` of two workers at random chunks of one run; it must come to what the first month came to",
        kill_a_billing_run,
        30,
    ),
    Fault(
        "F11",
        "clocks disagree",
        "some services' business clocks are an hour ahead of the others', one is told to go back; machine clocks are not touched",
        skew_clocks,
        10,
    ),
    Fault(
        "F18",
        "a soak",
        f"{SOAK_SECONDS / 60:.0f} minutes of load and nothing else; slopes of memory, connections and waiting events",
        soak,
        10,
    ),
)
