"""P16: customers entered over REST by 16 clients, at `reconecta serve api billing` as production runs it."""

import asyncio
import json
import os
import subprocess
import sys

import httpx

from services.serving import listen
from tests.bench.http_requests import answered, customer, sender
from tests.bench.runner import Bench, Goal, Measure
from tests.support.service import OPERATOR_FOLDER, keys

CLIENTS = 16
READY_SECONDS = 60.0


async def prepare(bench: Bench) -> Measure:
    ports = await _processes(bench, 2)
    count = bench.count(4_000)
    p99: list[float] = []

    async def rate(processes: int) -> float:
        """`processes` share the clients, as they would behind the gateway."""
        request = sender("/billing/customers", customer)
        each = [answered(port, CLIENTS // processes, count // processes, request) for port in ports[:processes]]
        found = await asyncio.gather(*each)
        if processes == 1:
            p99.append(found[0].percentile(0.99))
        return sum(load.rate for load in found)

    async def slowest() -> float:
        return p99[-1]

    return Measure(
        "P16",
        f"customers over REST, {CLIENTS} clients, token, key, outbox, audit",
        "customers/s; ms",
        {"one process": lambda: rate(1), "two processes": lambda: rate(2), "one process, p99 ms": slowest},
        [
            Goal("customers / 800 per s", "one process", 800, 1, scaled=True),
            Goal("aim: customers / 1,500 per s", "one process", 1500, 1, scaled=True),
        ],
    )


async def _processes(bench: Bench, number: int) -> list[int]:
    """So many of billing's API on one database, until the bench ends; answers their ports."""
    database = await bench.database("billing")
    environment = {
        **os.environ,
        "BILLING_DATABASE_URL": database.dsn,
        "RECONECTA_OPERATOR_FOLDER": str(OPERATOR_FOLDER),
        "RECONECTA_TOKEN_PUBLIC_KEYS": json.dumps([keys()[1]]),
        "RECONECTA_LOG_LEVEL": "WARNING",
    }
    ports = []
    for _ in range(number):
        with listen("127.0.0.1", 0) as free:
            ports.append(free.getsockname()[1])
        command = [sys.executable, "-m", "services.cli", "serve", "api", "billing", "--host", "127.0.0.1", "--port", str(ports[-1])]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        bench.afterwards(process.terminate)
    async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient() as client:
        for port in ports:
            while not await _ready(client, port):
                await asyncio.sleep(0.2)
    return ports


async def _ready(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/billing/health/ready")).status_code == 200
    except httpx.TransportError:
        return False
