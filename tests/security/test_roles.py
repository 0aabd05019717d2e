"""A service's role: rows of its own tables, and nothing else. The same on the embedded server and as deploy/postgres makes it."""

import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from services.migrate import migrate
from services.postgres import EmbeddedPostgres, remove
from services.postgres.home import find_binaries
from services.postgres.launch import SUPERUSER
from services.postgres.server import OWNER
from shared.db import Database
from shared.settings import SERVICES
from tests.architecture.test_rooms import ROOT
from tests.security.doors import whole_house
from tests.support.service import client_of

SCRIPT = ROOT / "deploy/postgres/init/01-databases.sh"
FORBIDDEN = {
    "a table of its own": "CREATE TABLE mine (id int)",
    "a temporary table": "CREATE TEMPORARY TABLE mine (id int)",
    "a schema": "CREATE SCHEMA mine",
    "a function": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a language": "CREATE LANGUAGE mine HANDLER plpgsql_call_handler",
    "a role": "CREATE ROLE friend SUPERUSER",
    "a database": "CREATE DATABASE friend",
    "another's rights": f"SET ROLE {OWNER}",
    "more rights for itself": "ALTER ROLE CURRENT_USER SUPERUSER",
    "a setting of the server": "ALTER SYSTEM SET fsync = off",
    "to change a table": "ALTER TABLE audit_entry ADD COLUMN x int",
    "to drop a table": "DROP TABLE outbox",
    "to empty a table": "TRUNCATE outbox",
    "to switch a trigger off": "ALTER TABLE outbox DISABLE TRIGGER ALL",
    "to skip triggers": "SET session_replication_role = replica",
    "the version": "UPDATE alembic_version SET version_num = '0000'",
    "to forget who did what": "DELETE FROM audit_entry",
    "to rewrite who did what": "UPDATE audit_entry SET person = 'nobody'",
    "files of the server": "SELECT pg_read_file('postgresql.conf')",
    "programs of the server": "COPY outbox TO PROGRAM 'cat'",
    "a file beside": "COPY outbox TO '/tmp/outbox'",
    "passwords": "SELECT * FROM pg_authid",
    "to steer the server": "SELECT pg_reload_conf()",
}


@dataclass
class Server:
    """A server with its five databases, and how each role gets in."""

    logins: Mapping[str, str]

    def url(self, database: str, role: str) -> str:
        return make_url(self.logins[role]).set(database=database).render_as_string(hide_password=False)

    async def ask(self, database: str, role: str, statement: str) -> object:
        connection = await asyncpg.connect(self.url(database, role), timeout=10)
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close(timeout=5)


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Server]:
    async with EmbeddedPostgres(folder / "pg", durable=False) as server:
        await server.create_databases(SERVICES)
        yield Server({role: server.url("postgres", role) for role in (*SERVICES, OWNER, SUPERUSER)})


@asynccontextmanager
async def composed(folder: Path) -> AsyncIterator[Server]:
    """As the container's first start runs the script."""
    async with EmbeddedPostgres(folder / "pg", durable=False, tcp=True) as server:
        url = make_url(server.url("postgres", SUPERUSER))
        passwords = {f"{name.upper()}_DATABASE_PASSWORD": f"secret of {name}" for name in (*SERVICES, "owner")}
        environment = passwords | {
            "PATH": f"{find_binaries(None)}:{os.environ['PATH']}",
            "PGHOST": str(url.host),
            "PGPORT": str(url.port),
            "PGPASSWORD": str(url.password),
            "POSTGRES_USER": SUPERUSER,
        }
        subprocess.run([SCRIPT], env=environment, check=True, capture_output=True, timeout=60)
        logins = {name: url.set(username=name, password=f"secret of {name}") for name in SERVICES}
        logins |= {OWNER: url.set(username=OWNER, password="secret of owner"), SUPERUSER: url}
        yield Server({role: each.render_as_string(hide_password=False) for role, each in logins.items()})


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's own account can enter."""
    with tempfile.TemporaryDirectory(prefix="reconecta-") as made:
        Path(made).chmod(0o755)
        yield Path(made)
        remove(Path(made) / "pg")


@pytest.fixture(params=[embedded, composed], ids=lambda each: str(each.__name__))
async def server(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Server]:
    async with request.param(folder) as opened:
        await migrate({name: opened.url(name, OWNER) for name in SERVICES})
        yield opened


async def test_a_role_works_in_its_own_database_and_can_do_nothing_else(server: Server, tmp_path: Path) -> None:
    for role in SERVICES:
        for what, statement in FORBIDDEN.items():
            with pytest.raises(asyncpg.PostgresError) as refused:
                await server.ask(role, role, statement)
            assert refused.value.sqlstate in {"42501", "0LP01"}, f"{role} may have {what}: {refused.value}"
        for database in (*SERVICES, "postgres", "template1"):
            if database != role:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await server.ask(database, role, "SELECT 1")
        owned = await server.ask(role, role, "SELECT relname FROM pg_class WHERE relowner = current_user::regrole")
        assert owned == []
        assert await server.ask(role, role, "SELECT count(*) FROM outbox") and await server.ask(role, role, "ANALYZE alembic_version") == []
    await works(server, tmp_path)


async def works(server: Server, folder: Path) -> None:
    """And yet everything works: a customer comes in and goes out as an event."""
    urls, start = {name: server.url(name, name) for name in SERVICES}, datetime(2026, 3, 1, 6, tzinfo=UTC)
    async with whole_house(urls, start, data_folder=folder) as app, client_of(app, "admin") as admin:
        for name in SERVICES:
            for place in ("health/ready", "metrics", "simulation"):
                assert (await admin.get(f"/{name}/{place}")).status_code == 200
        body = {"external_source": "crm", "external_id": "C-1", "name": "Cafetería", "services": [
            {"code": "internet", "plan_code": "negocio_100", "delivery": "own", "access_node": "N-1", "active_from": "2026-03-01"}
        ]}  # fmt: skip
        assert (await admin.post("/billing/customers", json=body)).status_code == 201
    assert len(list(await server.ask("billing", "billing", "SELECT 1 FROM outbox"))) == 1  # type: ignore[call-overload]


async def test_the_owner_is_no_superuser_and_migrates_again_without_harm(server: Server) -> None:
    for statement in ("CREATE ROLE friend", "ALTER SYSTEM SET fsync = off", "SELECT pg_read_file('postgresql.conf')"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await server.ask("billing", OWNER, statement)
    await migrate({name: server.url(name, OWNER) for name in SERVICES})


async def test_a_database_of_an_older_release_is_handed_over(folder: Path) -> None:
    """There the role owned its tables."""
    async with EmbeddedPostgres(folder / "pg", durable=False) as made:
        await made.create_databases(["noc"])
        admin = await asyncpg.connect(made.url("postgres", SUPERUSER))
        await admin.execute("ALTER DATABASE noc OWNER TO noc")
        await admin.close()
        await migrate({"noc": made.url("noc")})
        await made.create_databases(["noc"])
        await migrate({"noc": made.owner_url("noc")})
        database = Database(made.url("noc"), service="noc")
        connection = await asyncpg.connect(made.url("noc"))
        assert await connection.fetchval("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole") == 0
        assert await connection.fetchval("SELECT count(*) FROM outage") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DROP TABLE outage")
        await connection.close()
        await database.close()
