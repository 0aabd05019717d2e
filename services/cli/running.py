"""Commands that start and stop things: up, serve, conductor, demo, down."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from services.cli.screen import console, fail
from services.installation import DEMO_DATA, Installation
from services.local import House
from services.serve import Listening, run_conductor, run_service
from services.up import Up, run_house
from shared.loop import run

OPERATOR = Path("deploy/operators/vip_isp")
DATA = Path("data/local")
OperatorOption = Annotated[Path, typer.Option("--operator", help="La carpeta del operador.")]
DataOption = Annotated[Path, typer.Option("--data", help="La carpeta de datos.")]


def up(
    operator: OperatorOption = OPERATOR,
    data: DataOption = DATA,
    port: Annotated[int, typer.Option(help="El puerto, o el siguiente que esté libre.", min=0, max=65535)] = 8080,
    host: Annotated[str, typer.Option(help="La dirección en la que escucha.")] = "127.0.0.1",
    clock: Annotated[str | None, typer.Option(help="Reloj de prueba que empieza en este instante: 2026-03-01T00:00-06:00")] = None,
) -> None:
    """Corre los cinco servicios en una dirección, con su propio PostgreSQL, hasta Ctrl-C."""
    start = _instant(clock) if clock else None
    run(run_house(Up(operator, data, host, port, start), partial(_tell, data)))


def _tell(data: Path, house: House, address: str, token: str) -> None:
    console.print(f"\n[bold]Reconecta[/] · {escape(house.operator.name)} responde en [bold]{address}[/]")
    for name in house.runtimes:
        console.print(f"  {address}/{name}/docs")
    settings = next(iter(house.runtimes.values())).settings
    if settings.maildir is not None:
        console.print(f"Correos: {escape(str(settings.maildir))} (Maildir) · red: adaptador «{settings.network}»")
    if house.conductor is not None:
        console.print(f"Reloj de prueba: POST {address}/simulation/clock")
    others = f"reconecta token PERSONA --data {data}"
    console.print(f"Token (7 días), para «Authorization: Bearer …»; otros con `{escape(others)}`:", soft_wrap=True)
    console.print(token, soft_wrap=True)
    console.print("Ctrl-C lo detiene.")


def serve(
    role: Annotated[str, typer.Argument(help="api o worker", metavar="api|worker")],
    service: Annotated[str, typer.Argument(help="billing, collections, ticketing, noc o notifier")],
    host: Annotated[str, typer.Option(help="La dirección en la que escucha.")] = "0.0.0.0",  # noqa: S104 - a container's own network
    port: Annotated[int, typer.Option(help="El puerto.", min=0, max=65535)] = 8000,
) -> None:
    """Corre un solo servicio en este proceso (su API o su trabajador), con lo que dice el entorno."""
    roles: dict[str, Literal["api", "worker"]] = {"api": "api", "worker": "worker"}
    if role not in roles:
        fail("El primer argumento es api o worker.", 2)
    run(run_service(roles[role], service, Listening(host, port), _answers(f"{service} ({role})")))


def conductor(
    host: Annotated[str, typer.Option(help="La dirección en la que escucha.")] = "0.0.0.0",  # noqa: S104 - a container's own network
    port: Annotated[int, typer.Option(help="El puerto.", min=0, max=65535)] = 8000,
    start: Annotated[str | None, typer.Option(help="Donde empieza el tiempo: 2026-03-01T00:00-06:00")] = None,
) -> None:
    """Mueve el reloj de prueba de servicios que corren en otros procesos."""
    begin = _instant(start) if start else None
    run(run_conductor(Listening(host, port), begin, _answers("reloj")))


def demo(
    operator: OperatorOption = OPERATOR,
    data: DataOption = DEMO_DATA,
    book: Annotated[Path | None, typer.Option(help="Otro libro de clientes (CSV).")] = None,
    mapping: Annotated[Path | None, typer.Option(help="El mapeo de ese libro.")] = None,
    port: Annotated[int, typer.Option(help="El puerto, o el siguiente que esté libre.", min=0, max=65535)] = 8080,
) -> None:
    """Importa un libro de clientes, juega un mes con reloj de prueba y deja el sistema corriendo."""
    from services.demo import Asked, run_demo  # nobody else needs a demo's bank and people

    if (book is None) != (mapping is None):
        fail("--book y --mapping van juntos.", 2)
    run(run_demo(Asked(operator, data, port, book, mapping), console))


def down(data: DataOption = DEMO_DATA) -> None:
    """Detiene lo que `reconecta demo` dejó corriendo (o lo que corre con --data)."""
    stopped = Installation(data.resolve()).stop()
    console.print("Detenido." if stopped else f"Nada corre en {escape(str(data))}.")


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        fail(f"«{text}» no es un instante: escriba por ejemplo 2026-03-01T00:00-06:00", 2)
    if found.tzinfo is None:
        fail(f"A «{text}» le falta la zona horaria: escriba por ejemplo {found.isoformat(timespec='minutes')}-06:00", 2)
    return found


def _answers(what: str) -> Callable[[str], None]:
    return lambda address: console.print(f"{what} responde en {address}")
