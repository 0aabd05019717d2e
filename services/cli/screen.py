"""What the command line shows: one console, tables of figures, errors in one line."""

from collections.abc import Iterable, Sequence
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def fail(message: str, code: int = 1) -> NoReturn:
    """End with an error that a person can mend."""
    errors.print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True)
    raise typer.Exit(code)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None, right: Iterable[int] = ()) -> Table:
    """A table; columns whose numbers are in `right` hold figures."""
    made = Table(*columns, title=title, title_justify="left", header_style="bold")
    for number in right:
        made.columns[number].justify = "right"
    for row in rows:
        made.add_row(*(escape("" if cell is None else str(cell)) for cell in row))
    return made
