"""Whose they are never shows: identity numbers, telephones, tokens and passwords go through the whole house and come out nowhere.

Markers are planted by every way in, everything that can fail is made to fail with them, and then all that the system wrote is searched:
logs, what was printed, PostgreSQL's own log, problems, dead letters, metrics, health, headers.
"""

import asyncio
import io
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy.engine import make_url

from services.local import House, open_house
from services.wiring import SERVICES
from shared import log
from shared.clock import SimulatedClock
from shared.db import execute, new_id, rows
from shared.discretion import masked, told, told_with_lines
from shared.settings import Settings
from tests.security.doors import NOBODY
from tests.support.service import client_of, keys, operator, token

GOLDEN = Path("tests/contracts/golden")
IDENTITY, PHONE, MAIL_PASSWORD = "0501-1987-043217", "+504 9988-7766", "ClaveDelCorreo77"
PHONE_PLAIN, IDENTITY_PLAIN = "50499887766", "05011987043217"
STOLEN = token("admin") + "x"
PENDING = (
    "INSERT INTO inbox_pending (event_id, sender, type, subject, sequence, key, occurred_at, data) "
    "VALUES ($1, 'billing', $2, $3, 1, $4, $5, $6)"
)


@dataclass
class Written:
    """All that came out."""

    house: House
    stream: io.StringIO
    answers: list[str] = field(default_factory=list)

    async def ask(self, client: httpx.AsyncClient, method: str, url: str, **request: Any) -> httpx.Response:
        """Ask, and keep what was answered with its headers."""
        answer = await client.request(method, url, **request)
        self.answers.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")
        return answer


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    found = io.StringIO()
    log.configure("INFO", found)
    yield found
    log.configure("WARNING")


@asynccontextmanager
async def house_with(databases: dict[str, str], folder: Path, stream: io.StringIO) -> AsyncIterator[Written]:
    """Five services whose mail server does not answer."""
    smtp = f"smtp://cobros:{MAIL_PASSWORD}@127.0.0.1:9?timeout=1"
    settings = {
        name: Settings(
            service=name, database_url=url, operator_folder=operator().folder, data_folder=folder, smtp_url=smtp, clock="simulated",
            network="simulated", token_public_keys=[keys()[1]],
        )
        for name, url in databases.items()
    }  # fmt: skip
    async with open_house(operator(), settings, datetime.fromisoformat("2026-03-01T00:00-06:00")) as house:
        written = Written(house, stream)
        try:
            yield written
        finally:  # others get these databases next
            for service in ("billing", "notifier"):
                await sql(written, service, "ALTER TABLE customer DROP CONSTRAINT IF EXISTS short")


def customer(**changes: Any) -> dict[str, Any]:
    contact = {"name": "Norma Oliva", "role": "administrativo", "email": "norma@cafeteria.example", "phone": PHONE}
    service = {
        "code": "internet", "plan_code": "negocio_100", "delivery": "own", "access_node": "SPS-NORTE-OLT2", "active_from": "2026-03-01",
        "network_login": f"login-{IDENTITY_PLAIN}",
    }  # fmt: skip
    found = {"external_source": "crm", "external_id": "C-1", "name": "Cafetería", "tax_id": IDENTITY, "contacts": [contact]}
    return found | {"services": [service]} | changes


async def sql(written: Written, service: str, statement: str, *args: Any) -> None:
    async with written.house.runtimes[service].database.transaction() as session:
        await execute(session, statement, *args)


async def arrive(written: Written, service: str, kind: str, key: str, data: dict[str, Any] | str) -> None:
    """An event stands before the service's inbox."""
    clock = written.house.runtimes[service].clock
    assert isinstance(clock, SimulatedClock)
    text = data if isinstance(data, str) else json.dumps(data)
    await sql(written, service, PENDING, new_id(), kind, f"customer/{key}", key, await clock.now(), text)
    written.house.runtimes[service].database.wakeup.ring()


def registered(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / "billing.customer_registered.v1.json").read_text())["data"]
    return found | {"customer_id": str(new_id()), "tax_id": IDENTITY, "external_id": str(new_id())} | changes


async def requests_that_fail(written: Written, admin: httpx.AsyncClient) -> None:
    good = await written.ask(admin, "POST", "/billing/customers", json=customer())
    assert good.status_code == 201, good.text
    written.answers.clear()  # whoever may read a customer is shown it
    again = await written.ask(admin, "POST", "/billing/customers", json=customer())
    assert again.status_code == 409
    for body in (
        customer(external_id={"x": IDENTITY}),
        customer(tax_id=[IDENTITY, PHONE]),
        customer(identidad=IDENTITY, contacts=[{"name": "N", "phone": PHONE, "role": IDENTITY * 30}]),
        customer(monthly_amount=IDENTITY, services=[{"code": IDENTITY, "active_from": PHONE}]),
    ):
        assert (await written.ask(admin, "POST", "/billing/customers", json=body)).status_code == 422
    assert (await written.ask(admin, "POST", "/billing/customers", content=f'{{"tax_id": "{IDENTITY}", ')).status_code in {400, 422}
    assert (await written.ask(admin, "GET", "/billing/customers", params={"token": STOLEN, "dni": IDENTITY})).status_code == 422
    assert (await written.ask(admin, "GET", f"/billing/customers/{IDENTITY}")).status_code == 422
    for bearer in (STOLEN, "x" + STOLEN):
        answer = await written.ask(admin, "GET", "/billing/customers", headers={"authorization": f"Bearer {bearer}"})
        assert answer.status_code == 401
    await sql(written, "billing", "ALTER TABLE customer ADD CONSTRAINT short CHECK (length(name) < 12) NOT VALID")
    broken = await written.ask(admin, "POST", "/billing/customers", json=customer(external_id="C-2", name="Cafetería de nombre largo"))
    assert broken.status_code == 500, "PostgreSQL tells the whole row"


async def a_file_that_fails(written: Written, admin: httpx.AsyncClient) -> None:
    """Its faults are shown to whoever may import; the log says nothing of them."""
    header = (operator().folder / "books/clientes.csv").read_text().splitlines()[1]
    row = f"C-9;Cafetería de nombre muy largo;{IDENTITY};;;Norma;no-es-correo-{IDENTITY};{PHONE};;;;;;CT-9;{PHONE};" + ";" * 22
    content = f"{header}\n{row}\n".encode()
    answer = await admin.post("/billing/imports", files={"file": ("b.csv", content)}, data={"mapping": "clientes"})
    assert answer.status_code == 202, answer.text
    while (await admin.get(answer.headers["location"])).json()["state"] not in {"DONE", "FAILED"}:
        await asyncio.sleep(0.05)


async def events_that_fail(written: Written, admin: httpx.AsyncClient) -> list[str]:
    """For one service that keeps customers: not JSON, not of the type, refused by the database, and one that no driver can send."""
    name = "billing.customer_registered.v1"
    await sql(written, "notifier", "ALTER TABLE customer ADD CONSTRAINT short CHECK (length(name) < 12) NOT VALID")
    bodies: list[dict[str, Any] | str] = [
        f'{{"tax_id": "{IDENTITY}", ',
        registered(contract_start=IDENTITY, contacts=[{"name": "N", "role": PHONE, "phone": {"x": PHONE}}]),
        registered(name=f"Cafetería de {IDENTITY}", contacts=[{"name": "N", "role": "r", "email": "", "phone": PHONE}]),
    ]
    dead = [str(new_id()) for _ in bodies]
    for key, body in zip(dead, bodies, strict=True):
        await arrive(written, "notifier", name, key, body if isinstance(body, str) else body | {"customer_id": key})
    for _ in range(400):
        found = await admin.get("/notifier/dead-letters", params={"limit": 200})
        if {each["key"] for each in found.json()["items"]} >= set(dead):
            break
        await asyncio.sleep(0.05)
    listing = await written.ask(admin, "GET", "/notifier/dead-letters")
    details = {each["key"]: each["detail"] for each in listing.json()["items"]}
    assert set(details) >= set(dead), "all of them are set aside"
    return [details[each] for each in dead]


async def test_no_marker_comes_out_anywhere(
    databases: dict[str, str], tmp_path: Path, stream: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    async with house_with(databases, tmp_path, stream) as written, client_of(written.house.app, "admin") as admin:
        await requests_that_fail(written, admin)
        await a_file_that_fails(written, admin)
        details = await events_that_fail(written, admin)
        for service in SERVICES:
            for place in ("metrics", "health/ready", "health/live", "openapi.json"):
                assert (await written.ask(admin, "GET", f"/{service.name}/{place}")).status_code == 200
        assert written.house.conductor is not None
        await asyncio.sleep(0.2)
    printed = capfd.readouterr()
    everything = [*written.answers, stream.getvalue(), printed.out, printed.err, *server_logs()]
    secrets = {IDENTITY, IDENTITY_PLAIN, PHONE, PHONE.replace(" ", ""), PHONE_PLAIN, PHONE[5:], MAIL_PASSWORD, STOLEN, STOLEN.split(".")[2]}
    secrets |= {str(make_url(url).password) for url in databases.values() if make_url(url).password}
    for secret in secrets:
        for text in everything:
            assert secret not in text, f"{secret} in …{text[max(0, text.find(secret) - 400) : text.find(secret) + 80]}…"
    assert any("23514" in each and "short" in each for each in details), f"what helps is told: {details}"
    assert "request failed" in stream.getvalue() and "CheckViolation" in stream.getvalue()


def server_logs() -> list[str]:
    """What the embedded PostgreSQL of this session wrote; nothing where the tests use another one."""
    folder = os.environ.get("RECONECTA_TEST_SERVER")
    return [path.read_text(errors="replace") for path in Path(folder).rglob("postgres.log")] if folder else []


async def test_the_search_would_find_a_marker(databases: dict[str, str], tmp_path: Path, stream: io.StringIO) -> None:
    """A test that greps what nobody wrote proves nothing."""
    async with house_with(databases, tmp_path, stream) as written, client_of(written.house.app, "admin") as admin:
        made = await written.ask(admin, "POST", "/billing/customers", json=customer())
        shown = await written.ask(admin, "GET", f"/billing/customers/{UUID(made.json()['id'])}")
    assert IDENTITY in shown.text and IDENTITY in written.answers[-1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"la identidad {IDENTITY} ya existe", "la identidad … ya existe"),
        (f"llame al {PHONE} o al 9988-7766x", "llame al … o al …x"),
        (f"Bearer {STOLEN} no", "Bearer … no"),
        ("smtp://cobros:secreta@mail.example:25", "…mail.example:25"),
        ("550 <ana@red.example> unknown", "550 <…> unknown"),
        ("invalid literal for int(): '05-01'", "invalid literal for int(): …"),
        (f"factura {NOBODY} del 2026-03-28T06:00:00", f"factura {NOBODY} del 2026-03-28T06:00:00"),
        ("faltan 3 filas de 303 en 2026-03", "faltan 3 filas de 303 en 2026-03"),
    ],
)  # fmt: skip
def test_what_is_left_out_of_a_text(text: str, shown: str) -> None:
    assert masked(text) == shown


async def test_what_is_told_of_an_error_of_the_database(databases: dict[str, str], tmp_path: Path, stream: io.StringIO) -> None:
    async with house_with(databases, tmp_path, stream) as written:
        database = written.house.runtimes["billing"].database
        for statement in (
            "SELECT $1::int + 1",  # the driver itself refuses
            "SELECT ($1::text)::int",
            "INSERT INTO lease (name, holder, epoch, expires_at) SELECT $1, 'x', 1, now() FROM generate_series(1, 2)",
        ):
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as refused:
                async with database.transaction() as session:
                    await rows(session, statement, IDENTITY)
            assert IDENTITY in f"{refused.value} {getattr(refused.value, 'detail', '')}", "it holds the value"
            assert IDENTITY not in told(refused.value) + told_with_lines(refused.value)
