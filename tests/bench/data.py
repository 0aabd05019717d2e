"""The events that are measured with: about 400 bytes of JSON, many keys."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import asyncpg

from shared.db import Database, new_id
from shared.events import Envelope, Event
from shared.outbox import Outgoing
from tests.bench.runner import psql, rate

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
KEYS = 1000
COLUMNS = ["event_id", "type", "subject", "sequence", "key", "occurred_at", "traceparent", "data"]


class Measured(Event):
    """An event of the usual size."""

    TYPE: ClassVar[str] = "billing.measured.v1"
    who: str
    amount: int
    text: str = "x" * 330

    def key(self) -> str:
        return self.who


class MeasuredAlone(Measured):
    """The same, handled one by one."""

    TYPE: ClassVar[str] = "billing.measured_alone.v1"


class MeasuredMany(Measured):
    """The same, handled together by one statement with many arguments."""

    TYPE: ClassVar[str] = "billing.measured_many.v1"


def outgoing(count: int, kind: type[Measured] = Measured) -> list[Outgoing]:
    """So many, key by key."""
    return [Outgoing(kind(who=f"k{number % KEYS}", amount=1), f"thing/{number % KEYS}", number // KEYS + 1) for number in range(count)]


def envelopes(count: int, kind: type[Measured] = Measured) -> list[Envelope]:
    """So many, as a transport brings them."""
    return [
        Envelope.model_construct(
            id=new_id(), type=kind.TYPE, source="billing", subject=each.subject, sequence=each.version, key=each.event.key(), time=NOW,
            traceparent=None, data=each.event.model_dump_json(),
        )
        for each in outgoing(count, kind)
    ]  # fmt: skip


def records(events: Sequence[Envelope]) -> list[tuple[Any, ...]]:
    """Outbox rows."""
    return [(each.id, each.type, each.subject, each.sequence, each.key, each.time, None, each.data) for each in events]


def as_text(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Rows as COPY's text format wants them; the data holds no tab, newline or backslash."""
    return "".join("\t".join("\\N" if value is None else str(value) for value in row) + "\n" for row in rows).encode()


async def empty(database: Database, *tables: str) -> None:
    """Nothing left, and no work left for the autovacuum."""
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(f"TRUNCATE {', '.join(tables)}")
    await connection.close()


async def copy_rate(database: Database, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> float:
    """The limit: the same rows by psql's `\\copy` (by asyncpg's COPY where there is no psql)."""
    if shutil.which("psql"):
        data = as_text(rows)
        return await rate(len(rows), psql(database.dsn, f"\\copy {table} ({', '.join(columns)}) FROM STDIN", data))
    connection = await asyncpg.connect(database.dsn)
    try:
        return await rate(len(rows), connection.copy_records_to_table(table, records=rows, columns=list(columns)))
    finally:
        await connection.close()


async def do(database: Database, sql: str, *args: Any) -> None:
    """Run SQL as nobody's transaction, without a time-out."""
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(sql, *args)
    await connection.close()


async def copy_out(database: Database, folder: Path, tables: Sequence[str]) -> None:
    """Keep the rows of these tables, ready to be COPYed in again."""
    connection = await asyncpg.connect(database.dsn)
    for table in tables:
        await connection.copy_from_table(table, output=folder / table, format="binary")
    await connection.close()


async def copy_in(database: Database, folder: Path, tables: Sequence[str]) -> None:
    """The limit: one transaction on one connection, rows that are ready. A foreign key's check is planned once, when its table is still
    small: it must not be the plan of a small table that a million rows are then checked by."""
    connection = await asyncpg.connect(database.dsn, server_settings={"enable_seqscan": "off"})
    async with connection.transaction():
        for table in tables:
            await connection.copy_to_table(table, source=folder / table, format="binary")
    await connection.close()
