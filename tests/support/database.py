"""Real PostgreSQL databases for tests: one template per service, made by its migrations; each test gets clean clones of them.

# Note [Clones are used again]
Cloning a template costs more than emptying the tables that a test has filled, so a clone goes back into this process's stock when its test
is over. Everything still connected to it is thrown out first; a clone that cannot be emptied is dropped. Small tables are deleted from,
without triggers and without a look at who refers to them: to truncate puts files away and makes new ones, 15 ms for what is done in one.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
from sqlalchemy.engine import make_url

from services.migrate import create_tables, metadata_of
from shared import migrations

LOCK = 7032663
DISCONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
SMALL = 8  # pages of a table
EMPTY = f"""
DO $$
DECLARE large text[] := '{{}}'; item record; found boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR item IN SELECT oid::regclass::text AS name, pg_relation_size(oid) / 8192 AS pages FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0
    LOOP
        IF item.pages <= {SMALL} THEN
            EXECUTE 'DELETE FROM ' || item.name;
        ELSE
            EXECUTE format('SELECT EXISTS (SELECT 1 FROM %s)', item.name) INTO found;
            IF found THEN large := large || item.name; END IF;
        END IF;
    END LOOP;
    IF large <> '{{}}' THEN EXECUTE 'TRUNCATE ' || array_to_string(large, ', ') || ' CASCADE'; END IF;
    FOR item IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
        EXECUTE format('ALTER SEQUENCE %I RESTART', item.sequencename);
    END LOOP;
END $$
"""


@dataclass
class Stock:
    """The clones of one test process, on the server at `url` (a superuser's address)."""

    url: str
    free: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    templates: set[str] = field(default_factory=set)
    made: int = 0

    def address(self, database: str) -> str:
        return make_url(self.url).set(database=database).render_as_string(hide_password=False)

    async def take(self, service: str) -> str:
        """A clean database of a service; answers its name."""
        if self.free[service]:
            return self.free[service].pop()
        async with self._admin() as connection:
            await connection.execute(f"SELECT pg_advisory_lock({LOCK})")
            template = await self._template(connection, service)
            self.made += 1
            name = f"test_{service}_{os.getpid()}_{self.made}"
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    async def give_back(self, service: str, name: str) -> None:
        """Empty a database for the next test, or drop it."""
        try:
            connection = await asyncpg.connect(self.address(name), timeout=10)
            try:
                await connection.execute(DISCONNECT)
                await connection.execute(EMPTY, timeout=10)
            finally:
                await connection.close(timeout=5)
        except (asyncpg.PostgresError, TimeoutError):
            await self.drop(name)
        else:
            self.free[service].append(name)

    async def drop(self, name: str) -> None:
        async with self._admin() as connection:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def close(self) -> None:
        """Leave nothing behind but the templates."""
        for names in self.free.values():
            for name in names:
                await self.drop(name)
        self.free.clear()

    async def _template(self, connection: asyncpg.Connection, service: str) -> str:
        """The template of a service, as its migrations are now; they are named in the database's comment."""
        name = f"reconecta_template_{service}"
        if service in self.templates:
            return name
        state = _state(service)
        found = await connection.fetchval("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", name)
        if found != state:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
            await build_schema(service, self.address(name))
            await connection.execute(f"COMMENT ON DATABASE \"{name}\" IS '{state}'")
        self.templates.add(service)
        return name

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.url, timeout=30)
        try:
            yield connection
        finally:
            await connection.close(timeout=10)


async def build_schema(service: str, url: str) -> None:
    """Bring an empty database to a service's newest migration."""
    if any(migrations.versions(service).glob("*.py")):
        await migrations.upgrade(service, url)
    else:  # until the service has its first migration
        metadata = metadata_of(service)
        await migrations.on_database(url, lambda connection: create_tables(connection, metadata))


def _state(service: str) -> str:
    files = sorted(migrations.versions(service).glob("*.py"))
    return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()
