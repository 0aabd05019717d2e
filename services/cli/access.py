"""Commands about who gets in: token, revoke, rekey."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from services.cli.running import DATA, OPERATOR, OperatorOption
from services.cli.screen import console, fail
from services.installation import DEMO_DATA, Installation, running_one
from shared.auth import rotate_keys, token_id
from shared.clock import machine_now
from shared.operator import load_operator
from shared.revocation import revoke as write_down
from shared.sealing import FILE, add_key
from shared.settings import REVOKED

InstallationOption = Annotated[Path | None, typer.Option("--data", help="La carpeta de datos; sin ella, la instalación que corre.")]


def token(
    person: Annotated[str, typer.Argument(help="Quién: un nombre de operator.yaml.", metavar="PERSONA")],
    days: Annotated[int, typer.Option(min=1, max=365, help="Cuántos días vale.")] = 1,
    operator: OperatorOption = OPERATOR,
    data: InstallationOption = None,
) -> None:
    """Da un token de una persona del operador, firmado con la clave de la instalación: la de --data, o la única que corre."""
    documents = load_operator(operator)
    typer.echo(_installation(data).token(documents, person, timedelta(days=days)))


def revoke(
    person: Annotated[str | None, typer.Argument(help="Sus tokens emitidos hasta ahora dejan de valer.", metavar="PERSONA")] = None,
    text: Annotated[str | None, typer.Option("--token", help="Un solo token: su texto, o su identificador (jti).")] = None,
    data: InstallationOption = None,
) -> None:
    """Anula los tokens de una persona, o uno solo; en segundos ningún servicio lo acepta. Los que se emitan después valen."""
    if (person is None) == (text is None):
        fail("Diga de quién son los tokens, o cuál es con --token.", 2)
    try:
        single = token_id(text) if text and "." in text else text
    except ValueError:
        fail("Ese texto no es un token.", 2)
    file = _revocations(data)
    try:
        write_down(file, machine_now(), person=person, token_id=single)
    except ValueError as error:
        fail(str(error))
    console.print(f"Anotado en {file}: {f'los tokens de {person} emitidos hasta ahora no valen' if person else 'ese token no vale'}.")


def rekey(
    data: InstallationOption = None,
    webhooks: Annotated[
        bool, typer.Option("--webhooks", help="La clave que guarda los secretos de los webhooks, en vez de la que firma.")
    ] = False,
) -> None:
    """Cambia la clave que firma. Los tokens de la anterior valen hasta que vencen; quien ya corre conoce la nueva al arrancar otra vez."""
    keys = _installation(data).data / "keys"
    if not (keys / "token.private.jwk").exists():
        fail(f"En {keys} no hay ninguna clave: nombre la instalación con --data.")
    if webhooks:
        add_key(keys)
        console.print(
            f"Clave nueva en la primera línea de {keys / FILE}. Reinicie: los secretos pasan a ella; después borre las otras líneas."
        )
        return
    rotate_keys(keys)
    console.print(f"Clave nueva en {keys}. Reinicie los servicios; para que la anterior deje de valer, borre token.public.<…>.jwk.")


def _installation(data: Path | None) -> Installation:
    return Installation(data.resolve()) if data is not None else running_one([DATA, DEMO_DATA])


def _revocations(data: Path | None) -> Path:
    """The file that the processes read: where their environment says, else the installation's."""
    if data is None and (named := os.environ.get("RECONECTA_REVOCATIONS")):
        return Path(named)
    if data is None and (folder := os.environ.get("RECONECTA_DATA_FOLDER")):
        return Path(folder) / REVOKED
    return _installation(data).revocations
