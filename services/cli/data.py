"""Commands about data: import, replay, migrate."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.billing.adapters.mapping_files import load_mapping
from services.billing.jobs.imports import run_file
from services.billing.models import ImportBatch, ImportFault
from services.billing.queries.imports import FAULTS, faults_of
from services.cli.running import DATA, OPERATOR, DataOption, OperatorOption
from services.cli.screen import console, fail, table
from services.installation import Installation, InstallationError, business_now, given_databases
from services.migrate import migrate
from services.wiring import SERVICES
from shared import parking
from shared.db import Database, Fetched
from shared.operator import load_operator

FAULTS_SHOWN, LETTERS_SHOWN = 50, 100
REASONS = {"dead": "falló", "waiting": "espera un dato"}
imports = typer.Typer(no_args_is_help=True, help="Trae clientes de un CRM o pagos de un banco.")
FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="El archivo CSV.", metavar="ARCHIVO")]
MappingOption = Annotated[Path, typer.Option("--mapping", exists=True, dir_okay=False, help="Qué columna es qué campo.")]


@imports.command("customers")
def import_customers(file: FileArgument, mapping: MappingOption, operator: OperatorOption = OPERATOR, data: DataOption = DATA) -> None:
    """Importa un libro de clientes. Repetirlo no cambia nada; una fila cambiada actualiza con historia."""
    asyncio.run(_import("customers", file, mapping, operator, data))


@imports.command("payments")
def import_payments(file: FileArgument, mapping: MappingOption, operator: OperatorOption = OPERATOR, data: DataOption = DATA) -> None:
    """Importa los pagos de un banco."""
    asyncio.run(_import("payments", file, mapping, operator, data))


async def _import(kind: Literal["customers", "payments"], file: Path, mapping_file: Path, folder: Path, data: Path) -> None:
    operator = load_operator(folder)
    mapping = load_mapping(mapping_file, operator)
    if mapping.kind != kind:
        raise InstallationError(f"{mapping_file.name} es un mapeo de {mapping.kind}: use `reconecta import {mapping.kind}`.")
    async with Installation(data.resolve()).databases() as urls:
        now = await business_now("billing", urls["billing"])
        database = Database(urls["billing"], service="billing")
        try:
            with _progress(file) as (progress, task):
                batch = await run_file(
                    database,
                    file,
                    mapping=mapping,
                    operator=operator,
                    now=now,
                    requested_by="línea de comandos",
                    progress=lambda each: progress.update(task, description=_how_far(each)),
                )
            async with database.transaction() as session:
                faults = await faults_of(session, batch.id, FAULTS.order(limit=FAULTS_SHOWN))
        finally:
            await database.close()
    _report(batch, [each.item for each in faults[:FAULTS_SHOWN]])


@contextmanager
def _progress(file: Path) -> Iterator[tuple[Progress, TaskID]]:
    """A line that says how far the import is."""
    with Progress(TextColumn("{task.description}"), BarColumn(pulse_style="cyan"), TimeElapsedColumn(), console=console) as progress:
        yield progress, progress.add_task(escape(file.name), total=None)


def _how_far(batch: ImportBatch) -> str:
    applied = batch.rows_new + batch.rows_changed + batch.rows_unchanged
    return f"{batch.rows_read:,} filas leídas, {applied:,} aplicadas, {batch.rows_bad:,} con error ({batch.rows_per_second:,}/s)"


def _report(batch: ImportBatch, faults: list[ImportFault]) -> None:
    if batch.failure:
        fail(batch.failure)
    figures = {
        "leídas": batch.rows_read,
        "nuevas": batch.rows_new,
        "cambiadas": batch.rows_changed,
        "sin cambio": batch.rows_unchanged,
        "con error": batch.rows_bad,
        "avisos": batch.notices,
        "ya no están en el archivo": batch.rows_missing,
    }
    console.print(table(["filas", "cuántas"], [(name, f"{count:,}") for name, count in figures.items()], right=[1]))
    if faults:
        shown = [(each.line, each.column_name, each.value, each.reason, each.remedy) for each in faults]
        console.print(table(["línea", "columna", "valor", "motivo", "remedio"], shown, right=[0]))
    hidden = batch.rows_bad + batch.notices - len(faults)
    if hidden > 0:
        console.print(f"… y {hidden:,} más: GET /billing/imports/{batch.id}/faults")


def replay(
    service: Annotated[str | None, typer.Option(help="Solo este servicio.")] = None,
    key: Annotated[str | None, typer.Option(help="Solo los eventos de esta clave (el id del cliente).")] = None,
    discard: Annotated[bool, typer.Option(help="Descarta los eventos en vez de repetirlos.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Solo muestra qué está apartado y por qué.")] = False,
    data: DataOption = DATA,
) -> None:
    """Devuelve a la fila los eventos que quedaron apartados, en orden; el trabajador sigue con ellos."""
    names = [each.name for each in SERVICES if service in (None, each.name)]
    if not names:
        fail(f"No hay ningún servicio «{service}»; hay: {', '.join(each.name for each in SERVICES)}.")
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
