"""P13: from the answer to a payment to the reconnect order at the network port, while 5 % of the access nodes are dead."""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx

from services.installation import Installation
from shared.db import new_id
from shared.settings import SERVICES
from tests.bench.p11_idle import PORT, down, up
from tests.bench.runner import Bench, Goal, Measure
from tests.support.service import operator

NODES, DEAD = 100, 5
RATES = {50: 20.0, 100: 20.0, 300: 10.0}  # payments a second, for so many seconds
CONNECTIONS = 32
DEAD_MS = 60_000  # longer than any call waits
GIVE_UP_SECONDS = 120.0
MAPPING = """
source: crm
dates: ["%Y-%m-%d"]
as_of: {today}
customer: {{external_id: codigo, name: nombre}}
contract: {{start: {{constant: 2024-01-01}}}}
contacts:
  - {{role: {{constant: administrativo}}, name: nombre, email: correo}}
services:
  - {{code: {{constant: internet}}, plan: {{constant: hogar_50}}, amount: {{constant: "39.90"}}, login: codigo, node: nodo}}
opening:
  status: {{constant: SUSPENDIDO POR MORA}}
  last_billed: facturado
  invoices: [{{number: factura, issue_date: emitida, due_date: vence, amount: total, balance: total}}]
"""
SETTLED = (
    "SELECT NOT EXISTS (SELECT 1 FROM outbox) AND NOT EXISTS (SELECT 1 FROM inbox_pending) AND NOT EXISTS (SELECT 1 FROM parked_event)"
)
DEAD_PLAN = "INSERT INTO simulated_plan (login, answers, used, slow_ms) SELECT unnest($1::text[]), 'unknown', 0, $2"
# The first call for each login; what is dead is left out.
CALLS = """SELECT c.login, min(c.called_at) AS at FROM simulated_call c WHERE c.action = 'reconnect' AND c.login = ANY($1::text[])
GROUP BY c.login"""


@dataclass(frozen=True)
class Sold:
    """A customer that is suspended, and whether its access node is dead."""

    id: UUID
    login: str
    dead: bool


@dataclass
class Load:
    """One open-loop load: when each payment was answered, and when its order was at the network port (Unix time)."""

    rate: int
    accepted: dict[str, float]
    called: dict[str, float]

    def latencies(self) -> list[float]:
        """In milliseconds, in the order of the payments. An order that was never made counts as GIVE_UP_SECONDS."""
        return [(self.called.get(login, at + GIVE_UP_SECONDS) - at) * 1000 for login, at in self.accepted.items()]

    def rate_reached(self) -> float:
        """Payments a second that were worked off until the last order; of the dead nodes', which nobody can reconnect, the same share."""
        return len(self.called) / (1 - DEAD / NODES) / (max(self.called.values()) - min(self.accepted.values()))


async def prepare(bench: Bench) -> Measure:
    folder = Path(tempfile.mkdtemp(prefix="reconecta-bench-"))
    folder.chmod(0o755)
    bench.later(folder)
    found: dict[str, float] = {}

    async def run() -> float:
        urls = {name: bench.stock.address(await bench.stock.take(name)) for name in SERVICES}
        data = folder / f"data-{new_id().hex[-6:]}"
        process, _ = await up(data, {f"{name.upper()}_DATABASE_URL": url for name, url in urls.items()})
        try:
            sold = iter(await _customers(urls, data, sum(_many(bench, rate) for rate in RATES)))
            for rate in RATES:
                load = await _pay(urls["ticketing"], data, [next(sold) for _ in range(_many(bench, rate))], rate)
                found.update(_told(load))
        finally:
            await down(process)
        return found[f"{50}/s p50, ms"]

    async def told(name: str) -> float:
        return found[name]

    names = [f"{rate}/s {what}" for rate in RATES for what in ("p50, ms", "p99, ms", "late half / early half", "worked off/s")]
    return Measure(
        "P13",
        f"payment answered to reconnect order at the network port, {DEAD} of {NODES} access nodes dead",
        "ms, /s",
        {names[0]: run} | {name: lambda name=name: told(name) for name in names[1:]},  # type: ignore[misc]
        [
            Goal("p50 at 50/s / 50 ms", "50/s p50, ms", 50, 1, at_most=True, scaled=True),
            Goal("p99 at 50/s / 150 ms", "50/s p99, ms", 150, 1, at_most=True, scaled=True),
            Goal("backlog at 50/s, late / early", "50/s late half / early half", 1, 1.5, at_most=True),
            Goal("sustained / 100 per s", "100/s worked off/s", 100, 0.95, scaled=True),
            Goal("aim: sustained / 300 per s", "300/s worked off/s", 300, 0.95, scaled=True),
        ],
    )


def _many(bench: Bench, rate: int) -> int:
    return max(rate, int(rate * RATES[rate] * bench.scale))


def _told(load: Load) -> dict[str, float]:
    delays = load.latencies()
    half = len(delays) // 2
    values = {
        "p50, ms": statistics.median(delays),
        "p99, ms": sorted(delays)[int(len(delays) * 0.99)],
        "late half / early half": statistics.median(delays[half:]) / statistics.median(delays[:half]),
        "worked off/s": load.rate_reached(),
    }
    return {f"{load.rate}/s {name}": value for name, value in values.items()}


async def _customers(urls: Mapping[str, str], data: Path, count: int) -> list[Sold]:
    """Import so many customers who came suspended and owe one invoice, and wait until everybody knows them."""
    today = datetime.now(operator().zone).date()
    before = today.replace(day=1) - timedelta(days=20)
    lines = ["codigo,nombre,correo,nodo,facturado,factura,emitida,vence,total"] + [
        f"r-{n},Cliente {n},c{n}@example.com,OLT-{n % NODES},{today:%Y-%m},V-{n},{before},{before},45.89" for n in range(count)
    ]
    files = {"file": ("libro.csv", "\n".join(lines).encode(), "text/csv"), "mapping": (None, MAPPING.format(today=today))}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{PORT}", headers=_headers(data), timeout=60) as client:
        answer = await client.post("/billing/imports", files=files, headers={"idempotency-key": str(new_id())})  # type: ignore[arg-type]
        answer.raise_for_status()
        address = f"/billing/imports/{answer.json()['id']}"
        while (state := (await client.get(address)).json())["state"] not in ("DONE", "FAILED"):
            await asyncio.sleep(0.2)
    assert (state["state"], state["rows_new"]) == ("DONE", count), state
    for url in urls.values():
        await _until(url, SETTLED)
    await _until(urls["collections"], "SELECT NOT EXISTS (SELECT 1 FROM account_review WHERE due_at <= clock_timestamp())")
    billing, ticketing = await asyncpg.connect(urls["billing"]), await asyncpg.connect(urls["ticketing"])
    known = {row["external_id"]: row["id"] for row in await billing.fetch("SELECT external_id, id FROM customer")}
    sold = [Sold(known[f"r-{n}"], f"r-{n}", n % NODES < DEAD) for n in range(count)]
    await ticketing.execute(DEAD_PLAN, [each.login for each in sold if each.dead], DEAD_MS)
    await billing.close()
    await ticketing.close()
    return sold


async def _until(url: str, query: str) -> None:
    connection = await asyncpg.connect(url)
    async with asyncio.timeout(GIVE_UP_SECONDS):
        while not await connection.fetchval(query):
            await asyncio.sleep(0.2)
    await connection.close()


def _headers(data: Path) -> dict[str, str]:
    return {"authorization": f"Bearer {Installation(data).token(operator(), None, timedelta(hours=1))}"}


async def _pay(ticketing: str, data: Path, sold: Sequence[Sold], rate: int) -> Load:
    """Pay for one customer after the other, evenly, whatever the answers take; then wait for the orders of those who can be reached."""
    authorization, accepted = _headers(data)["authorization"], dict[str, float]()
    free: asyncio.Queue[_Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await _Connection.open())

    async def one(customer: Sold) -> None:
        connection = await free.get()
        await connection.post(authorization, _payment(customer))
        if not customer.dead:
            accepted[customer.login] = time.time()
        free.put_nowait(connection)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, customer in enumerate(sold):
            await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
            group.create_task(one(customer))
    while not free.empty():
        free.get_nowait().close()
    return Load(rate, accepted, await _called(ticketing, list(accepted)))


async def _called(ticketing: str, logins: Sequence[str]) -> dict[str, float]:
    connection = await asyncpg.connect(ticketing)
    deadline, found = time.monotonic() + GIVE_UP_SECONDS, dict[str, float]()
    while len(found) < len(logins) and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        found = {row["login"]: row["at"].timestamp() for row in await connection.fetch(CALLS, logins)}
    await connection.close()
    return found


def _payment(customer: Sold) -> bytes:
    body = {
        "customer_id": str(customer.id),
        "amount": {"amount": "45.89", "currency": "USD"},
        "channel": "banco",
        "reference": customer.login,
        "paid_on": f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}",
    }
    return json.dumps(body).encode()


class _Connection:
    """A kept-alive connection that costs the machine little beside what it measures."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls) -> "_Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", PORT))

    async def post(self, authorization: str, body: bytes) -> None:
        """Report a payment. Raises for any answer but 2xx."""
        head = (
            f"POST /billing/payments HTTP/1.1\r\nhost: reconecta\r\nauthorization: {authorization}\r\nidempotency-key: {new_id()}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(answer.partition("content-length:")[2].split("\r\n", 1)[0])
        text = await self._reader.readexactly(length)
        if not answer.startswith("http/1.1 2"):
            raise RuntimeError(f"{answer.splitlines()[0]} {text.decode()}")

    def close(self) -> None:
        self._writer.close()
