"""Commands about dossiers: verify."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from services.cli.running import DATA, OPERATOR, DataOption, OperatorOption
from services.cli.screen import console
from services.installation import Installation
from shared.db import Database
from shared.operator import load_operator

if TYPE_CHECKING:
    from services.collections.rules.dossier import FileVerdict

FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="El archivo PDF.", metavar="ARCHIVO")]


def verify(file: FileArgument, operator: OperatorOption = OPERATOR, data: DataOption = DATA) -> None:
    """Dice si un archivo es, hasta el último byte, un expediente que se entregó: para quién y cuándo. Falla si no lo es."""
    documents = load_operator(operator)
    verdict = asyncio.run(_verify(file.read_bytes(), data))
    color = "green" if verdict.genuine else "red"
    console.print(f"[{color}]{escape(verdict.said(documents))}[/]", soft_wrap=True)
    console.print(f"SHA-256: {verdict.sha256}", soft_wrap=True)
    raise typer.Exit(0 if verdict.genuine else 1)


async def _verify(file: bytes, data: Path) -> "FileVerdict":
    from services.collections.queries.dossiers import verify as verify_file  # collections is loaded by who asks it

    async with Installation(data.resolve()).databases() as urls:
        database = Database(urls["collections"], service="collections", pool_size=1)
        try:
            async with database.transaction() as session:
                return await verify_file(session, file)
        finally:
            await database.close()
