"""F10, F13, F15: the way to PostgreSQL is cut or silent, a transaction stays open elsewhere, clients vanish."""

import asyncio
import json
import random
import socket
import struct
import time
from functools import partial

from shared.db import new_id
from tests.faults.fault import Fault, Injected
from tests.faults.stage import Stage
from tests.support.history import Attempt
from tests.support.service import token

OPEN_SECONDS = 30.0
VANISHING, AT_ONCE = 1000, 50
STATES = """SELECT datname AS service, count(*) AS all, count(*) FILTER (WHERE state LIKE 'idle in transaction%'
    AND state_change < clock_timestamp() - interval '2 s') AS open
FROM pg_stat_activity WHERE datname = ANY($1) AND usename = datname GROUP BY 1"""
MOST = 2 * (2 * 5 + 2) + 6  # an api and a worker with a full pool and two connections for rings each, and some that are just made
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the connection ends with a reset, not in order


async def leaked(stage: Stage) -> list[str]:
    """Services whose connections are more than their pools may have, or stand idle in a transaction."""
    found = []
    for row in await stage.look("billing", STATES, list(stage.addresses())):
        if row["all"] > MOST or row["open"]:
            found.append(f"{row['service']} has {row['all']} connections (at most {MOST}), {row['open']} idle in a transaction")
    return found


async def partition(stage: Stage, chance: random.Random) -> Injected:
    """Nothing gets through to PostgreSQL for some seconds; then all of it comes late, or every connection is reset. Or it is slow."""
    way, seconds = chance.choice(["late", "reset", "slow"]), chance.uniform(3, 8)
    if way == "slow":
        stage.proxy.delay = 0.05
    else:
        stage.proxy.swallows = True
    await asyncio.sleep(seconds)
    if way == "reset":
        stage.proxy.cut_all()
    stage.proxy.heal()
    what = {"late": "a blackhole, healed", "reset": "a blackhole, then reset", "slow": "50 ms more for every packet"}[way]
    return Injected(f"{what}, {seconds:.0f} s", after=partial(leaked, stage))


async def open_transaction(stage: Stage, chance: random.Random) -> Injected:
    """Somebody writes in one service's database and does not commit; the lag is measured while it is still open."""
    service = chance.choice(sorted(stage.addresses()))
    connection = await stage.connected(service)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("CREATE TABLE left_open (a int)")
    await connection.fetchval("SELECT pg_current_xact_id()")
    await asyncio.sleep(OPEN_SECONDS)

    async def end() -> None:
        await transaction.rollback()
        await connection.close()

    return Injected(f"a transaction open in {service}", tidy=end)


async def vanish(stage: Stage, chance: random.Random) -> Injected:
    """Clients hang up in the middle of a request, after it, or while they are answered."""
    (row,) = await stage.look("billing", "SELECT id::text AS id FROM customer ORDER BY external_id LIMIT 1")
    turn, bearer = asyncio.Semaphore(AT_ONCE), token("ana.martinez")
    today = (await stage.today()).date().isoformat()

    async def one(number: int) -> None:
        async with turn:
            await asyncio.to_thread(_hang_up, stage, bearer, row["id"], today, chance.choice(["half", "sent", "reading"]))

    await asyncio.gather(*(one(number) for number in range(VANISHING)))
    return Injected(f"{VANISHING} clients vanish", times=VANISHING, after=partial(leaked, stage))


def _hang_up(stage: Stage, bearer: str, customer: str, today: str, when: str) -> None:
    key, path = str(new_id()), "/billing/payments"
    body = {"customer_id": customer, "amount": {"amount": "0.01", "currency": "USD"}, "channel": "transferencia"}
    text = json.dumps({**body, "reference": f"VAN-{key}", "paid_on": today})
    head = f"Host: reconecta\r\nAuthorization: Bearer {bearer}\r\n"
    if when == "reading":
        request = f"GET {path}?limit=100 HTTP/1.1\r\n{head}\r\n"
    else:
        length = f"Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        request = f"POST {path} HTTP/1.1\r\n{head}{length}\r\n{text if when == 'sent' else text[:20]}"
    if when == "sent":
        stage.history.attempts.append(Attempt("billing", "POST", path, "ana.martinez", key, text))
    with socket.create_connection(("127.0.0.1", stage.house.ports()["billing"]), timeout=10) as connection:
        connection.sendall(request.encode())
        time.sleep(random.uniform(0, 1))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


FAULTS = (
    Fault(
        "F10",
        "a partition before PostgreSQL",
        "a TCP proxy holds everything back for 3 to 8 s and lets it through late, or resets it; or delays each packet by 50 ms",
        partition,
        10,
    ),
    Fault(
        "F13",
        "a transaction stays open",
        f"somebody writes in one of the five databases and stays open for {OPEN_SECONDS:.0f} s and until the lag is zero",
        open_transaction,
        10,
    ),
    Fault(
        "F15",
        "clients vanish",
        f"{VANISHING} clients at a time reset their connection in the middle of a request, behind it, or while they read",
        vanish,
        10,
    ),
)
