"""Events that cannot be handled yet: dead letters, events that wait for another sender's fact, and those behind them."""

import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.db import Database, MessagingTable, execute, ring, rows, utc
from shared.events import Envelope

EVENT = "event_id, sender, type, subject, sequence, key, occurred_at, traceparent, data"


class InboxRow(MessagingTable, table=True):
    """An event that was claimed: it is handled or parked, and a second copy of it changes nothing."""

    __tablename__ = "inbox"
    event_id: UUID = Field(primary_key=True)
    sender: str
    claimed_at: datetime = utc(index=True)


class PendingRow(MessagingTable, table=True):
    """An event that the Courier brought and nobody handled yet."""

    __tablename__ = "inbox_pending"
    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    event_id: UUID
    sender: str
    type: str
    subject: str
    sequence: int
    key: str
    occurred_at: datetime = utc()
    traceparent: str | None = None
    data: str


class ParkedRow(MessagingTable, table=True):
    """An event set aside. `reason`: dead (a person must look), waiting (for a fact), behind (one of the two), retry (replay asked)."""

    __tablename__ = "parked_event"
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    reason: str
    detail: str = Field(default="", sa_column=Column(Text, nullable=False))
    attempts: int = 1
    parked_at: datetime = utc()
    event_id: UUID
    sender: str
    type: str
    subject: str
    sequence: int
    key: str = Field(index=True)
    occurred_at: datetime = utc()
    traceparent: str | None = None
    data: str


def describe(error: BaseException) -> str:
    """What a person needs to mend the cause: the error, and where in our code it rose. Event data is not repeated here."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    where = " < ".join(f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__}: {str(error)[:500]} [{where}]"


async def park(session: AsyncSession, envelopes: Sequence[Envelope], waiting: Mapping[UUID, str]) -> tuple[list[Envelope], list[str]]:
    """Set aside what may not be handled now; answer the rest, and the keys of the rest that have parked events."""
    keys = list({each.key for each in envelopes})
    found = await rows(session, "SELECT DISTINCT key, sender, reason = 'dead' AS dead FROM parked_event WHERE key = ANY($1::text[])", keys)
    if not found and not waiting:
        return list(envelopes), []
    dead = {row.key for row in found if row.dead}
    held = {(row.key, row.sender) for row in found}
    ready: list[Envelope] = []
    for each in envelopes:
        if each.key in dead or (each.key, each.source) in held:
            await _insert(session, each, "behind", "")
        elif each.id in waiting:
            await _insert(session, each, "waiting", waiting[each.id])
            held.add((each.key, each.source))
        else:
            ready.append(each)
    parked = {row.key for row in found} | {each.key for each in envelopes if each.id in waiting}
    return ready, sorted({each.key for each in ready} & parked)


async def bury(session: AsyncSession, envelope: Envelope, error: BaseException) -> None:
    """Make an event that fails alone a dead letter; from now on its key waits."""
    await _insert(session, envelope, "dead", describe(error))


async def _insert(session: AsyncSession, envelope: Envelope, reason: str, detail: str) -> None:
    await execute(
        session,
        f"INSERT INTO parked_event (reason, detail, attempts, parked_at, {EVENT}) "
        "VALUES ($1, $2, 1, clock_timestamp(), $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        reason,
        detail,
        envelope.id,
        envelope.source,
        envelope.type,
        envelope.subject,
        envelope.sequence,
        envelope.key,
        envelope.time,
        envelope.traceparent,
        envelope.data,
    )


async def heads(database: Database, keys: Sequence[str] | None) -> list[int]:
    """The first parked event of each key and sender, for keys that no dead letter blocks."""
    async with database.transaction() as session:
        found = await rows(
            session,
            "SELECT DISTINCT ON (key, sender) id FROM parked_event p WHERE ($1::text[] IS NULL OR key = ANY($1::text[])) "
            "AND NOT EXISTS (SELECT 1 FROM parked_event d WHERE d.key = p.key AND d.reason = 'dead') ORDER BY key, sender, id LIMIT 500",
            None if keys is None else list(keys),
        )
    return [row.id for row in found]


async def take(session: AsyncSession, row_id: int) -> Envelope | None:
    """Remove a parked event in order to handle it in this transaction; None when somebody else did."""
    found = await rows(session, f"DELETE FROM parked_event WHERE id = $1 RETURNING {EVENT}", row_id)
    return to_envelope(found[0]) if found else None


async def mark(database: Database, row_id: int, reason: str, detail: str) -> None:
    """Keep an event parked, with what was learnt by trying it."""
    async with database.transaction() as session:
        await execute(
            session, "UPDATE parked_event SET reason = $2, detail = $3, attempts = attempts + 1 WHERE id = $1", row_id, reason, detail
        )


async def replay(session: AsyncSession, *, key: str | None = None, discard: bool = False) -> int:
    """Put dead letters (of one key, or all) back in line, or discard them; the worker goes on in order. Answers how many."""
    change = "DELETE FROM parked_event" if discard else "UPDATE parked_event SET reason = 'retry'"
    ring(session)
    return await execute(session, f"{change} WHERE reason = 'dead' AND ($1::text IS NULL OR key = $1)", key)


def to_envelope(row: object) -> Envelope:
    """A pending or parked row as the event that it holds."""
    return Envelope.model_construct(
        id=row.event_id,  # type: ignore[attr-defined]
        type=row.type,  # type: ignore[attr-defined]
        source=row.sender,  # type: ignore[attr-defined]
        subject=row.subject,  # type: ignore[attr-defined]
        sequence=row.sequence,  # type: ignore[attr-defined]
        key=row.key,  # type: ignore[attr-defined]
        time=row.occurred_at,  # type: ignore[attr-defined]
        traceparent=row.traceparent,  # type: ignore[attr-defined]
        data=row.data,  # type: ignore[attr-defined]
    )
