"""Commands about data: import, replay, migrate."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.running import DATA, OPERATOR, DataOption, OperatorOption
from services.cli.screen import console, fail, table
from services.installation import Installation, InstallationError, given_databases
from services.migrate import migrate
from shared import parking
from shared.db import Database, Fetched
from shared.settings import SERVICES

LETTERS_SHOWN = 100
REASONS = {"dead": "falló", "waiting": "espera un dato"}
imports = typer.Typer(no_args_is_help=True, help="Trae clientes de un CRM o pagos de un banco.")
FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="El archivo CSV.", metavar="ARCHIVO")]
MappingOption = Annotated[Path, typer.Option("--mapping", exists=True, dir_okay=False, help="Qué columna es qué campo.")]


@imports.command("customers")
def import_customers(file: FileArgument, mapping: MappingOption, operator: OperatorOption = OPERATOR, data: DataOption = DATA) -> None:
    """Importa un libro de clientes. Repetirlo no cambia nada; una fila cambiada actualiza con historia."""
    _import("customers", file, mapping, operator, data)


@imports.command("payments")
def import_payments(file: FileArgument, mapping: MappingOption, operator: OperatorOption = OPERATOR, data: DataOption = DATA) -> None:
    """Importa los pagos de un banco."""
    _import("payments", file, mapping, operator, data)


def _import(*asked: Any) -> None:
    from services.cli.importing import bring  # billing is loaded by who imports

    asyncio.run(bring(*asked))


def replay(
    service: Annotated[str | None, typer.Option(help="Solo este servicio.")] = None,
    key: Annotated[str | None, typer.Option(help="Solo los eventos de esta clave (el id del cliente).")] = None,
    discard: Annotated[bool, typer.Option(help="Descarta los eventos en vez de repetirlos.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Solo muestra qué está apartado y por qué.")] = False,
    data: DataOption = DATA,
) -> None:
    """Devuelve a la fila los eventos que quedaron apartados, en orden; el trabajador sigue con ellos."""
    names = [name for name in SERVICES if service in (None, name)]
    if not names:
        fail(f"No hay ningún servicio «{service}»; hay: {', '.join(SERVICES)}.")
    asyncio.run(_replay(names, key, discard, show, data))


async def _replay(names: list[str], key: str | None, discard: bool, show: bool, data: Path) -> None:
    if not given_databases() and not (data / "postgres").exists():
        raise InstallationError(f"En {data} no hay ninguna instalación: nómbrela con --data.")
    async with Installation(data.resolve()).databases() as urls:
        for name in names:
            database = Database(urls[name], service=name, pool_size=2)
            try:
                async with database.transaction() as session:
                    if show:
                        found = await parking.letters(session, parking.LETTERS.order(limit=LETTERS_SHOWN))
                        _show_letters(name, [each.item for each in found], key)
                    else:
                        count = await parking.replay(session, key=key, discard=discard)
                        console.print(f"{name}: {count} evento(s) {'descartados' if discard else 'de vuelta en la fila'}")
            finally:
                await database.close()


def _show_letters(service: str, letters: Sequence[Fetched], key: str | None) -> None:
    rows = [
        (REASONS.get(each.reason, each.reason), each.key, each.type, each.attempts, each.behind, each.detail)
        for each in letters
        if key in (None, each.key)
    ]
    if rows:
        console.print(table(["por qué", "clave", "evento", "intentos", "detrás", "detalle"], rows, title=service, right=[3, 4]))
    else:
        console.print(f"{service}: nada apartado")


def migrate_databases(
    data: Annotated[Path | None, typer.Option("--data", help="Las bases de una instalación de una sola máquina.")] = None,
) -> None:
    """Lleva las cinco bases de datos a su última migración."""
    asyncio.run(_migrate(data))
    console.print("Las cinco bases de datos están al día.")


async def _migrate(data: Path | None) -> None:
    given = given_databases()
    if given and data is None:
        await migrate(given)
        return
    if data is None:
        raise InstallationError("Nombre las cinco bases de datos con <SERVICIO>_DATABASE_URL, o una instalación con --data.")
    async with Installation(data.resolve()).databases():
        pass
