"""The command line: what it says, and with which code it ends. Errors are a line or two, never a traceback."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.wiring import events_of, service_of
from shared.db import Database, execute, new_id
from shared.settings import SERVICES
from tests.flows.books import MAPPING, book, residential, vip

CUSTOMER = UUID(int=7)
ACCOUNT = """
INSERT INTO account (id, external_source, external_id, name, search_name, contacts, services, nodes, delivery, monthly_amount, currency,
    is_isp, policy, status, status_since, status_rule, status_reason, version, registered_at)
VALUES ($1, 'crm', 'C-7', 'Hotel Copantl', 'hotel copantl', '[]', '[]', '{}', 'own', 400, 'USD',
    false, 'vip', 'active', now(), '', '', 0, now())
"""
MAIN = [sys.executable, "-m", "services.cli"]


def run(
    *arguments: str | Path, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `reconecta …` as people do."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_DATABASE_URL") and not name.startswith("RECONECTA_")}
    command = [*MAIN, *map(str, arguments)]
    kept["PYTHONPATH"] = str(Path.cwd())
    given = kept | dict(environment or {})
    return subprocess.run(command, env=given, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def addresses(databases: dict[str, str]) -> dict[str, str]:
    return {f"{name.upper()}_DATABASE_URL": url for name, url in databases.items()}


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    commands = ["up", "serve", "conductor", "demo", "down", "import", "replay", "token", "revoke", "rekey"]
    for name in [*commands, "check", "rules", "migrate", "schemas", "verify"]:
        assert f" {name} " in shown


@pytest.mark.parametrize(("before", "loaded"), [("", set()), ("services.wiring.service_of('noc')", {"noc"})])
def test_who_serves_one_service_loads_no_other(before: str, loaded: set[str]) -> None:
    """Most of a process's start is what it loads, and a command that serves none of them needs none."""
    code = (
        f"import sys, services.cli, services.wiring\n{before}\nprint(*(each.split('.')[1] for each in sys.modules if each.count('.') == 2))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert set(found.stdout.split()) & set(SERVICES) == loaded


def test_a_process_that_may_draw_ends_without_a_word_that_is_no_line_of_the_log() -> None:
    code = (
        "import sys\nsys.argv = ['reconecta', 'rules', 'deploy/operators/vip_isp']\nimport services.ticketing.adapters.pictures\n"
        "from services.cli.main import main\nmain()"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert found.stderr == ""


def test_what_others_listen_to_is_what_they_say_themselves() -> None:
    assert [events_of(name) is service_of(name).events for name in SERVICES] == [True] * 5


def test_an_instant_without_a_zone_is_a_wrong_call(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["up", "--data", str(tmp_path), "--clock", "2026-03-01T00:00"])
    assert result.exit_code == 2
    assert "2026-03-01T00:00-06:00" in result.output


def test_a_book_comes_in_with_a_report_of_its_bad_rows(addresses: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "libro.csv").write_text(book(vip("C-1", "Hotel Copantl"), residential("C-2", "Ana Paz").replace("39.90", "mucho")))
    (tmp_path / "mapa.yaml").write_text(MAPPING)
    arguments = ("import", "customers", tmp_path / "libro.csv", "--mapping", tmp_path / "mapa.yaml", "--data", tmp_path / "data")
    first = run(*arguments, environment=addresses | {"COLUMNS": "200"})
    assert first.returncode == 0, first.stderr
    assert "precio" in first.stdout and "mucho" in first.stdout
    again = run(*arguments, environment=addresses | {"COLUMNS": "200"})
    assert [line.split("│")[2].strip() for line in again.stdout.splitlines() if "sin cambio" in line] == ["1"]


def test_a_mapping_of_the_other_kind_is_told_in_a_line(addresses: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "libro.csv").write_text(book())
    (tmp_path / "mapa.yaml").write_text(MAPPING)
    result = run("import", "payments", tmp_path / "libro.csv", "--mapping", tmp_path / "mapa.yaml", environment=addresses)
    assert result.returncode == 1
    assert "use `reconecta import customers`" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_token_without_a_running_house_says_how_to_name_one(tmp_path: Path) -> None:
    documents = Path("deploy/operators/vip_isp").resolve()
    result = run("token", "ana.martinez", "--operator", documents, folder=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert "Ninguna instalación corre en data/local ni en data/demo" in result.stderr and "--data data/local" in result.stderr
    assert list(tmp_path.iterdir()) == []  # and makes no keys that nobody uses


def test_an_address_that_cannot_be_had_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    for host in ("300.1.1.1", "203.0.113.7"):
        result = run("up", "--host", host, "--data", tmp_path / "casa")
        assert result.returncode == 1
        assert result.stderr == f"Error: Esta máquina no tiene la dirección «{host}»: pruebe --host 127.0.0.1.\n"
        assert not (tmp_path / "casa" / "postgres").exists()


def test_a_service_without_its_database_says_which_variable_is_missing() -> None:
    result = run("serve", "api", "billing")
    assert result.returncode == 1
    assert "falta la variable BILLING_DATABASE_URL" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_service_is_answered_with_those_there_are() -> None:
    result = run("serve", "worker", "cobranza")
    assert result.returncode == 1
    assert "hay: billing, collections, ticketing, noc, notifier" in result.stderr


async def test_a_service_does_not_start_on_a_database_that_is_behind(postgres_url: str) -> None:
    # the server's own database has no migration of ours at all
    result = run("serve", "api", "noc", environment={"NOC_DATABASE_URL": postgres_url})
    assert result.returncode == 1
    assert "La base de datos de noc está atrasada" in result.stderr and "reconecta migrate" in result.stderr
    assert "Traceback" not in result.stderr


def test_replay_lists_what_is_set_aside(addresses: dict[str, str]) -> None:
    result = run("replay", "--list", "--service", "noc", environment=addresses)
    assert result.returncode == 0
    assert "noc: nada apartado" in result.stdout


def test_a_file_that_was_never_given_out_fails_the_verification(addresses: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "expediente.pdf"
    file.write_bytes(b"%PDF-1.7")
    result = run("verify", file, "--data", tmp_path / "data", environment=addresses)
    assert result.returncode == 1
    assert "No es ningún expediente que Red Sula Telecomunicaciones" in result.stdout
    assert hashlib.sha256(b"%PDF-1.7").hexdigest() in result.stdout


async def test_a_file_that_was_given_out_passes_it(databases: dict[str, str], addresses: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "expediente.pdf"
    file.write_bytes(b"%PDF-1.7 printed")
    given = "INSERT INTO dossier (id, customer_id, state, requested_by, requested_at, attempts, file, file_sha256, ready_at) VALUES "
    database = Database(databases["collections"], service="collections")
    async with database.transaction() as session:
        await execute(session, ACCOUNT, CUSTOMER)
        row = (new_id(), CUSTOMER, file.read_bytes(), hashlib.sha256(file.read_bytes()).hexdigest())
        await execute(session, f"{given}($1, $2, 'READY', 'marta.zelaya', now(), 0, $3, $4, '2026-04-02T14:00:00Z')", *row)
    await database.close()
    result = await asyncio.to_thread(run, "verify", file, "--data", tmp_path / "data", environment=addresses)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Es exactamente el expediente" in result.stdout and "a Marta Zelaya el jueves 2 de abril de 2026 a las 08:00" in result.stdout


def test_an_audit_of_an_empty_house_finds_nothing_and_one_of_a_stray_account_says_which(addresses: dict[str, str], tmp_path: Path) -> None:
    arguments = ("audit", "--data", tmp_path / "data")
    clean = run(*arguments, environment=addresses)
    assert (clean.returncode, clean.stdout.startswith("Todo se cumple")) == (0, True), clean.stdout + clean.stderr
    asyncio.run(_plant(addresses["COLLECTIONS_DATABASE_URL"]))
    wrong = run(*arguments, "--json", environment=addresses)
    assert wrong.returncode == 1, wrong.stderr
    found = json.loads(wrong.stdout)
    assert {each["sentence"] for each in found} >= {"los clientes de Cobros son los de Facturación"}
    assert all(str(CUSTOMER) in each["found"][0] for each in found)


async def _plant(address: str) -> None:
    database = Database(address, service="collections", pool_size=1)
    async with database.transaction() as session:
        await execute(session, ACCOUNT, CUSTOMER)
    await database.close()
