"""A token ends when it expires, when its person's are revoked, or when it is revoked itself: in every service, within seconds."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.installation import Installation
from services.wiring import SERVICES
from shared import auth
from shared.auth import Verifier, ensure_keys, issue, public_keys, rotate_keys, token_id
from shared.clock import machine_now
from shared.errors import Unauthorized, Unavailable
from shared.revocation import LONGEST_TOKEN, Revocations, read, revoke
from tests.security.doors import whole_house
from tests.support.processes import open_processes
from tests.support.service import operator, token

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
READS = {
    "billing": "/billing/customers",
    "collections": "/collections/customers",
    "ticketing": "/ticketing/tickets",
    "noc": "/noc/outages",
    "notifier": "/notifier/messages",
}
PATIENCE = 10.0


@pytest.fixture
async def house(databases: dict[str, str], tmp_path: Path) -> AsyncIterator[FastAPI]:
    async with whole_house(databases, START, data_folder=tmp_path) as app:
        yield app


async def answers(client: httpx.AsyncClient, bearer: str) -> dict[str, int]:
    """What each service says to this token."""
    headers = {"authorization": f"Bearer {bearer}"}
    return {name: (await client.get(path, headers=headers)).status_code for name, path in READS.items()}


async def within_seconds(client: httpx.AsyncClient, bearer: str, expected: int) -> float:
    """How long until all five services say so."""
    begun = asyncio.get_running_loop().time()
    while set((await answers(client, bearer)).values()) != {expected}:
        assert asyncio.get_running_loop().time() - begun < PATIENCE
        await asyncio.sleep(0.1)
    return asyncio.get_running_loop().time() - begun


def test_every_service_is_asked() -> None:
    assert set(READS) == {each.name for each in SERVICES}


async def test_a_revoked_person_is_out_of_every_service_and_may_come_back_with_a_new_token(house: FastAPI, tmp_path: Path) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url="http://reconecta", timeout=60) as client:
        stolen, colleague = token("admin"), token("alguien", ["sistemas"])
        assert set((await answers(client, stolen)).values()) == {200}
        revoke(tmp_path / "revoked.json", machine_now(), person="admin")
        await within_seconds(client, stolen, 401)
        answer = await client.post("/billing/payments", json={}, headers={"authorization": f"Bearer {stolen}", "idempotency-key": "k"})
        assert (answer.status_code, answer.json()["detail"]) == (401, "Esta credencial fue revocada.")
        assert (await client.get("/simulation/clock", headers={"authorization": f"Bearer {stolen}"})).status_code == 401
        assert set((await answers(client, colleague)).values()) == {200}, "nobody else is touched"
        await asyncio.sleep(1.1)  # a token of the very second is out, too
        assert set((await answers(client, token("admin"))).values()) == {200}


async def test_one_token_is_revoked_and_its_person_goes_on_with_another(house: FastAPI, tmp_path: Path) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url="http://reconecta", timeout=60) as client:
        lost, other = token("admin"), token("admin")
        assert set((await answers(client, lost)).values()) == {200}
        revoke(tmp_path / "revoked.json", machine_now(), token_id=token_id(lost))
        await within_seconds(client, lost, 401)
        assert set((await answers(client, other)).values()) == {200}


@pytest.mark.slow
async def test_ten_processes_let_a_revoked_person_in_no_more(databases: dict[str, str], tmp_path: Path) -> None:
    async with open_processes(databases, tmp_path, kafka_bootstrap=None) as house:
        client, bearer = house.as_("admin"), token("admin")
        assert set((await answers(client, bearer)).values()) == {200}
        environment = dict(house.processes["api billing"].environment)
        command = [sys.executable, "-m", "services.cli", "revoke", "admin"]
        done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert await within_seconds(client, bearer, 401) < PATIENCE
        for name, process in house.processes.items():
            place = "/simulation/clock" if name == "conductor" else f"/{name.split()[1]}/metrics"
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}", trust_env=False) as direct:
                answer = await direct.get(place, headers={"authorization": f"Bearer {bearer}"})
            assert answer.status_code == 401, name


def test_what_was_revoked_stays_so_when_the_file_vanishes_or_is_spoilt(tmp_path: Path) -> None:
    file, now = tmp_path / "revoked.json", datetime.now(UTC)
    known = Revocations(file)
    assert not known.holds("ana", "t", now)
    revoke(file, now, person="ana")
    known._look_at = 0
    assert known.holds("ana", "t", now) and not known.holds("ana", "t", now + timedelta(seconds=1)) and not known.holds("eva", "t", now)
    for spoil in (lambda: file.write_text('{"people": 7}'), lambda: file.write_text("{"), file.unlink):
        spoil()
        known._look_at = 0
        assert known.holds("ana", "t", now)


def test_a_file_that_could_never_be_read_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "revoked.json").write_text("people: ana")
    private, public = ensure_keys(tmp_path / "keys")
    text = issue(private, person="ana", name="Ana", desks=[], lifetime=timedelta(hours=1))
    with pytest.raises(Unavailable):
        Verifier([public], Revocations(tmp_path / "revoked.json")).principal(text)


def test_the_file_forgets_what_could_no_longer_be_good(tmp_path: Path) -> None:
    file, now = tmp_path / "revoked.json", datetime.now(UTC)
    revoke(file, now - LONGEST_TOKEN - timedelta(days=1), person="ana", token_id="t1")
    revoke(file, now, person="eva", token_id="t2")
    assert (set(read(file).people), set(read(file).tokens)) == ({"eva"}, {"t2"})


def test_a_token_that_is_not_good_yet_or_of_another_issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private, public = ensure_keys(tmp_path)
    later = machine_now() + timedelta(minutes=10)
    with monkeypatch.context() as patched:
        patched.setattr(auth, "machine_now", lambda: later)
        early = issue(private, person="ana", name="Ana", desks=[], lifetime=timedelta(hours=1))
        assert Verifier([public]).principal(early).person == "ana"
    with pytest.raises(Unauthorized):
        Verifier([public]).principal(early)


def test_a_known_token_expires_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private, public = ensure_keys(tmp_path)
    verifier = Verifier([public])
    text = issue(private, person="ana", name="Ana", desks=[], lifetime=timedelta(minutes=5))
    assert verifier.principal(text).person == "ana"
    later = machine_now() + timedelta(minutes=6)
    monkeypatch.setattr(auth, "machine_now", lambda: later)
    with pytest.raises(Unauthorized):
        verifier.principal(text)


def test_an_installation_changes_its_key_and_believes_both(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    old = installation.token(operator(), "ana.martinez", timedelta(hours=1))
    rotate_keys(tmp_path / "keys")
    new = installation.token(operator(), "ana.martinez", timedelta(hours=1))
    settings = installation.settings("billing", "postgresql://x@localhost/x", operator(), simulated=False)
    assert len(settings.token_public_keys) == 2 == len(public_keys(tmp_path / "keys"))
    for text in (old, new):
        assert Verifier(settings.token_public_keys).principal(text).person == "ana.martinez"
    with pytest.raises(Unauthorized):
        Verifier(settings.token_public_keys[:1]).principal(old)
