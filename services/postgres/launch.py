"""Making a data folder, starting a server on it, and clearing away what a dead one left.

# Note [Stale pid file]
PostgreSQL refuses to start while the pid in `postmaster.pid` is alive, whoever that is by now. Our caller holds the folder's lock, so no
other supervisor runs it: a process that is not a server on our data folder makes the file stale, and a server that is one is an orphan,
which is stopped. Should an orphan's back ends still work, PostgreSQL's own check of the shared memory keeps the new server out, and the
caller tries again.
"""

import asyncio
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from services.postgres.home import Home, PostgresFailed

SUPERUSER = "reconecta"
STOP_SECONDS = 30.0
INITDB_SECONDS = 300.0
LOG_BYTES = 10_000_000
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def initdb(home: Home, binaries: Path, *, durable: bool) -> None:
    """Make the data folder, whole or not at all. Text is UTF-8 in code point order, without ICU, which the wheel lacks."""
    fresh, password = home.base / "data.new", home.base / "password"
    shutil.rmtree(fresh, ignore_errors=True)
    password.unlink(missing_ok=True)
    with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(home.password(SUPERUSER))
    if home.account is not None:
        os.chown(password, home.account.pw_uid, home.account.pw_gid)
    version = subprocess.run(
        [binaries / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=60, **home.run_as()
    ).stdout
    builtin = int(re.findall(r"\d+", version)[0]) >= 17
    locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if builtin else ["--locale=C.UTF-8"]
    options = ["-U", SUPERUSER, "-E", "UTF8", *locale, "-A", "scram-sha-256", f"--pwfile={password}", *([] if durable else ["--no-sync"])]
    command = [str(binaries / "initdb"), "-D", str(fresh), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, umask=0o077, timeout=INITDB_SECONDS, **home.run_as())
    password.unlink()
    if done.returncode != 0:
        raise PostgresFailed(f"initdb no pudo crear {fresh}:\n{done.stderr or done.stdout}")
    fresh.rename(home.data)


def spawn(home: Home, binaries: Path, settings: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the server as our child; on Linux it stops by itself when we die."""
    places = {"port": str(home.port), "unix_socket_directories": str(home.sockets), "listen_addresses": "127.0.0.1" if home.tcp else ""}
    options = [part for name, value in (settings | places).items() for part in ("-c", f"{name}={value}")]
    if home.log.exists() and home.log.stat().st_size > LOG_BYTES:
        home.log.unlink()
    with home.log.open("ab") as output, warnings.catch_warnings():
        # Python 3.12 warns of preexec_fn beside threads; ours calls nothing but prctl.
        warnings.simplefilter("ignore", DeprecationWarning)
        return subprocess.Popen(
            [binaries / "postgres", "-D", home.data, *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            umask=0o077,
            preexec_fn=_stop_with_parent if sys.platform == "linux" else None,
            **home.run_as(),
        )


def _stop_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


async def clear_stale_pid(home: Home) -> None:
    """Take away the pid file of a server that is not there; stop one that is. See Note [Stale pid file]."""
    pid_file = home.data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        pid = 0
    if pid > 0 and _serves(pid, home.data):
        os.kill(pid, signal.SIGINT)
        if not await within(STOP_SECONDS, lambda: not _serves(pid, home.data)):
            os.kill(pid, signal.SIGQUIT)
            await within(STOP_SECONDS, lambda: not _serves(pid, home.data))
    for stale in (pid_file, home.sockets / f".s.PGSQL.{home.port}.lock"):
        stale.unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    """Is this process a PostgreSQL on that data folder? A zombie, or whoever else has the number by now, is not."""
    if Path("/proc/self/cmdline").exists():
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")  # empty for a zombie
        except OSError:
            return False
    else:
        arguments = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=60).stdout
    return "postgres" in arguments and f"-D {data}" in arguments


async def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Wait until the condition holds; False when it does not in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def log_end(home: Home, lines: int) -> str:
    """The last lines of the server's log."""
    return "\n".join(home.log.read_text(errors="replace").splitlines()[-lines:]) if home.log.exists() else ""
