"""F2, F3, F5: PostgreSQL dies, whole or in part, and answers are lost on their way."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress

from tests.faults.fault import Fault, Injected
from tests.faults.stage import Stage

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = ANY($1) AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
LOSE_SECONDS = 10.0


async def kill_postmaster(stage: Stage, chance: random.Random) -> Injected:
    """The server dies; its pid file stays, or names by now somebody who is alive and no PostgreSQL."""
    pid_file = stage.server.home.data / "postmaster.pid"
    text = pid_file.read_text()
    os.kill(int(text.split("\n", 1)[0]), signal.SIGKILL)
    since = time.monotonic()
    if chance.random() < 0.5:
        return Injected("kill -9 postmaster", since)
    somebody = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])
    pid_file.write_text("\n".join([str(somebody.pid), *text.split("\n")[1:]]))
    await asyncio.sleep(1)
    somebody.kill()
    somebody.wait()
    return Injected("kill -9 postmaster, its number taken by another process", since)


async def kill_backend(stage: Stage, chance: random.Random) -> Injected:
    """One connection's backend dies, and the server, as it does, throws everybody out and recovers; and perhaps again."""
    times, since = 0, time.monotonic()
    for _ in range(chance.randint(1, 3)):
        await asyncio.sleep(chance.uniform(0, 1))
        pids = [row["pid"] for row in await stage.look("billing", BACKENDS, list(stage.addresses()))]
        with suppress(ProcessLookupError, IndexError):  # it has ended by itself
            os.kill(chance.choice(pids), signal.SIGKILL)
            times, since = times + 1, time.monotonic()
    return Injected(f"kill -9 of {times} backends", since, times)


async def lose_commits(stage: Stage, chance: random.Random) -> Injected:
    """The server commits, and whoever asked for it never learns that it did."""
    lost = len(stage.proxy.lost)
    stage.proxy.lose_commits = wanted = chance.randint(5, 15)
    deadline = time.monotonic() + LOSE_SECONDS
    while stage.proxy.lose_commits and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    stage.proxy.lose_commits = 0
    times = len(stage.proxy.lost) - lost
    wrong = [] if times else [f"none of {wanted} commits came by within {LOSE_SECONDS:.0f} s"]
    return Injected("cut after COMMIT", times=times, wrong=wrong)


FAULTS = (
    Fault(
        "F2",
        "PostgreSQL dies",
        "`kill -9` of the postmaster under load; half of the time `postmaster.pid` names a living stranger afterwards",
        kill_postmaster,
        5,
        "answers",
        weight=3,
    ),
    Fault(
        "F3",
        "a backend dies",
        "`kill -9` of any client's backend; the server throws everybody out and recovers",
        kill_backend,
        2,
        "answers",
        weight=3,
    ),
    Fault("F5", "committed, and the answer is lost", "a TCP proxy cuts connections after the server has said COMMIT", lose_commits, 10),
)
