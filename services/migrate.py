"""Migrations of all five databases: `reconecta migrate`, and the two commands that developers use.

`python -m services.migrate revision SERVICE MESSAGE` writes a service's next migration from its models, `python -m services.migrate check`
says where models and migrations differ. Both work on a PostgreSQL of their own, which is gone afterwards.
"""

import asyncio
import importlib
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import typer
from sqlalchemy import Connection, MetaData, text

from services.postgres import EmbeddedPostgres
from shared import migrations
from shared.migrations import MESSAGING, on_database

SERVICES = ("billing", "collections", "ticketing", "noc", "notifier")
SHAPE = {
    "tabla": "SELECT relname, relpersistence::text, reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
    "columna": """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
        pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped""",
    "restricción": """SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype <> 'n'""",
    "índice": "SELECT tablename::text, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "función": "SELECT proname::text, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "disparador": """SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal""",
}

commands = typer.Typer(add_completion=False, help="Migraciones de las cinco bases de datos.")


async def migrate(urls: Mapping[str, str]) -> None:
    """Bring each service's database to the newest migration. `urls` by service name."""
    for service, url in urls.items():
        await migrations.upgrade(service, url)


async def disagreements(server: EmbeddedPostgres, service: str) -> list[str]:
    """Where a service's migrations and its models lead to different databases; needs a server on which it has none yet.

    Alembic's own comparison does not see checks; so two databases are made, one by each, and their catalogs compared.
    """
    migrated, modelled = f"{service}_migrated", f"{service}_modelled"
    await server.create_databases([migrated, modelled])
    metadata = metadata_of(service)
    await migrations.upgrade(service, server.owner_url(migrated))
    await on_database(server.owner_url(modelled), lambda connection: create_tables(connection, metadata))
    one, other = [await on_database(server.owner_url(name), _shape) for name in (migrated, modelled)]
    return sorted([f"solo en las migraciones: {each}" for each in one - other] + [f"solo en los modelos: {each}" for each in other - one])


def metadata_of(service: str) -> Sequence[MetaData]:
    """The tables of one service's database: its own and those of the event path."""
    models = importlib.import_module(f"services.{service}.models")
    return [models.Table.metadata, MESSAGING]


def create_tables(connection: Connection, metadata: Iterable[MetaData]) -> None:
    """Make the tables straight from the models; only comparisons want that."""
    for each in metadata:
        each.create_all(connection)
    connection.commit()


def _shape(connection: Connection) -> set[str]:
    found = {f"{kind} {' | '.join(map(str, row))}" for kind, sql in SHAPE.items() for row in connection.execute(text(sql))}
    return {each for each in found if "alembic_version" not in each}


@asynccontextmanager
async def _throwaway_server() -> AsyncIterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="reconecta-") as folder:
        Path(folder).chmod(0o755)  # the server's account must reach its own, private folder in it
        async with EmbeddedPostgres(Path(folder), durable=False) as server:
            yield server


@commands.command()
def revision(service: str, message: str) -> None:
    """Escribe la siguiente migración de un servicio a partir de sus modelos."""

    async def write() -> Path | None:
        async with _throwaway_server() as server:
            await server.create_databases([service])
            await migrations.upgrade(service, server.owner_url(service))
            return await migrations.revision(service, server.owner_url(service), message, metadata_of(service))

    if service not in SERVICES:
        sys.exit(f"No hay ningún servicio {service}; hay: {', '.join(SERVICES)}.")
    path = asyncio.run(write())
    if path is None:
        typer.echo("Los modelos y las migraciones coinciden: no hay nada que escribir.")
    else:
        subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", path], check=False, timeout=60)
        typer.echo(f"Escrita {path}. Léala antes de usarla: los renombres y los CHECK cambiados no se detectan.")


@commands.command()
def check() -> None:
    """Dice en qué difieren los modelos y las migraciones, y falla si difieren."""

    async def compare() -> dict[str, list[str]]:
        async with _throwaway_server() as server:
            return {service: await disagreements(server, service) for service in SERVICES}

    found = asyncio.run(compare())
    for service, lines in found.items():
        for line in lines:
            typer.echo(f"{service}: {line}")
    if any(found.values()):
        sys.exit('Escriba la migración que falta: make migration SERVICE=… M="…"')
    typer.echo("Los modelos y las migraciones coinciden.")


if __name__ == "__main__":
    commands()
