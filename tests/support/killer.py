"""Somebody who kills processes with -9 at moments drawn from a seed, and starts each again at once."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import asyncpg

from tests.support.processes import Process

BACKEND_SECONDS = 20.0
RECOVERY_SECONDS = 0.5  # by then the server has noticed, and lets nobody in before it has recovered
# Nobody needs to wait for the leases of a process that is known to be dead: they end now. What it was about to commit stays fenced.
LEASES = {
    "lease": "UPDATE lease SET expires_at = clock_timestamp()",
    "import_batch": "UPDATE import_batch SET claimed_until = clock_timestamp() WHERE claimed_until IS NOT NULL",
    "network_switch": "UPDATE network_switch SET claimed_until = clock_timestamp() WHERE state = 'CLAIMED'",
    "delivery": "UPDATE delivery SET claimed_until = clock_timestamp() WHERE state = 'SENDING'",
}


@dataclass
class Killer:
    """`server` is a superuser's address of the PostgreSQL of these databases, whose backends run on this machine."""

    seed: int
    processes: Mapping[str, Process]
    databases: Mapping[str, str]
    server: str
    over: asyncio.Event = field(default_factory=asyncio.Event)
    killed: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Until it is over; then every process runs again."""
        chance, names = random.Random(self.seed), sorted(self.processes)
        backend_at = time.monotonic() + chance.uniform(0, BACKEND_SECONDS)
        while not await self._over_within(chance.uniform(0.1, 2.5)):
            if time.monotonic() > backend_at:
                backend_at = time.monotonic() + BACKEND_SECONDS
                await self._kill_backend(chance)
            else:
                await self._kill_process(chance.choice(names))

    async def _over_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), seconds)
        return self.over.is_set()

    async def _kill_process(self, name: str) -> None:
        process = self.processes[name]
        process.kill()
        role, service = name.split()
        if role == "worker":
            await self._end_leases(self.databases[service])
        process.start()
        self.killed[name] += 1
        await process.ready(f"/{service}/health/live")

    async def _end_leases(self, database: str) -> None:
        connection = await connected(database)
        try:
            for table, sql in LEASES.items():
                if await connection.fetchval("SELECT to_regclass($1)", table):
                    await connection.execute(sql)
        finally:
            await connection.close()

    async def _kill_backend(self, chance: random.Random) -> None:
        """One connection's backend dies, and the server, as it does, throws everybody out and recovers."""
        connection = await connected(self.server)
        try:
            sql = "SELECT pid FROM pg_stat_activity WHERE datname <> current_database() AND backend_type = 'client backend' ORDER BY pid"
            pids = [row["pid"] for row in await connection.fetch(sql)]
        finally:
            await connection.close()
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(chance.choice(pids), signal.SIGKILL)
            self.killed["backend"] += 1
        await asyncio.sleep(RECOVERY_SECONDS)
        await (await connected(self.server)).close()


async def connected(address: str) -> asyncpg.Connection:
    """A connection, as soon as the server takes one."""
    while True:
        try:
            return await asyncpg.connect(address, timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            await asyncio.sleep(0.05)
