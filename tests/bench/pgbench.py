"""PostgreSQL's own load generator: the limit of a command's statements, and how fast the machine is while a measure is taken."""

import asyncio
import os
import re
import shutil
import tempfile
from pathlib import Path

import asyncpg

from services.postgres.home import find_binaries
from services.postgres.launch import SUPERUSER
from tests.support.database import Stock

CONNECTIONS = 16
# What the targets were set on does 11,000 of these a second: BEGIN, a row, an event of some 400 bytes, COMMIT. Absolute targets are judged
# in relation to it.
REFERENCE = 11_000.0
SECONDS = 3
TABLES = """CREATE TABLE sold (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer bigint NOT NULL, amount numeric NOT NULL,
    at timestamptz NOT NULL);
CREATE TABLE told (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL, type text NOT NULL, key text NOT NULL,
    version int NOT NULL, at timestamptz NOT NULL, trace text, data text NOT NULL)"""
SCRIPT = f"""\\set customer random(1, 100000)
BEGIN;
INSERT INTO sold (customer, amount, at) VALUES (:customer, 39.90, now());
INSERT INTO told (event_id, type, key, version, at, data) VALUES (gen_random_uuid(), 'sold', :customer::text, 1, now(), '{"x" * 400}');
COMMIT;"""


def binary() -> Path | None:
    """pgbench of the server's own wheel, else the machine's."""
    own = find_binaries(None) / "pgbench"
    found = shutil.which("pgbench")
    return own if own.exists() else Path(found) if found else None


async def pgbench(dsn: str, script: str, *limit: str) -> float:
    """Transactions a second of a script, its statements prepared; `limit` says until when, in pgbench's words."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        Path(file.name).chmod(0o644)
        command = [binary(), "-n", "-M", "prepared", "-c", CONNECTIONS, "-j", "2", *limit, "-f", file.name, dsn]
        process = await asyncio.create_subprocess_exec(
            *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "PGUSER": SUPERUSER}
        )
        out, error = await process.communicate()
    if process.returncode:
        raise RuntimeError(error.decode())
    return float(re.findall(rb"tps = ([\d.]+)", out)[0])


async def speed(stock: Stock) -> float | None:
    """This machine's share of what the targets were set on, at this moment; None where there is no pgbench."""
    if binary() is None:
        return None
    name = await stock.take("noc")
    try:
        connection = await asyncpg.connect(stock.address(name))
        await connection.execute(TABLES)
        await connection.close()
        return await pgbench(stock.address(name), SCRIPT, "-T", str(SECONDS)) / REFERENCE
    finally:
        await stock.drop(name)
