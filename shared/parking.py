"""Events that cannot be handled yet: dead letters, events that wait for another sender's fact, and those behind them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.db import Database, Fetched, execute, ring, rows, utc
from shared.discretion import told_with_place
from shared.envelopes import COLUMNS, EventRow, to_envelope
from shared.events import Envelope
from shared.sorting import Order, Placed, Sorting, instant, number, text

DEAD, WAITING, BEHIND, RETRY = "dead", "waiting", "behind", "retry"
EVENT = f"sender, {COLUMNS}"
MARK = "UPDATE parked_event SET reason = $2, detail = $3, attempts = attempts + 1 WHERE id = $1"
AGAIN = "UPDATE parked_event SET reason = 'retry', parked_at = clock_timestamp()"
LIST = """
SELECT id, reason, key, sender, type, subject, sequence, event_id, occurred_at, parked_at, attempts, detail,
    (SELECT count(*) FROM parked_event AS b WHERE b.key = p.key AND b.reason = 'behind') AS behind {key} FROM parked_event AS p
WHERE reason = ANY($1::text[]) {page}
"""
LETTERS = Sorting(
    "id",
    number("p.id"),
    id=number("p.id"),
    reason=text("p.reason"),
    key=text("p.key"),
    sender=text("p.sender"),
    type=text("p.type"),
    occurred_at=instant("p.occurred_at"),
    parked_at=instant("p.parked_at"),
    attempts=number("p.attempts"),
)
HEADS = """SELECT DISTINCT ON (key, sender) id, key, sender, reason, attempts FROM parked_event AS parked
WHERE NOT EXISTS (SELECT 1 FROM parked_event AS dead WHERE dead.key = parked.key AND dead.reason = 'dead') ORDER BY key, sender, id"""


class ParkedRow(EventRow, table=True):
    """An event set aside. `reason`: dead (a person must look), waiting (for a fact), behind (one of the two), retry (it is being tried
    again). `parked_at` is since when it has been waiting for that."""

    __tablename__ = "parked_event"
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    reason: str
    detail: str = Field(default="", sa_column=Column(Text, nullable=False))
    attempts: int = 1
    parked_at: datetime = utc()
    sender: str
    key: str = Field(index=True)


async def park(session: AsyncSession, envelopes: Sequence[Envelope]) -> tuple[list[Envelope], list[str]]:
    """Set aside what may not be handled now; answer the rest, and the keys of the rest that have waiting events."""
    keys = list({each.key for each in envelopes})
    found = await rows(session, "SELECT DISTINCT key, sender, reason FROM parked_event WHERE key = ANY($1::text[])", keys)
    if not found:
        return list(envelopes), []
    dead = {row.key for row in found if row.reason == DEAD}
    held = {(row.key, row.sender) for row in found}
    ready: list[Envelope] = []
    for each in envelopes:
        if each.key in dead or (each.key, each.source) in held:
            await _insert(session, each, BEHIND, "")
        else:
            ready.append(each)
    return ready, sorted({each.key for each in ready} & {row.key for row in found if row.reason == WAITING})


async def park_waiting(session: AsyncSession, envelopes: Sequence[Envelope], missing: Mapping[UUID, str]) -> None:
    """Set aside those that lack a fact (their text says which) and those behind them (no text)."""
    for each in envelopes:
        if each.id in missing:
            await _insert(session, each, WAITING if missing[each.id] else BEHIND, missing[each.id])


async def bury(session: AsyncSession, envelope: Envelope, error: BaseException, *, origin: str = "", attempts: int = 1) -> None:
    """Make an event that fails alone a dead letter; from now on its key waits. `origin` is where the transport had it."""
    await _insert(session, envelope, DEAD, told_with_place(error) + (f" [{origin}]" if origin else ""), attempts)


async def set_aside(session: AsyncSession, envelope: Envelope, error: BaseException) -> None:
    """Keep an event that meets what should pass by itself, to be tried again beside the others."""
    await _insert(session, envelope, RETRY, told_with_place(error))
    ring(session, "lookout")


async def _insert(session: AsyncSession, envelope: Envelope, reason: str, detail: str, attempts: int = 1) -> None:
    await execute(
        session,
        f"INSERT INTO parked_event (reason, detail, attempts, parked_at, {EVENT}) "
        "VALUES ($1, $2, $3, clock_timestamp(), $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        reason,
        detail,
        attempts,
        envelope.source,
        envelope.id,
        envelope.type,
        envelope.subject,
        envelope.sequence,
        envelope.key,
        envelope.time,
        envelope.traceparent,
        envelope.data,
    )


async def try_again(session: AsyncSession, keys: Sequence[str]) -> None:
    """Something of these keys was handled: whoever waits there may have its fact now."""
    await execute(session, f"{AGAIN} WHERE reason = 'waiting' AND key = ANY($1::text[])", list(keys))
    ring(session, "lookout")


async def heads(database: Database, keys: Sequence[str] | None) -> list[int]:
    """The parked events that may be handled now: first of their key and sender, not waiting, in a key without a dead letter."""
    async with database.transaction() as session:
        found = await rows(
            session,
            f"SELECT id FROM ({HEADS}) AS head WHERE reason <> 'waiting' AND ($1::text[] IS NULL OR key = ANY($1::text[])) "
            "ORDER BY id LIMIT 500",
            None if keys is None else list(keys),
        )
    return [row.id for row in found]


async def waiting(database: Database) -> list[int]:
    """Some of the events that wait for a fact, the least tried first."""
    async with database.transaction() as session:
        found = await rows(session, f"SELECT id FROM ({HEADS}) AS head WHERE reason = 'waiting' ORDER BY attempts, id LIMIT 100")
    return [row.id for row in found]


async def take(session: AsyncSession, row_id: int) -> Envelope | None:
    """Remove a parked event in order to handle it in this transaction; None when somebody else did."""
    found = await rows(session, f"DELETE FROM parked_event WHERE id = $1 RETURNING {EVENT}", row_id)
    return to_envelope(found[0]) if found else None


async def mark_waiting(session: AsyncSession, row_id: int, detail: str) -> None:
    """Keep an event parked until the fact comes."""
    await execute(session, MARK, row_id, WAITING, detail)


async def mark_stuck(database: Database, row_id: int, error: BaseException, patience: timedelta) -> None:
    """A parked event met once more what should pass by itself; after `patience` (machine time) it is a dead letter."""
    async with database.transaction() as session:
        await execute(
            session,
            "UPDATE parked_event SET detail = $2, attempts = attempts + 1, "
            "reason = CASE WHEN reason = 'retry' AND parked_at < clock_timestamp() - $3::interval THEN 'dead' ELSE 'retry' END, "
            "parked_at = CASE WHEN reason = 'retry' THEN parked_at ELSE clock_timestamp() END WHERE id = $1",
            row_id,
            told_with_place(error),
            patience,
        )


async def mark_dead(database: Database, row_id: int, error: BaseException) -> None:
    """A parked event that failed is a dead letter (again)."""
    async with database.transaction() as session:
        await execute(session, MARK, row_id, DEAD, told_with_place(error))


async def replay(session: AsyncSession, *, key: str | None = None, discard: bool = False) -> int:
    """Put dead letters (of one key, or all) back in line, or discard them; the worker goes on in order. Answers how many."""
    change = "DELETE FROM parked_event" if discard else AGAIN
    ring(session, "lookout")
    return await execute(session, f"{change} WHERE reason = 'dead' AND ($1::text IS NULL OR key = $1)", key)


async def letters(session: AsyncSession, order: Order, *, reason: str | None = None) -> list[Placed[Fetched]]:
    """The dead letters and the events that wait for a fact, or one of the two: never their data. `behind` counts the events of the key that
    wait behind it."""
    return await order.rows(session, LIST, [reason] if reason else [DEAD, WAITING])
