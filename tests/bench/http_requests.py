"""What the HTTP benches send: commands as a desk's program sends them, each with its own key, to customers that owe something."""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from shared.db import new_id
from tests.bench.data import KEYS
from tests.bench.load import Load, http, load
from tests.bench.p1_command import TABLES
from tests.bench.runner import Bench
from tests.support.service import keys, token

OWING = f"""
INSERT INTO customer (id, external_source, external_id, name, search_name, contacts, is_isp, policy, currency, version, created_at,
    updated_at)
SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'bench', n::text, 'Cliente', 'cliente', '[]', false, 'residencial',
    'USD', 1, now(), now() FROM generate_series(0, {KEYS - 1}) AS n;
INSERT INTO invoice (id, customer_id, origin, origin_key, number, period, issue_date, due_date, due_ends_at, base, tax, total, balance,
    reported, currency, state, version)
SELECT gen_random_uuid(), id, 'run', 'run', 'F' || external_id, '2026-03', '2026-03-01', '2026-03-10', '2026-03-11', 1000000, 0, 1000000,
    1000000, 0, 'USD', 'OPEN', 1 FROM customer
"""
CUSTOMER = {
    "external_source": "bench",
    "name": "Cafetería El Carmen",
    "tax_id": "05012024252421",
    "contacts": [{"name": "Norma Oliva", "role": "administrativo", "email": "norma.oliva@cafeteria.example"}],
    "contract": {"number": "CT-10001", "start_date": "2024-08-10"},
    "services": [{"code": "internet", "plan_code": "negocio_100", "monthly_amount": "129.00", "active_from": "2026-03-01"}],
}
Maker = Callable[[int], bytes]


@dataclass(frozen=True)
class Ports:
    """Where billing answers, and where the plain app does."""

    service: int
    plain: int


async def start(bench: Bench) -> Ports:
    """Billing's API in a process of its own until the bench ends, on a database with KEYS customers that owe for ever."""
    database = await bench.database("billing")
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(f"{TABLES}; {OWING}")
    await connection.close()
    command = [sys.executable, "-m", "tests.bench.http_service", database.dsn, keys()[1]]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    bench.afterwards(process.terminate)
    assert process.stdout is not None
    return Ports(*map(int, (await process.stdout.readline()).split()))


async def answered(port: int, connections: int, count: int, request: Maker) -> Load:
    """Send so many after as many as make every connection warm; each must be answered with 201."""
    await load(port, connections, connections * 3, request)
    return (await load(port, connections, count, request)).only(201)


def sender(path: str, body: Callable[[int], object], *, method: str = "POST", bare: bool = False) -> Maker:
    """A maker of requests; `{n}` in the path is the number of one of the KEYS. Bare ones carry neither token nor key."""
    known = {} if bare else {"authorization": f"Bearer {token('banca', ['sistemas'])}"}

    def make(number: int) -> bytes:
        keyed = {} if bare or method != "POST" else {"idempotency-key": str(new_id())}
        return http(method, path.format(n=number % KEYS), {**known, **keyed}, json.dumps(body(number)).encode())

    return make


def note(_number: int) -> object:
    """The body of the bench's own ordinary command."""
    return {"amount": 1, "text": "x" * 80}


def payment(number: int) -> object:
    """A payment of one of the customers."""
    return {
        "customer_id": f"00000000-0000-7000-8000-{number % KEYS:012d}",
        "amount": {"amount": "1.00", "currency": "USD"},
        "channel": "banco",
        "reference": str(new_id()),
        "paid_on": "2026-03-27",
    }


def customer(_number: int) -> object:
    """A customer that nobody has yet."""
    return {**CUSTOMER, "external_id": str(new_id())}
