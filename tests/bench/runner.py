"""How everything is measured: variants take turns, the median of the rounds counts, and the machine's own state is kept beside it."""

import asyncio
import contextlib
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg

from services.postgres import EmbeddedPostgres, remove
from services.postgres.launch import SUPERUSER
from shared.db import Database
from tests.bench.pgbench import speed
from tests.support.database import Stock

PACKAGES = ("sqlalchemy", "sqlmodel", "asyncpg", "aiokafka", "pydantic", "fastapi", "uvicorn")
ENOUGH_SECONDS = 80.0  # no round begins after this, so that all measures together take about an hour
Variant = Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Goal:
    """`ours / other` shall be at least `must` (`at_most`: at most). Within 25 % of it is within a shared machine's noise.
    `other` is another variant, or a fixed figure in `ours`'s unit. `scaled`: that figure is a time or a rate of the machine on which the
    targets were set, and is judged in relation to this machine's speed (`tests.bench.pgbench`)."""

    label: str
    ours: str
    other: str | float
    must: float
    at_most: bool = False
    scaled: bool = False

    @property
    def asked(self) -> str:
        return f"at {'most' if self.at_most else 'least'} {self.must:g}"

    def ratio(self, medians: Mapping[str, float]) -> float:
        return medians[self.ours] / (medians[self.other] if isinstance(self.other, str) else self.other)

    def judge(self, medians: Mapping[str, float], speed: float | None = None) -> dict[str, Any]:
        """The ratio, what is asked of it, and the verdict: met, met within noise, or missed. `speed` is this machine's share of the
        reference's: on one of half of it a rate may be half as large and a time twice as long."""
        ratio = self.ratio(medians)
        told = {"label": self.label, "ratio": ratio, "asked": self.asked}
        if self.scaled and speed:
            told["scaled"] = ratio = ratio * speed if self.at_most else ratio / speed
        reached = self.must / ratio if self.at_most else ratio / self.must
        return told | {"verdict": "met" if reached >= 1 else "met within noise" if reached >= 0.75 else "MISSED"}


@dataclass
class Growth:
    """How figures change with the size of the work, for a picture. `of` says what a size counts; figures are in `unit`."""

    of: str
    unit: str
    points: dict[str, dict[int, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def note(self, series: str, size: int, value: float) -> float:
        """Keep one figure, and answer it."""
        self.points[series][size].append(value)
        return value

    def told(self) -> dict[str, Any]:
        """Medians by series, None where a series has no figure of a size."""
        sizes = sorted({size for found in self.points.values() for size in found})
        series = {name: [statistics.median(found[x]) if x in found else None for x in sizes] for name, found in self.points.items()}
        return {"of": self.of, "unit": self.unit, "x": sizes, "series": series}


@dataclass(frozen=True)
class Measure:
    """One figure: its variants (each answers its rate, or a time) and what is asked of their ratios."""

    name: str
    title: str
    unit: str
    variants: Mapping[str, Variant]
    goals: Sequence[Goal] = ()
    rounds: int | None = None  # for what takes too long to be done as often as the others
    growth: Growth | None = None


@dataclass
class Bench:
    """What a measure may use. `scale` shortens or lengthens its work."""

    stock: Stock
    scale: float
    notes: list[str] = field(default_factory=list)
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def database(self, service: str, pool_size: int = 5) -> Database:
        """A clean database of a service, there until the measure ends."""
        name = await self.stock.take(service)
        opened = Database(self.stock.address(name), service=service, pool_size=pool_size)
        self._stack.push_async_callback(self.stock.drop, name)
        self._stack.push_async_callback(opened.close)
        return opened

    def count(self, number: int) -> int:
        """So many, scaled."""
        return max(100, int(number * self.scale))

    def sizes(self, largest: int) -> list[int]:
        """The sizes that a growth curve goes through: 10,000, 100,000 …, and the largest one, scaled."""
        top = self.count(largest)
        return [*(each for each in (10_000, 100_000) if each < top), top]

    def folder(self) -> Path:
        """A folder that is removed when the measure ends."""
        made = Path(tempfile.mkdtemp(prefix="reconecta-bench-"))
        self.later(made)
        return made

    def later(self, folder: Path) -> None:
        """Remove this folder when the measure ends."""
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)

    def afterwards(self, work: Callable[[], object]) -> None:
        """Do this when the measure ends."""
        self._stack.callback(work)

    async def close(self) -> None:
        """End a measure: nothing of it is in the next one's way."""
        await self._stack.aclose()


@contextlib.asynccontextmanager
async def open_bench(scale: float) -> AsyncIterator[Bench]:
    """A server of its own with shipped, durable settings; or the one at TEST_POSTGRES."""
    folder = Path(tempfile.mkdtemp(prefix="reconecta-bench-"))
    folder.chmod(0o755)
    server = None
    url = os.environ.get("TEST_POSTGRES", "")
    if not url:
        server = EmbeddedPostgres(folder / "postgres")
        await server.start()
        url = server.url("postgres", SUPERUSER)
    stock = Stock(url)
    bench = Bench(stock, scale)
    try:
        yield bench
    finally:
        await bench.close()
        await stock.close()
        if server is not None:
            await server.stop()
            remove(server.folder)
        shutil.rmtree(folder, ignore_errors=True)


async def measure(what: Measure, rounds: int, stock: Stock) -> dict[str, Any]:
    """Let the variants take turns; answer every figure, the medians and what they mean."""
    figures: dict[str, list[float]] = {name: [] for name in what.variants}
    speeds, before, start = [await _speed(what, stock)], machine(), time.perf_counter()
    for done in range(what.rounds or rounds):
        if done and time.perf_counter() - start > ENOUGH_SECONDS:
            break
        for name, variant in what.variants.items():
            figures[name].append(await variant())
    after = machine()
    speeds.append(await _speed(what, stock))
    known = [each for each in speeds if each is not None]
    speed = statistics.mean(known) if known else None
    medians = {name: statistics.median(found) for name, found in figures.items()}
    return {
        "name": what.name,
        "title": what.title,
        "unit": what.unit,
        "figures": figures,
        "medians": medians,
        "goals": [goal.judge(medians, speed) for goal in what.goals],
        "growth": what.growth.told() if what.growth else None,
        "rounds": max((len(found) for found in figures.values()), default=0),
        "machine": {"before": before, "after": after, "speed": speed},
    }


async def _speed(what: Measure, stock: Stock) -> float | None:
    """Right before and after a measure with absolute targets: a shared machine's speed changes by the hour."""
    return await speed(stock) if any(goal.scaled for goal in what.goals) else None


def machine() -> dict[str, Any]:
    """How busy the machine is, and how much of it was given to others."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:] if Path("/proc/stat").exists() else []
    return {"load": os.getloadavg(), "cpu": [int(each) for each in fields]}


def memory_mb(pid: int | str = "self") -> float:
    """What a process holds: its private memory and its share of what it has in common with others (0 where the system does not tell)."""
    path = Path(f"/proc/{pid}/smaps_rollup")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def steal_percent(before: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    """The share of time that the host took away."""
    if not before["cpu"]:
        return None
    spent: list[int] = [b - a for a, b in zip(before["cpu"], after["cpu"], strict=True)]
    return 100 * spent[7] / max(1, sum(spent[:8]))


async def versions(url: str) -> dict[str, str]:
    """Of everything that the figures depend on."""
    connection = await asyncpg.connect(url)
    server = await connection.fetchval("SHOW server_version")
    settings = {name: await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "shared_buffers")}
    await connection.close()
    return {
        "python": sys.version.split()[0],
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "postgresql": server,
        **settings,
        **{package: version(package) for package in PACKAGES},
    }


async def rate(count: int, work: Awaitable[Any]) -> float:
    """How many per second."""
    start = time.perf_counter()
    await work
    return count / (time.perf_counter() - start)


async def psql(url: str, command: str, data: bytes | None = None) -> None:
    """Run one psql command; raises when it fails."""
    process = await asyncio.create_subprocess_exec(
        "psql", url, "-q", "-v", "ON_ERROR_STOP=1", "-c", command, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    _, error = await process.communicate(data)
    if process.returncode:
        raise RuntimeError(error.decode())
