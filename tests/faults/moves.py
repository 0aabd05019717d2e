"""F6, F16, F17: the disk is full, the data move to a new cluster, old and new code run side by side."""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg

from services.migrate import SERVICES
from services.postgres.home import find_binaries
from tests.faults.fault import Fault, Injected, NotHere
from tests.faults.stage import Stage, postmaster
from tests.support.processes import MODULE

DISK_MEGABYTES = 1500
BACK = 50  # commits: how much older the old code is
ROOT = Path(__file__).parents[2]


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of its own at `folder`, of DISK_MEGABYTES; False where nobody may mount one, then it is an ordinary folder."""
    folder.mkdir()
    image = folder.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(DISK_MEGABYTES * 1024**2)
    mounted = _runs("mkfs.ext4", "-q", "-m", "0", str(image)) and _runs("mount", "-o", "loop", str(image), str(folder))
    try:
        yield mounted
    finally:
        if mounted:
            _runs("umount", "--lazy", str(folder))
        image.unlink()


def _runs(*command: str) -> bool:
    with suppress(OSError):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


async def fill_disk(stage: Stage, chance: random.Random) -> Injected:
    """Not a byte is left on PostgreSQL's disk, its WAL's included; some seconds later there is room again."""
    ballast = stage.server.folder / "ballast"
    await asyncio.to_thread(_fill, ballast)
    seconds = chance.uniform(4, 10)
    try:
        said = await _ask_for_room(stage)
        await asyncio.sleep(seconds)
    finally:
        ballast.unlink()
    wrong = [] if said else ["there was room after all"]
    return Injected(f"no room for {seconds:.0f} s: {said}", wrong=wrong)


async def _ask_for_room(stage: Stage) -> str:
    """Somebody else's twenty megabytes, WAL and all: what the server says to it."""
    connection = await stage.connected("noc")
    try:
        await connection.execute("CREATE TABLE filler AS SELECT generate_series(1, 300000) AS n", timeout=20)
        await connection.execute("DROP TABLE filler")
    except asyncpg.DiskFullError:
        return "refused with 53100"
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        return f"the server gave up ({type(error).__name__})"
    finally:
        connection.terminate()
    return ""


def _fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (1024**2, 4096):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)


async def restore_elsewhere(stage: Stage, chance: random.Random) -> Injected:
    """While nothing is written all five databases are dumped; the data folder is lost; a new cluster is made and the dumps restored."""
    stage.going.clear()
    await stage.drain()
    binaries, dumps = find_binaries(None), stage.house.folder / "dumps"
    dumps.mkdir(exist_ok=True)
    stage.proxy.closed = True
    stage.proxy.cut_all()
    for service in SERVICES:
        await _run(binaries / "pg_dump", "-Fc", "-f", dumps / service, stage.address(service))
    data = stage.server.home.data
    lost = data.with_name(f"lost-{time.monotonic_ns()}")
    os.kill(postmaster(stage.server), signal.SIGSTOP)  # else it is started again before its data are gone
    data.rename(lost)
    os.kill(int((lost / "postmaster.pid").read_text().split("\n", 1)[0]), signal.SIGKILL)
    (await stage.connected("postgres")).terminate()  # a new, empty one, which our supervisor has made
    await stage.server.create_databases(SERVICES)
    for service in SERVICES:
        await _run(binaries / "pg_restore", "-d", stage.address(service), dumps / service)
    stage.proxy.closed = False
    shutil.rmtree(lost)
    return Injected("dumped, lost, restored")


async def _run(*command: str | Path) -> None:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {said.decode()[-500:]}")


async def run_old_code(stage: Stage, chance: random.Random) -> Injected:
    """Some processes run the code of some time ago, on the newest schema, beside new ones; then they are replaced."""
    old = stage.house.folder / "old"
    if not old.exists():
        old.mkdir()
        subprocess.run(f"git archive HEAD~{BACK} | tar -x -C {old}", shell=True, check=True, cwd=ROOT)  # noqa: S602 - no foreign input
    processes = stage.processes("api", "worker")
    names = chance.sample(sorted(processes), 3)
    workers = [name.split()[1] for name in names if name.startswith("worker")]
    before = {service: await stage.noted(service) for service in workers}
    for name in names:
        processes[name].folder, processes[name].instead = old, {MODULE: "services.cli"}
        await asyncio.to_thread(processes[name].stop)
    for name in names:
        await processes[name].ready(f"/{name.split()[1]}/health/live")
    await asyncio.sleep(chance.uniform(5, 10))
    for name in names:
        processes[name].folder, processes[name].instead = None, {}
        await asyncio.to_thread(processes[name].stop)
    stage.unwatched += [(service, at, await stage.noted(service)) for service, at in before.items()]
    return Injected(f"old code in {', '.join(names)}", times=len(names))


def has_old_code() -> bool:
    """Is there a history that goes back far enough?"""
    return _runs("git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", f"HEAD~{BACK}")


FULL = Fault(
    "F6",
    "the disk is full",
    f"PostgreSQL's folder is a file system of {DISK_MEGABYTES} MB; a file takes all that is left of it for 4 to 10 s",
    fill_disk,
    15,
)
OLD = Fault(
    "F17",
    "old and new code",
    f"three of the ten processes run the code of {BACK} commits ago on today's schema, and are replaced one by one",
    run_old_code,
    30,
)
NO_DISK = NotHere(
    "F6", "the disk is full", "needs a file system of its own; this machine lets nobody mount one (root, mkfs.ext4, loop devices)"
)
NO_OLD = NotHere("F17", "old and new code", f"needs a git history of {BACK} commits")
FAULTS = (
    Fault(
        "F16",
        "dump and restore",
        "while nothing is written: `pg_dump` of all five, the data folder is lost, our supervisor makes a new cluster, `pg_restore`",
        restore_elsewhere,
        30,
    ),
)
