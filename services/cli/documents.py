"""Commands about the operator's documents: check, rules, schemas, and how a notice looks."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from services.cli.screen import console, fail
from shared.clock import machine_now
from shared.errors import nearest
from shared.operator import load_operator

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
notices = typer.Typer(help="Los avisos de un operador.", no_args_is_help=True)
FolderArgument = Annotated[Path, typer.Argument(help="La carpeta del operador.", metavar="OPERADOR")]


def check(folder: FolderArgument) -> None:
    """Revisa los documentos de un operador sin arrancar nada; cada error con archivo, línea y campo."""
    from services import checks  # with billing, for the mappings

    raise typer.Exit(checks.check_documents(folder, console))


def rules(folder: FolderArgument = Path("deploy/operators/vip_isp")) -> None:
    """Qué reglas prueba algún test; falla por una marcada como construida que ninguno prueba."""
    from services import checks

    raise typer.Exit(checks.check_rules(folder, console))


@notices.command("preview")
def preview(
    code: Annotated[str, typer.Argument(help="El código del aviso; «todos» los escribe todos.", metavar="AVISO")],
    folder: Annotated[Path, typer.Option("--operator", help="La carpeta del operador.")] = Path("deploy/operators/vip_isp"),
    to: Annotated[Path, typer.Option("--to", help="Adonde se escriben.", metavar="CARPETA")] = Path("avisos"),
) -> None:
    """Escribe un aviso como se vería, en HTML y en texto, con datos inventados; no envía ni abre nada."""
    from services.notifier.adapters.mails import preview_of

    operator = load_operator(folder)
    if code != "todos" and code not in operator.notices:
        fail(f"no existe el aviso «{code}»{nearest(code, operator.notices)}")
    to.mkdir(parents=True, exist_ok=True)
    for each in sorted(operator.notices) if code == "todos" else [code]:
        rendered = preview_of(operator, operator.notices[each], machine_now())
        (to / f"{each}.html").write_text(rendered.html, encoding="utf-8")
        (to / f"{each}.txt").write_text(f"{rendered.subject}\n\n{rendered.text}", encoding="utf-8")
        console.print(f"{escape(str(to / each))}.html · {escape(rendered.subject)}")


def schemas(folder: Annotated[Path, typer.Argument(help="Adonde se escriben.", metavar="CARPETA")] = SCHEMAS) -> None:
    """Escribe los JSON Schemas de los documentos del operador y de los mapeos, para editores."""
    from services import checks

    names = checks.write_schemas(folder)
    console.print(f"Escritos en {escape(str(folder))}: {', '.join(names)}.")
