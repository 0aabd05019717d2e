"""The month from its first to its last chapter."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from services.demo import bank, cuts, ending, opening, returns, talks
from services.demo.background import LOG, Background
from services.demo.people import DemoFailed, People
from services.demo.story import Story
from services.installation import Installation, InstallationError
from shared.operator import load_operator

BEGINS = datetime(2026, 2, 28, 18, 30)  # noqa: DTZ001 - on the operator's clock, whose zone its files give
PERIOD = "2026-03"


@dataclass(frozen=True)
class Asked:
    """What `reconecta demo` was asked for. Without a book the operator's own sample is played, with its bank's file."""

    operator_folder: Path
    data: Path
    port: int
    book: Path | None
    mapping: Path | None


async def run_demo(asked: Asked, console: Console) -> None:
    """Play the month and leave the server running. Raises InstallationError."""
    began = time.monotonic()
    operator = load_operator(asked.operator_folder)
    books = operator.folder / "books"
    book, mapping = asked.book or books / "clientes.csv", asked.mapping or books / "clientes.mapping.yaml"
    if not (book.is_file() and mapping.is_file()):
        raise InstallationError(f"No hay ningún libro de clientes: faltan {book} o {mapping}.")
    data, start = asked.data.resolve(), BEGINS.replace(tzinfo=operator.zone)
    console.print(f"[bold]Reconecta[/] · {operator.name}: un mes con reloj de prueba. Datos nuevos en {asked.data}", highlight=False)
    running = Background(asked.operator_folder, data, asked.port, start).start_fresh()
    installation = Installation(data)
    async with People(operator, installation, running.address) as people:
        story = Story(people, operator, console, PERIOD, began)
        try:
            await opening.tell(story, book, mapping)
            deposits = await bank.deposits(story, books if asked.book is None else None)
            await talks.tell(story, deposits)
            await cuts.tell(story, deposits)
            await returns.tell(story, deposits)
            await ending.tell(story, running, data, installation.token(operator, None, ending.TOKEN_LIFETIME))
        except DemoFailed as failed:
            where = f"El servidor sigue en {running.address}; su registro: {data / LOG}"
            raise InstallationError(f"La demostración se detuvo: {failed} {where}") from None
