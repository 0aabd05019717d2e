"""P10: what people wait for, at 20 requests a second over HTTP, with nothing else to do and while a worker issues a month's invoices."""

import asyncio
import json
import os
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import httpx

from shared.db import Database, new_id
from shared.settings import SERVICES
from tests.bench.data import do
from tests.bench.p7_billing import BOOK
from tests.bench.p11_idle import PORT
from tests.bench.runner import Bench, Goal, Measure
from tests.support.processes import Process
from tests.support.service import OPERATOR_FOLDER, keys, operator, token

PER_SECOND = 20
SECONDS = 40.0
FLOOR = 2.0  # ms: an idle p99 below it is counted as this
KINDS = ("read", "write")


async def prepare(bench: Bench) -> Measure:
    count, seconds = bench.count(1_000_000), max(10.0, SECONDS * min(1.0, bench.scale))
    databases = {name: await bench.database(name) for name in SERVICES}
    await do(databases["billing"], BOOK.format(first=1, last=count))
    found: dict[str, float] = {}
    folder = bench.folder()
    environment = os.environ | {
        **{f"{name.upper()}_DATABASE_URL": each.dsn for name, each in databases.items()},
        "RECONECTA_OPERATOR_FOLDER": str(OPERATOR_FOLDER), "RECONECTA_TOKEN_PUBLIC_KEYS": json.dumps([keys()[1]]),
        "RECONECTA_DATA_FOLDER": str(folder), "RECONECTA_NETWORK": "simulated", "RECONECTA_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    processes = [
        Process(role, ["serve", role, "billing"], PORT + place, environment, folder / f"{role}.log")
        for place, role in enumerate(("api", "worker"))
    ]

    async def run() -> float:
        async with _started(processes) as client:
            customers = await _customers(databases["billing"])
            await _ask(client, customers, 5.0)  # everything is open and known
            found.update(_figures("idle", await _ask(client, customers, seconds)))
            planned = await client.post(
                "/billing/billing-runs", json={"period": f"{datetime.now(operator().zone):%Y-%m}"}, headers=_key(), timeout=120
            )
            planned.raise_for_status()
            found.update(_figures("run", await _ask(client, customers, seconds, planned.headers["location"])))
        return found["idle read p99"]

    async def told(name: str) -> float:
        return found[name]

    names = [f"{phase} {kind} {figure}" for phase in ("idle", "run") for kind in KINDS for figure in ("p50", "p99")]
    return Measure(
        "P10",
        f"{PER_SECOND} requests a second while {count:,} invoices are issued",
        "ms",
        {names[1]: run} | {name: lambda name=name: told(name) for name in [*names[:1], *names[2:]]},  # type: ignore[misc]
        [Goal(f"{kind} p99, run / idle", f"run {kind} p99", f"idle {kind} p99", 3, at_most=True) for kind in KINDS],
        rounds=1,
    )


@asynccontextmanager
async def _started(processes: list[Process]) -> AsyncIterator[httpx.AsyncClient]:
    """Both processes, and a client of the API's."""
    try:
        for each in processes:
            each.start()
        headers = {"authorization": f"Bearer {token('admin')}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{processes[0].port}", headers=headers, timeout=30) as client:
            for each in processes:
                await each.ready("/billing/health/ready")
            yield client
    finally:
        for each in processes:
            each.kill()


async def _customers(database: Database) -> list[str]:
    connection = await asyncpg.connect(database.dsn)
    found = await connection.fetch("SELECT id FROM customer ORDER BY md5(id::text) LIMIT 20000")
    await connection.close()
    return [str(row["id"]) for row in found]


async def _ask(client: httpx.AsyncClient, customers: list[str], seconds: float, run: str | None = None) -> dict[str, list[float]]:
    """Reads and writes in turn at their instants, whether or not the ones before are answered; with `run` while it is under way."""
    took: dict[str, list[float]] = {kind: [] for kind in KINDS}
    chance, start = random.Random(7), time.perf_counter()
    asked = set[asyncio.Task[None]]()
    for number in range(int(seconds * PER_SECOND)):
        due = start + number / PER_SECOND
        await asyncio.sleep(due - time.perf_counter())
        asked.add(asyncio.create_task(_one(client, KINDS[number % 2], chance.choice(customers), due, took)))
        if run is not None and number % PER_SECOND == 0 and (await client.get(run)).json()["state"] != "RUNNING":
            break
    await asyncio.gather(*asked)
    return took


async def _one(client: httpx.AsyncClient, kind: str, customer: str, due: float, took: dict[str, list[float]]) -> None:
    """A customer and what it owes, or a payment of it; counted from when it was due."""
    if kind == "read":
        (await client.get(f"/billing/customers/{customer}")).raise_for_status()
        (await client.get("/billing/invoices", params={"customer_id": customer})).raise_for_status()
    else:
        paid = {"customer_id": customer, "amount": {"amount": "5.00", "currency": "USD"}, "channel": "banco"}
        paid |= {"reference": str(new_id()), "paid_on": f"{datetime.now(operator().zone):%Y-%m-%d}"}
        (await client.post("/billing/payments", json=paid, headers=_key())).raise_for_status()
    took[kind].append(1000 * (time.perf_counter() - due))


def _key() -> dict[str, str]:
    return {"idempotency-key": str(new_id())}


def _figures(phase: str, took: dict[str, list[float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind, each in took.items():
        cuts = statistics.quantiles(each, n=100)
        found |= {f"{phase} {kind} p50": cuts[49], f"{phase} {kind} p99": max(FLOOR, cuts[98])}
    return found
