"""Starting, watching and stopping one embedded server, however the last one ended.

# Note [Who owns the server]
The process that holds the lock on `<folder>/postgres.lock` runs the server as its child; others that open the same folder use that server,
and one of them takes over when the owner is gone. On Linux the server stops when its owner dies, so that even a killed owner leaves nothing
behind.
"""

import asyncio
import contextlib
import fcntl
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import asyncpg

from services.postgres.home import Home, PostgresFailed, find_binaries, find_home, make_home
from services.postgres.launch import STOP_SECONDS, SUPERUSER, clear_stale_pid, initdb, log_end, spawn, within
from shared.log import get_logger

log = get_logger("postgres")

OWNER = "reconecta_owner"
PORT = 5432  # of the socket's name; nothing listens on it unless TCP is asked for
START_SECONDS = 120.0
TRY_AGAIN = ("pre-existing shared memory block", "lock file")
WATCH_SECONDS = 0.2
PROBE_EVERY, PROBES_MISSED = 50, 6  # a server that has not answered for a minute is started anew
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "64MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
    "log_error_verbosity": "terse",  # no DETAIL: it holds the row
    "log_min_error_statement": "panic",
    "log_line_prefix": "%m [%p] %u@%d ",
}
if sys.platform == "linux":  # one call for the file system instead of one for each file: back in a second after a crash, not in four
    SETTINGS["recovery_init_sync_method"] = "syncfs"
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}  # survives the death of every process, not that of the machine


class EmbeddedPostgres:
    """A PostgreSQL below `folder`, started on entry, watched, and stopped on exit by the process that started it.

    `durable=False` is for tests: it is faster, and a crash of the machine may lose data. With `tcp` it also listens on a free port of
    the loopback address. `binaries` names another PostgreSQL (15 or newer) than the wheel's.
    """

    def __init__(self, folder: Path, *, durable: bool = True, tcp: bool = False, binaries: Path | None = None) -> None:
        self.folder = folder.resolve()
        self._durable, self._tcp, self._given_binaries = durable, tcp, binaries
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self.stop()

    @property
    def home(self) -> Home:
        """Where the server lives; PostgresFailed before its first start."""
        found = find_home(self.folder)
        if found is None:
            raise PostgresFailed(f"En {self.folder} no hay ningún PostgreSQL.")
        return found

    def url(self, database: str, role: str | None = None) -> str:
        """The address of a database for a role (default: the role of the same name), password included."""
        home = self.home
        login = f"{role or database}:{home.password(role or database)}"
        if home.tcp:
            return f"postgresql://{login}@127.0.0.1:{home.port}/{database}"
        port = "" if home.port == PORT else f"&port={home.port}"
        return f"postgresql://{login}@/{database}?host={quote(str(home.sockets))}{port}"

    def owner_url(self, database: str) -> str:
        """The address of a database for whoever migrates it."""
        return self.url(database, OWNER)

    async def start(self) -> None:
        """Come back when the server answers, whether this process runs it or another does. Raises PostgresFailed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if self._take_lock():
                try:
                    await self._run(deadline)
                except BaseException:
                    await self.stop()
                    raise
                return
            if await self.answers():
                return
            await asyncio.sleep(0.1)
        raise PostgresFailed(f"PostgreSQL no contesta en {self.folder} después de {START_SECONDS:.0f} segundos.")

    async def stop(self) -> None:
        """Stop the server if this process runs it: clients are sent away, all that was committed is on disk."""
        if self._process is not None:
            for how, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
                if self._process.poll() is None:
                    self._process.send_signal(how)
                if await within(seconds, lambda: self._process is None or self._process.poll() is not None):
                    break
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def answers(self) -> bool:
        """Does it answer `SELECT 1`? Whatever goes wrong on the way is a no."""
        if find_home(self.folder) is None:
            return False
        try:
            connection = await asyncpg.connect(self.url("postgres", SUPERUSER), timeout=5)
            try:
                return bool(await connection.fetchval("SELECT 1", timeout=5) == 1)
            finally:
                await connection.close(timeout=5)
        except Exception:  # noqa: BLE001 - asyncpg has errors of many families
            return False

    async def create_databases(self, names: Sequence[str]) -> None:
        """Make a database and a role of the same name for each, unless they are there. No role can enter another's database, and none
        owns its own: the tables are OWNER's, which migrates."""
        connection = await asyncpg.connect(self.url("postgres", SUPERUSER), timeout=10)
        try:
            await connection.execute("SELECT pg_advisory_lock(7032661)")
            await connection.execute("REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC")
            for role in (OWNER, *names):
                if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                    await connection.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{self.home.password(role)}'")
            for name in names:
                owner = await connection.fetchval("SELECT datdba::regrole::text FROM pg_database WHERE datname = $1", name)
                if owner is None:
                    await connection.execute(f'CREATE DATABASE "{name}" OWNER "{OWNER}"')
                elif owner == name:
                    await self._hand_over(name)
                await connection.execute(f'REVOKE CONNECT, TEMPORARY ON DATABASE "{name}" FROM PUBLIC')
                await connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{name}"')
        finally:
            await connection.close(timeout=10)

    async def _hand_over(self, name: str) -> None:
        """A database of an older release belongs to the role that works in it: give it to the owner."""
        connection = await asyncpg.connect(self.url(name, SUPERUSER), timeout=10)
        try:
            await connection.execute(f'REASSIGN OWNED BY "{name}" TO "{OWNER}"')
        finally:
            await connection.close(timeout=10)

    def _take_lock(self) -> bool:
        if self._lock is None:
            file = (self.folder / "postgres.lock").open("a")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return False
            self._lock = file
        return True

    async def _run(self, deadline: float) -> None:
        """Start the server as our child, over whatever the last one left, and wait until it answers."""
        home = make_home(self.folder, self._port(), self._tcp)
        binaries = find_binaries(home.account, self._given_binaries)
        if not home.data.exists():
            initdb(home, binaries, durable=self._durable)
        while asyncio.get_running_loop().time() < deadline:
            await clear_stale_pid(home)
            self._process = spawn(home, binaries, SETTINGS | ({} if self._durable else NOT_DURABLE))
            while self._process.poll() is None and asyncio.get_running_loop().time() < deadline:
                if await self.answers():
                    return
                await asyncio.sleep(0.05)
            if self._process.poll() is not None and not any(reason in log_end(home, 3) for reason in TRY_AGAIN):
                break
            await asyncio.sleep(0.2)
        end = log_end(home, 15)
        await self.stop()
        raise PostgresFailed(f"PostgreSQL no arranca en {home.data}:\n{end}")

    def _port(self) -> int:
        """The port that this folder had before where it is free, else a free one; PORT where nobody listens."""
        if not self._tcp:
            return PORT
        known = find_home(self.folder)
        for port in ([known.port] if known and known.tcp else []) + [0]:
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
        raise PostgresFailed("No hay ningún puerto libre en 127.0.0.1.")

    async def _watch(self) -> None:
        """Start the server again when it has died or stopped answering; take it over when its owner is gone."""
        rounds, missed = 0, 0
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            rounds += 1
            try:
                if self._process is None or self._process.poll() is not None:
                    if self._take_lock():
                        log.warning("postgres starts again", folder=str(self.folder))
                        await self._run(asyncio.get_running_loop().time() + START_SECONDS)
                elif rounds % PROBE_EVERY == 0:
                    missed = 0 if await self.answers() else missed + 1
                    if missed >= PROBES_MISSED:
                        self._process.kill()
            except PostgresFailed as failed:
                log.error("postgres does not start", detail=str(failed))
