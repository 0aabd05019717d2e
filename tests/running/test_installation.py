"""A data folder on one machine: tokens, the lock, which clock it lives on, and what may be deleted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from services.cli import app
from services.demo.background import clear
from services.installation import Installation, InstallationError, administrator, business_start, given_databases, running_one
from shared.auth import Verifier, ensure_keys
from shared.clock import SimulatedClock
from shared.db import Database, execute
from tests.support.service import operator

START = datetime(2026, 3, 1, 6, tzinfo=UTC)


def test_a_token_is_one_of_the_operator_s_people(tmp_path: Path) -> None:
    text = Installation(tmp_path).token(operator(), "ana.martinez", timedelta(days=1))
    principal = Verifier([ensure_keys(tmp_path / "keys")[1]]).principal(text)
    assert (principal.person, principal.name, principal.desks) == ("ana.martinez", "Ana Martínez", frozenset({"cobros"}))


def test_a_stranger_gets_no_token_and_reads_who_there_is(tmp_path: Path) -> None:
    with pytest.raises(InstallationError, match="no conoce a «nadie»"):
        Installation(tmp_path).token(operator(), "nadie", timedelta(days=1))


def test_a_token_without_a_folder_is_of_the_one_house_that_runs(tmp_path: Path) -> None:
    one, other = tmp_path / "local", tmp_path / "demo"
    with pytest.raises(InstallationError, match=r"Ninguna instalación corre en .*local ni en .*demo\. Diga .* --data .*local"):
        running_one([one, other])
    for each in (one, other):
        ensure_keys(each / "keys")
    with pytest.raises(InstallationError, match=r"Detenidas hay: .*local, .*demo\. "):
        running_one([one, other])
    with Installation(other).alone(), Installation(other).announced("http://127.0.0.1:8099"):
        text = running_one([one, other]).token(operator(), "ana.martinez", timedelta(days=1))
        assert Verifier([ensure_keys(other / "keys")[1]]).principal(text).person == "ana.martinez"
        told = pytest.raises(InstallationError, match=r"Corren 2 instalaciones: .*8098.*8099.*--data .*local")
        with Installation(one).alone(), Installation(one).announced("http://127.0.0.1:8098"), told:
            running_one([one, other])


def test_the_first_token_is_of_whoever_may_most() -> None:
    assert administrator(operator()).person == "admin"


def test_one_folder_runs_one_house(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with installation.alone(), installation.announced("http://127.0.0.1:8099"):
        running = installation.running()
        assert running is not None
        assert running.address == "http://127.0.0.1:8099"
        with pytest.raises(InstallationError, match=r"ya corre en http://127.0.0.1:8099"), Installation(tmp_path).alone():
            pass
    assert installation.running() is None


def test_a_note_of_a_process_that_is_gone_is_not_believed(tmp_path: Path) -> None:
    with Installation(tmp_path).alone():
        pass
    (tmp_path / "running.json").write_text('{"pid": 1, "address": "http://127.0.0.1:8099"}')
    assert Installation(tmp_path).running() is None
    assert Installation(tmp_path).stop() is False


def test_all_five_databases_are_named_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert given_databases() == {}
    monkeypatch.setenv("BILLING_DATABASE_URL", "postgresql://billing@db/billing")
    with pytest.raises(InstallationError, match="Faltan COLLECTIONS_DATABASE_URL, TICKETING_DATABASE_URL"):
        given_databases()


async def test_an_installation_stays_on_its_clock(databases: dict[str, str]) -> None:
    assert await business_start(databases, None) is None
    assert await business_start(databases, START) == START
    database = Database(databases["billing"], service="billing")
    await SimulatedClock(database).set(START + timedelta(days=9))
    assert await business_start(databases, START) == START + timedelta(days=9)
    with pytest.raises(InstallationError, match="lleva un reloj de prueba"):
        await business_start(databases, None)
    async with database.transaction() as session:
        await execute(session, "DELETE FROM simulated_clock")
        await execute(
            session,
            "INSERT INTO audit_entry (id, at, recorded_at, person, name, desks, method, path, status) "
            "VALUES (gen_random_uuid(), now(), now(), 'ana', 'Ana', '{cobros}', 'POST', '/customers', 201)",
        )
    await database.close()
    with pytest.raises(InstallationError, match="ha vivido con el reloj real"):
        await business_start(databases, START)


def test_only_a_folder_of_ours_is_deleted(tmp_path: Path) -> None:
    other = tmp_path / "documentos"
    other.mkdir()
    (other / "tesis.txt").write_text("no se borra")
    with pytest.raises(InstallationError, match="no es una carpeta de datos"):
        clear(other)
    assert (other / "tesis.txt").exists()
    ours = tmp_path / "demo"
    ours.mkdir()
    (ours / "reconecta.lock").touch()
    clear(ours)
    assert not ours.exists()


def test_an_installation_makes_its_own_key_for_webhooks_and_keeps_the_older_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECONECTA_WEBHOOK_KEYS", raising=False)
    installation = Installation(tmp_path)

    def keys(service: str) -> list[str]:
        return installation.settings(service, "postgresql://x", operator(), simulated=True).webhook_keys

    [first] = keys("notifier")
    assert keys("notifier") == [first] and keys("billing") == [], "the others have nothing to close"
    path = tmp_path / "keys" / "webhooks.keys"
    assert path.stat().st_mode & 0o777 == 0o600
    ensure_keys(tmp_path / "keys")
    assert CliRunner().invoke(app, ["rekey", "--webhooks", "--data", str(tmp_path)]).exit_code == 0
    newest, older = keys("notifier")
    assert older == first and newest != first and path.stat().st_mode & 0o777 == 0o600
    given = Fernet.generate_key().decode()
    monkeypatch.setenv("RECONECTA_WEBHOOK_KEYS", f'["{given}"]')
    assert keys("notifier") == [given], "what the environment says rules"
