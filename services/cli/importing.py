"""A file comes in: `reconecta import`, while a line says how far it is, and what became of its rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.billing.adapters.mapping_files import load_mapping
from services.billing.jobs.imports import run_file
from services.billing.models import ImportBatch, ImportFault
from services.billing.queries.imports import FAULTS, faults_of
from services.cli.screen import console, fail, table
from services.installation import Installation, InstallationError, business_now
from shared.db import Database
from shared.operator import load_operator

FAULTS_SHOWN = 50


async def bring(kind: Literal["customers", "payments"], file: Path, mapping_file: Path, folder: Path, data: Path) -> None:
    """Import the file into the installation at `data`, or into the databases of the environment. Raises InstallationError, MappingError
    and OperatorError."""
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
