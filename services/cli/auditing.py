"""Commands that look whether all is well: audit."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from services.auditing import COPIES, Wrong
from services.auditing import audit as look
from services.cli.running import DATA, OPERATOR, DataOption, OperatorOption
from services.cli.screen import console
from services.installation import Installation
from shared.operator import Operator, load_operator


def audit(
    operator: OperatorOption = OPERATOR,
    data: DataOption = DATA,
    as_json: Annotated[bool, typer.Option("--json", help="Lo hallado, para programas.")] = False,
) -> None:
    """Revisa las cinco bases: saldos, numeración, causas y avisos de cada suspensión, rastros, y que lo copiado concuerde. Falla si algo no
    se cumple, y dice dónde; no cambia nada."""
    found = asyncio.run(_audit(load_operator(operator), data))
    if as_json:
        told = [
            {"where": each.where, "sentence": each.broken.sentence, "count": each.broken.count, "found": list(each.broken.found)}
            for each in found
        ]
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _tell(found)
    raise typer.Exit(1 if found else 0)


async def _audit(operator: Operator, data: Path) -> list[Wrong]:
    async with Installation(data.resolve()).databases() as addresses:
        return await look(addresses, operator)


def _tell(found: Sequence[Wrong]) -> None:
    for each in found:
        said = f"{escape(each.broken.sentence)} ({each.broken.count})"
        console.print(f"[red]No se cumple[/] en {escape(each.where)}: {said}", soft_wrap=True)
        for key in each.broken.found:
            console.print(f"  {escape(key)}", soft_wrap=True)
    if not found:
        console.print(f"[green]Todo se cumple[/] en las cinco bases y en las {len(COPIES)} copias que un servicio lleva de otro.")
