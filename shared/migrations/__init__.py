"""Migrations of a service's database: bring it up to date, ask whether it is behind, write the next one.

Each service's own migrations lie in `services/<service>/migrations`, one chain per database; Alembic's environment and template lie here,
once. The tables of the event path are part of every chain.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, MetaData, pool, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel.sql.sqltypes import AutoString

from shared import auditing, calendar, clock, courier, idempotency, inbox, kafka, lease, outbox, parking, timers, trail  # noqa: F401 - tables of every service
from shared.db import Database, MessagingTable
from shared.errors import Mendable

Result = TypeVar("Result")
MESSAGING = MessagingTable.metadata
HERE = Path(__file__).parent
# A service's role reads and writes rows. It changes no table, no version, and nothing that was written down of who did what.
GRANTS = """DO $$ DECLARE bulk text; BEGIN
IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}' AND rolname <> current_user) THEN
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{role}";
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO "{role}";
    REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM "{role}";
    REVOKE UPDATE, DELETE ON audit_entry FROM "{role}";
    IF current_setting('server_version_num')::int >= 170000 THEN
        FOR bulk IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'staged%' LOOP
            EXECUTE format('GRANT MAINTAIN ON %I TO "{role}"', bulk); -- ANALYZE after it was filled; before 17 autovacuum does it
        END LOOP;
    END IF;
END IF;
END $$"""
LOCK = 7032662  # of pg_advisory_lock: two processes that migrate one database take turns


class DatabaseBehind(Mendable):
    """The service must not start on this database: run `reconecta migrate` first."""


async def upgrade(service: str, url: str) -> None:
    """Apply the migrations that the database at `url` lacks. Where the role is not the service's own, that one gets what it needs."""

    def work(connection: Connection) -> None:
        command.upgrade(_config(service, connection), "head")
        connection.exec_driver_sql(GRANTS.format(role=service))
        connection.commit()

    await on_database(url, work)


async def behind(database: Database) -> bool:
    """Does a service's database lack a migration? One that is further than this program is not behind. Anybody may ask at any time, so
    it takes one of the pool's connections and no lock."""
    async with database.engine.connect() as connection:
        return bool(await connection.run_sync(lambda sync: _missing(database.service, sync)))


async def require_current(service: str, url: str) -> None:
    """Raise DatabaseBehind unless the database has every migration that this program knows."""
    missing = await on_database(url, lambda connection: _missing(service, connection))
    if missing:
        raise DatabaseBehind(
            f"La base de datos de {service} está atrasada: le faltan las migraciones {', '.join(missing)}. Ejecute `reconecta migrate`."
        )


async def revision(service: str, url: str, message: str, metadata: Sequence[MetaData]) -> Path | None:
    """Write the migration that leads from the database at `url`, which is up to date, to these tables; None where nothing differs."""
    versions(service).mkdir(exist_ok=True)
    number = max((int(each.name[:4]) for each in versions(service).glob("[0-9][0-9][0-9][0-9]_*.py")), default=0) + 1
    written: list[Script] = []

    def write(connection: Connection) -> None:
        config = _config(service, connection, metadata)
        made = command.revision(config, message, autogenerate=True, rev_id=f"{number:04}", process_revision_directives=_leave_out_empty)
        written.extend(each for each in (made if isinstance(made, list) else [made]) if each is not None)

    await on_database(url, write)
    return Path(written[0].path) if written else None


def versions(service: str) -> Path:
    """The folder of a service's migrations."""
    return HERE.parents[1] / "services" / service / "migrations"


async def on_database(url: str, work: Callable[[Connection], Result]) -> Result:
    """Do it on one connection of its own, one process at a time. A migration's statements take as long as they take."""
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=pool.NullPool, connect_args={"timeout": 10})
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
            await connection.commit()
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def run(context: Any) -> None:
    """What Alembic's environment does, for every service."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        target_metadata=attributes["metadata"],
        compare_server_default=True,
        transaction_per_migration=True,
        render_item=_render_string,
    )
    with context.begin_transaction():
        context.run_migrations()


def _missing(service: str, connection: Connection) -> list[str]:
    known = _chain(service)
    current = MigrationContext.configure(connection).get_current_heads()
    if any(each not in known for each in current):
        return []
    return known[max((known.index(each) + 1 for each in current), default=0) :]


@cache
def _chain(service: str) -> list[str]:
    """The migrations that this program has, the first one first; each follows the one before."""
    script = ScriptDirectory.from_config(_config(service))
    return [each.revision for each in script.walk_revisions()][::-1]


def _config(service: str, connection: Connection | None = None, metadata: Sequence[MetaData] = ()) -> Config:
    config = Config()
    for option, value in {"script_location": HERE, "version_locations": versions(service), "path_separator": "newline"}.items():
        config.set_main_option(option, str(value).replace("%", "%%"))
    config.attributes.update(connection=connection, metadata=list(metadata))
    return config


def _leave_out_empty(context: Any, revision: Any, directives: list[Any]) -> None:
    if directives[0].upgrade_ops.is_empty():
        directives.clear()


def _render_string(kind: str, item: Any, context: Any) -> str | bool:
    """SQLModel's own string type would make every migration import SQLModel."""
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String({item.length or ''})"
    return False
