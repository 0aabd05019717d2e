"""Commands about the operator's documents: check, rules, schemas."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from services import checks
from services.cli.screen import console

FolderArgument = Annotated[Path, typer.Argument(help="La carpeta del operador.", metavar="OPERADOR")]


def check(folder: FolderArgument) -> None:
    """Revisa los documentos de un operador sin arrancar nada; cada error con archivo, línea y campo."""
    raise typer.Exit(checks.check_documents(folder, console))


def rules(folder: FolderArgument = Path("deploy/operators/vip_isp")) -> None:
    """Qué reglas prueba algún test; falla por una marcada como construida que ninguno prueba."""
    raise typer.Exit(checks.check_rules(folder, console))


def schemas(folder: Annotated[Path, typer.Argument(help="Adonde se escriben.", metavar="CARPETA")] = checks.SCHEMAS) -> None:
    """Escribe los JSON Schemas de los documentos del operador y de los mapeos, para editores."""
    names = checks.write_schemas(folder)
    console.print(f"Escritos en {escape(str(folder))}: {', '.join(names)}.")
