"""The same migrations and one whole story on a PostgreSQL that is installed on this machine, 15 or newer, instead of the embedded one."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.migrate import disagreements
from services.postgres import EmbeddedPostgres, remove
from services.postgres.launch import SUPERUSER
from shared.settings import SERVICES

PLACES = ("/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres", "/opt/homebrew/opt/postgresql@*/bin/postgres")
OLDEST = 15
STORY = "tests/flows/test_vip_entrega_propia.py"


def installed() -> Path | None:
    """The binaries of the oldest installed PostgreSQL that is still supported."""
    found = {}
    for place in PLACES:
        for postgres in Path("/").glob(place.removeprefix("/")):
            said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
            if (version := re.search(r"(\d+)", said)) and int(version[1]) >= OLDEST:
                found[int(version[1])] = postgres.parent
    return found[min(found)] if found else None


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's own account can enter."""
    with tempfile.TemporaryDirectory(prefix="reconecta-") as made:
        Path(made).chmod(0o755)
        yield Path(made) / "data"
        remove(Path(made) / "data")


@pytest.mark.slow
async def test_migrations_and_a_story_on_an_installed_postgresql(folder: Path) -> None:
    binaries = installed()
    if binaries is None:
        pytest.skip(f"no PostgreSQL {OLDEST} or newer is installed in {', '.join(PLACES)}")
    async with EmbeddedPostgres(folder, durable=False, binaries=binaries) as server:
        assert {service: await disagreements(server, service) for service in SERVICES} == {service: [] for service in SERVICES}
        environment = {**os.environ, "TEST_POSTGRES": server.url("postgres", SUPERUSER)}
        environment.pop("PYTEST_XDIST_WORKER", None)
        told = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not kafka", STORY],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert told.returncode == 0, told.stdout[-3000:]
    assert re.search(r"[1-9]\d* passed", told.stdout), told.stdout
