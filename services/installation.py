"""One installation on one machine: a data folder with its PostgreSQL, its keys, its mails, and a note of where it answers.

```
<data>/postgres/        the embedded PostgreSQL (not there when five <SERVICE>_DATABASE_URL name another one)
<data>/keys/            the key that signs tokens, the public halves of those that are believed, what was revoked,
                        and the keys that close the secrets of webhooks
<data>/correo/          the Maildir that mails go to, unless RECONECTA_SMTP_URL names a server
<data>/files/           uploads
<data>/reconecta.lock   held by the process that runs the house
<data>/running.json     its pid and address, while it runs
```
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.migrate import migrate
from services.postgres import EmbeddedPostgres
from shared.auth import ensure_keys, issue, public_keys
from shared.clock import SystemClock
from shared.db import Database, rows
from shared.errors import Mendable
from shared.operator import Operator
from shared.sealing import keys_of
from shared.settings import REVOKED, SERVICES, Settings

STOP_SECONDS = 30.0
DEMO_DATA = Path("data/demo")


class InstallationError(Mendable):
    """It cannot run like this; the message says in one line what to do."""


@dataclass(frozen=True)
class Running:
    """Where an installation answers now."""

    pid: int
    address: str


@dataclass(frozen=True)
class Installation:
    """A data folder. Nothing is made in it before something is opened."""

    data: Path

    @property
    def revocations(self) -> Path:
        """The file of revoked tokens."""
        return self.data / "keys" / REVOKED

    def token(self, operator: Operator, person: str | None, lifetime: timedelta) -> str:
        """A signed token for one of the operator's people (None: whoever administers). Raises InstallationError for a stranger."""
        known = administrator(operator) if person is None else operator.person(person)
        if known is None:
            people = ", ".join(each.person for each in operator.people)
            raise InstallationError(f"operator.yaml no conoce a «{person}». Personas: {people}.")
        return issue(ensure_keys(self.data / "keys")[0], person=known.person, name=known.name, desks=known.desks, lifetime=lifetime)

    def settings(self, service: str, url: str, operator: Operator, simulated: bool) -> Settings:
        """What a service of this installation is told; RECONECTA_… variables rule over what is chosen here."""
        given: dict[str, Any] = {
            "operator_folder": operator.folder,
            "data_folder": self.data / "files",
            "token_public_keys": public_keys(self.data / "keys"),
            "revocations": self.revocations,
            "clock": "simulated" if simulated else "system",
        }
        if service == "notifier" and "RECONECTA_WEBHOOK_KEYS" not in os.environ:
            given["webhook_keys"] = keys_of(self.data / "keys")
        if "RECONECTA_SMTP_URL" not in os.environ:
            given["maildir"] = self.data / "correo"
        if "RECONECTA_NETWORK" not in os.environ:
            given["network"] = "simulated"
        return Settings(service=service, database_url=url, **given)

    @asynccontextmanager
    async def databases(self, *, durable: bool = True) -> AsyncIterator[dict[str, str]]:
        """The addresses of five migrated databases, by service: those of the environment, else of the embedded PostgreSQL, which this
        process starts unless another one runs it already (`durable=False`: a power cut may cost data, which a test clock can bear)."""
        given = given_databases()
        if given:
            await migrate(given)
            yield given
            return
        async with EmbeddedPostgres(self.data / "postgres", durable=durable) as server:
            await server.create_databases(SERVICES)
            await migrate({name: server.owner_url(name) for name in SERVICES})
            yield {name: server.url(name) for name in SERVICES}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder's lock. Raises InstallationError while another process runs the house."""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "reconecta.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                running = self.running()
                where = f" en {running.address} (proceso {running.pid})" if running else ""
                raise InstallationError(f"Esta instalación ya corre{where}: deténgala con `reconecta down --data {self.data}`.") from None
            yield

    @contextmanager
    def announced(self, address: str) -> Iterator[None]:
        """Note where the house answers, until the block ends."""
        note = self.data / "running.json"
        note.write_text(json.dumps({"pid": os.getpid(), "address": address}))
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    def running(self) -> Running | None:
        """Where the house answers; None when no process holds the folder's lock, whatever a stale note says."""
        with contextlib.suppress(FileNotFoundError), (self.data / "reconecta.lock").open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                with contextlib.suppress(FileNotFoundError, ValueError):
                    return Running(**json.loads((self.data / "running.json").read_text()))
        return None

    def stop(self) -> bool:
        """End the process that runs the house and wait until it is gone; False when there is none. Raises InstallationError."""
        running = self.running()
        if running is None:
            return False
        os.kill(running.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self.running() is not None or _held(self.data / "reconecta.lock"):
            if time.monotonic() > deadline:
                raise InstallationError(f"El proceso {running.pid} no termina. Su registro dice por qué.")
            time.sleep(0.05)
        return True


def running_one(folders: Sequence[Path]) -> Installation:
    """The installation that runs in one of these folders. Raises InstallationError, naming what there is, unless it is exactly one."""
    there = [each for each in folders if (each / "keys").is_dir()]
    running = {each: found for each in there if (found := Installation(each.resolve()).running())}
    if len(running) == 1:
        return Installation(next(iter(running)).resolve())
    if running:
        where = ", ".join(f"{folder} ({found.address})" for folder, found in running.items())
        raise InstallationError(f"Corren {len(running)} instalaciones: {where}. Diga cuál, por ejemplo --data {next(iter(running))}.")
    stopped = f"Detenidas hay: {', '.join(map(str, there))}. " if there else ""
    example = there[0] if there else folders[0]
    raise InstallationError(
        f"Ninguna instalación corre en {' ni en '.join(map(str, folders))}. {stopped}"
        f"Diga de cuál es el token, por ejemplo --data {example}: vale solo donde se usan sus claves."
    )


def _held(lock: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), lock.open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def given_databases() -> dict[str, str]:
    """The databases named by <SERVICE>_DATABASE_URL; empty when none is. Raises InstallationError when only some are."""
    found = {name: os.environ.get(f"{name.upper()}_DATABASE_URL", "") for name in SERVICES}
    missing = [f"{name.upper()}_DATABASE_URL" for name, url in found.items() if not url]
    if len(missing) == len(SERVICES):
        return {}
    if missing:
        raise InstallationError(f"Faltan {', '.join(missing)}: o se nombran las cinco bases de datos, o ninguna.")
    return found


def administrator(operator: Operator) -> Any:
    """The person with the most permissions: whose token the embedded default prints."""
    return max(operator.people, key=lambda each: sum(operator.may(each.desks, name) for name in operator.permissions))


async def business_start(urls: Mapping[str, str], asked: datetime | None) -> datetime | None:
    """Where business time begins: None on the real clock. Raises InstallationError when the databases have lived on the other clock."""
    stands = [await simulated_now(name, urls[name]) for name in SERVICES]
    known = [each for each in stands if each is not None]
    if asked is None and known:
        raise InstallationError(
            f"Esta instalación lleva un reloj de prueba ({max(known).isoformat()}): siga con --clock, o use otra carpeta con --data."
        )
    if asked is None:
        return None
    if not known and await _has_lived(urls["billing"]):
        raise InstallationError("Esta instalación ha vivido con el reloj real: un reloj de prueba necesita otra carpeta (--data).")
    return max([asked, *known])


async def simulated_now(service: str, url: str) -> datetime | None:
    """A service's simulated business time; None when it has the real clock."""
    database = Database(url, service=service, pool_size=2)
    try:
        async with database.transaction() as session:
            found = await rows(session, "SELECT now FROM simulated_clock")
        return found[0].now if found else None
    finally:
        await database.close()


async def business_now(service: str, url: str) -> datetime:
    """A service's business time, whichever clock it has."""
    return await simulated_now(service, url) or await SystemClock().now()


async def _has_lived(url: str) -> bool:
    database = Database(url, service="billing", pool_size=2)
    try:
        async with database.transaction() as session:
            return bool(await rows(session, "SELECT 1 FROM audit_entry UNION ALL SELECT 1 FROM customer LIMIT 1"))
    finally:
        await database.close()
