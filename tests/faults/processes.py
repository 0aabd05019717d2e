"""F1, F4, F9: processes die at any moment, one stands still for longer than what it holds lasts, and others come and go."""

import asyncio
import random
import time
from functools import partial

from shared.lease import LEASE
from tests.faults.fault import Fault, Injected
from tests.faults.stage import Stage

BLOCKED_SECONDS = 15.0
LEADER = "SELECT holder, epoch FROM lease WHERE name = 'relay/0'"


async def kill_processes(stage: Stage, chance: random.Random) -> Injected:
    """Some processes, api or worker, within a second or two."""
    processes = stage.processes("api", "worker")
    names = chance.sample(sorted(processes), chance.randint(1, 5))
    for name in names:
        await asyncio.sleep(chance.uniform(0, 0.4))
        processes[name].kill()
    return Injected(f"kill -9 {', '.join(names)}", times=len(names))


async def freeze_a_leader(stage: Stage, chance: random.Random) -> Injected:
    """The worker that leads stands still until another leads, and then goes on as if nothing had been."""
    service = chance.choice(["billing", "collections", "ticketing", "notifier"])
    first = stage.processes("worker")[f"worker {service}"]
    second = await stage.another_worker(service)
    (before,) = await stage.look(service, LEADER)
    leader = first if before["holder"].startswith(f"{first.pid}-") else second
    leader.freeze()
    frozen = time.monotonic()
    seconds = await _until_another_leads(stage, service, before["epoch"], frozen)
    await asyncio.sleep(chance.uniform(0, 3))
    leader.thaw()
    since = time.monotonic()
    wrong = [] if seconds is not None else [f"nobody else led {service} within {3 * LEASE.total_seconds():.0f} s"]
    return Injected(f"SIGSTOP worker {service}", since, 1, seconds, wrong, partial(stage.dismiss, service))


async def rebalance_storm(stage: Stage, chance: random.Random) -> Injected:
    """A second worker of a service joins and leaves again and again, in order or dead, and once the first is silent for its group."""
    service, times = chance.choice(["collections", "ticketing", "notifier"]), 4
    first = stage.processes("worker")[f"worker {service}"]
    for number in range(times):
        second = await stage.another_worker(service)
        await asyncio.sleep(chance.uniform(0, 2))
        if number == 1:
            first.freeze()
            await asyncio.sleep(BLOCKED_SECONDS)
            first.thaw()
        if chance.random() < 0.5:
            second.kill()
        await stage.dismiss(service)
    return Injected(f"{times} workers of {service} came and went", times=times)


async def _until_another_leads(stage: Stage, service: str, epoch: int, frozen: float) -> float | None:
    deadline = frozen + 3 * LEASE.total_seconds()
    while time.monotonic() < deadline:
        (now,) = await stage.look(service, LEADER)
        if now["epoch"] > epoch:
            return time.monotonic() - frozen
        await asyncio.sleep(0.1)
    return None


FAULTS = (
    Fault("F1", "a process dies", "`kill -9` of one to five of the ten api and worker processes", kill_processes, 10, weight=3),
    Fault(
        "F4",
        "a leader freezes",
        "`SIGSTOP` of the worker that leads, past its lease, with a second worker beside it; then `SIGCONT`",
        freeze_a_leader,
        LEASE.total_seconds() + 2,
        "own",
        "until another leads",
    ),
    Fault(
        "F9",
        "a rebalance storm",
        "a second worker of a service joins and leaves four times, in order or killed; the first stands still for 15 s meanwhile",
        rebalance_storm,
        30,
    ),
)
