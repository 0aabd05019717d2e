"""P11: what the whole house costs while nobody asks it for anything, and how long it takes to start on a data folder that is there."""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from tests.bench.runner import Bench, Goal, Measure, memory_mb

SECONDS = 60.0
SETTLE_SECONDS = 8.0
PORT = 18_765


async def prepare(bench: Bench) -> Measure:
    folder = Path(tempfile.mkdtemp(prefix="reconecta-bench-"))
    folder.chmod(0o755)
    bench.later(folder)
    found: dict[str, float] = {}

    async def run() -> float:
        if not (folder / "data").exists():
            process, _ = await up(folder / "data")  # makes the data folder
            await down(process)
        process, found["start, s"] = await up(folder / "data")
        found["start CPU"] = sum(map(_ticks, _family(process.pid))) / os.sysconf("SC_CLK_TCK")
        try:
            await asyncio.sleep(SETTLE_SECONDS)
            found.update(await _idle(process.pid, SECONDS * min(1.0, bench.scale)))
        finally:
            await down(process)
        return found["CPU, %"]

    async def told(name: str) -> float:
        return found[name]

    return Measure(
        "P11",
        f"`reconecta up`, idle for {SECONDS * min(1.0, bench.scale):.0f} s",
        "% of one core, MB, s",
        {
            "CPU, %": run, "  the services': CPU, %": lambda: told("services CPU"), "  PostgreSQL's: CPU, %": lambda: told("postgres CPU"),
            "memory, MB": lambda: told("memory, MB"), "  the services': MB": lambda: told("services MB"),
            "  PostgreSQL's: MB": lambda: told("postgres MB"), "start, s": lambda: told("start, s"),
            "  its CPU, s": lambda: told("start CPU"),
        },
        [
            Goal("CPU / 5 % of a core", "CPU, %", 5, 1, at_most=True),
            Goal("memory / 400 MB", "memory, MB", 400, 1, at_most=True),
            Goal("start / 5 s", "start, s", 5, 1, at_most=True, scaled=True),
        ],
        rounds=1,
    )  # fmt: skip


async def up(data: Path, environment: Mapping[str, str] | None = None) -> tuple[asyncio.subprocess.Process, float]:
    """Start the house; answer it and the seconds until it answered."""
    start = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "up", "--data", str(data), "--port", str(PORT)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    assert process.stdout is not None
    address = ""
    async with asyncio.timeout(120):
        while "http" not in address:
            line = (await process.stdout.readline()).decode()
            if not line:
                raise RuntimeError("`reconecta up` ended by itself")
            address = line
    async with httpx.AsyncClient() as client:
        url = next(word for word in address.split() if word.startswith("http"))
        assert (await client.get(f"{url}/billing/health/ready", timeout=30)).status_code == 200
    return process, time.perf_counter() - start


async def down(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await process.communicate()


async def _idle(pid: int, seconds: float) -> dict[str, float]:
    """CPU shares (percent of one core) over so many seconds, and what is held in memory at their end."""
    first = {each: _ticks(each) for each in _family(pid)}
    start = time.perf_counter()
    await asyncio.sleep(seconds)
    spent = time.perf_counter() - start
    family = list(_family(pid))
    share = {each: 100 * (_ticks(each) - first.get(each, 0)) / os.sysconf("SC_CLK_TCK") / spent for each in family}
    held = {each: memory_mb(each) for each in family}
    own = {"services CPU": share[pid], "services MB": held[pid]}
    others = {"postgres CPU": sum(share.values()) - share[pid], "postgres MB": sum(held.values()) - held[pid]}
    return {"CPU, %": sum(share.values()), "memory, MB": sum(held.values()), **own, **others}


def _family(pid: int) -> Iterator[int]:
    """The process and all its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from _family(int(child))


def _ticks(pid: int) -> int:
    """CPU time that a process has used, in clock ticks."""
    path = Path(f"/proc/{pid}/stat")
    fields = path.read_text().rpartition(")")[2].split() if path.exists() else []
    return int(fields[11]) + int(fields[12]) if fields else 0
