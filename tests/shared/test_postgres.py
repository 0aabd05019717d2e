"""The embedded PostgreSQL: private, and back after whatever was done to it."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from services.postgres import EmbeddedPostgres, PostgresFailed, remove
from services.postgres import home as places
from services.postgres.launch import SUPERUSER


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every account can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="reconecta-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def folder(reachable: Path) -> Path:
    return reachable / "data"


@pytest.fixture
async def server(folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(folder, durable=False) as running:
        await running.create_databases(["billing", "collections"])
        yield running


async def ask(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def ask_until_answered(url: str, sql: str, seconds: float = 30) -> object:
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await ask(url, sql)
            except (OSError, asyncpg.PostgresError, TimeoutError):
                await asyncio.sleep(0.02)


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.home.data / "postmaster.pid").read_text().split("\n", 1)[0])


async def test_data_socket_and_secret_are_private(server: EmbeddedPostgres) -> None:
    home = server.home
    for path, mode in ((home.base, 0o700), (home.data, 0o700), (home.sockets, 0o700), (server.folder / "postgres.secret", 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode, path
    assert await ask(server.url("billing"), "SHOW listen_addresses") == ""


async def test_no_role_enters_without_its_password(server: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(server.url("billing").replace(server.home.password("billing"), "guess"), "SELECT 1")


async def test_no_role_enters_another_database(server: EmbeddedPostgres) -> None:
    for database, role in (("collections", "billing"), ("billing", "collections"), ("postgres", "billing"), ("template1", "billing")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ask(server.url(database, role), "SELECT 1")


async def test_databases_are_utf8_in_code_point_order(server: EmbeddedPostgres) -> None:
    assert await ask(server.url("billing"), "SHOW server_encoding") == "UTF8"
    assert await ask(server.url("billing"), "SELECT string_agg(w, ' ' ORDER BY w) FROM unnest(ARRAY['ñ', 'a', 'Z', 'á']) w") == "Z a á ñ"
    assert await ask(server.url("billing"), "SELECT upper('ñandú')") == "ÑANDÚ"


async def test_comes_back_with_its_data_after_kill_9(server: EmbeddedPostgres) -> None:
    url = server.owner_url("billing")
    await ask(url, "CREATE TABLE kept AS SELECT 7 AS value")
    os.kill(postmaster(server), signal.SIGKILL)
    assert await ask_until_answered(url, "SELECT value FROM kept") == 7


async def test_starts_over_a_pid_file_with_a_living_stranger(folder: Path) -> None:
    async with EmbeddedPostgres(folder, durable=False) as first:
        await first.create_databases(["billing"])
        await ask(first.owner_url("billing"), "CREATE TABLE kept AS SELECT 7 AS value")
        pid_file = first.home.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    account = first.home.run_as()
    stranger = subprocess.Popen(["sleep", "60"], **account)  # the same account: PostgreSQL itself would refuse to start
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        async with EmbeddedPostgres(folder, durable=False) as second:
            assert await ask(second.owner_url("billing"), "SELECT value FROM kept") == 7
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_starts_over_the_pid_file_of_a_zombie(folder: Path) -> None:
    async with EmbeddedPostgres(folder, durable=False) as first:
        pid_file = first.home.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    zombie = subprocess.Popen(["true"])
    await asyncio.sleep(0.2)
    pid_file.write_text("\n".join([str(zombie.pid), *lines[1:]]) + "\n")
    async with EmbeddedPostgres(folder, durable=False) as second:
        assert await second.answers()
    zombie.wait()


async def test_a_second_process_uses_the_server_and_takes_it_over(server: EmbeddedPostgres, folder: Path) -> None:
    """Both are in this process here; the lock does not care."""
    async with EmbeddedPostgres(folder, durable=False) as guest:
        pid = postmaster(server)
        assert await guest.answers()
        await server.stop()
        assert await ask_until_answered(guest.url("billing"), "SELECT 1") == 1
        assert postmaster(guest) != pid


OWNER = """
import asyncio, sys
from pathlib import Path
from services.postgres import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1]), durable=False):
        print("up", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
async def test_a_killed_owner_leaves_no_server_behind(folder: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert owner.stdout is not None
    assert await asyncio.to_thread(owner.stdout.readline) == b"up\n"
    probe = EmbeddedPostgres(folder)
    assert await probe.answers()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    async with asyncio.timeout(20):
        while await probe.answers():
            await asyncio.sleep(0.05)


async def test_listens_on_a_free_port_when_asked_and_keeps_it(folder: Path) -> None:
    ports = []
    for _ in range(2):
        async with EmbeddedPostgres(folder, durable=False, tcp=True) as server:
            await server.create_databases(["billing"])
            assert "@127.0.0.1:" in server.url("billing")
            assert await ask(server.url("billing"), "SELECT 1") == 1
            ports.append(server.home.port)
    assert ports[0] == ports[1]


async def test_a_long_path_gets_a_short_socket(reachable: Path) -> None:
    folder = reachable / ("a-very-long-name-" * 8)
    async with EmbeddedPostgres(folder, durable=False) as server:
        sockets = server.home.sockets
        assert sockets.parent == Path("/tmp")
        assert await server.answers()
    remove(folder)
    assert not sockets.exists()


async def test_a_lost_secret_is_named(folder: Path) -> None:
    async with EmbeddedPostgres(folder, durable=False):
        pass
    (folder / "postgres.secret").unlink()
    with pytest.raises(PostgresFailed, match="Falta"):
        await EmbeddedPostgres(folder, durable=False).start()


async def test_a_server_that_cannot_start_shows_the_end_of_its_log(folder: Path) -> None:
    async with EmbeddedPostgres(folder, durable=False) as server:
        control = server.home.data / "global" / "pg_control"
    control.unlink()
    with pytest.raises(PostgresFailed, match="pg_control"):
        await EmbeddedPostgres(folder, durable=False).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that its server's account cannot reach")
async def test_a_folder_that_its_account_cannot_reach_stays_closed(reachable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, elsewhere = reachable / "closed", reachable / "elsewhere"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(places, "OUTSIDE_DATA", elsewhere)
    async with EmbeddedPostgres(closed / "data", durable=False) as server:
        assert server.home.base.parent == elsewhere
        assert await ask(server.url("postgres", SUPERUSER), "SELECT 1") == 1
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert json.loads((closed / "data" / "postgres.json").read_text())["base"] == str(server.home.base)
    remove(closed / "data")
    assert list(elsewhere.iterdir()) == []
