"""The commands by name, and how whatever goes wrong is told in a few words."""

import sys

import typer

from services.cli import access, auditing, data, documents, dossiers, running
from services.cli.screen import errors
from shared.errors import Mendable, Problem
from shared.log import configure
from shared.loop import ending

app = typer.Typer(
    name="reconecta",
    help="Reconecta: facturación, cobros, suspensiones y reconexiones de un operador.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(running.up)
app.command("serve")(running.serve)
app.command("conductor")(running.conductor)
app.command("demo")(running.demo)
app.command("down")(running.down)
app.add_typer(data.imports, name="import")
app.command("replay")(data.replay)
app.command("token")(access.token)
app.command("revoke")(access.revoke)
app.command("rekey")(access.rekey)
app.command("migrate")(data.migrate_databases)
app.command("audit")(auditing.audit)
app.command("verify")(dossiers.verify)
app.command("check")(documents.check)
app.command("rules")(documents.rules)
app.add_typer(documents.notices, name="notice")
app.command("schemas")(documents.schemas)


def main() -> None:
    """Run a command; an error that a person can mend is one message, not a traceback."""
    configure("WARNING")
    try:
        app()
    except Mendable as error:
        errors.print(f"Error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except Problem as problem:
        errors.print(f"Error: {problem.detail} {problem.remedy or ''}".rstrip(), style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        errors.print(f"Error: {what}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    finally:
        ending()
