"""Events leave a service through its outbox: written in the transaction of the change, sent by the one leader of their shard.

# Note [Oldest visible rows]
The relay always takes the oldest *visible* rows by id and deletes exactly those. It has no cursor: ids are handed out before commits,
so a cursor would jump over a transaction that commits late and lose its events. Operations lock the aggregate's row
before they publish, hence ids of one aggregate are in the order of its versions.

# Note [Sent by who was there before]
What one service leaves for another may not be on disk yet when the relay reads it (`Database.handover`), and a process may stand still
between reading and sending while its server crashes and comes back: it would bring what never happened. A crash ends every connection, so
a batch is sent only over one that was open before the batch was read. A newer one is not used yet; the batch is read again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.bulk import Part, Records, write
from shared.db import NOT_DURABLE, Database, ReadAgain, execute, new_ids, ring, rows
from shared.envelopes import COLUMNS, EventRow, to_envelope
from shared.events import Envelope, Event
from shared.lease import Fenced, Lease
from shared.log import current_traceparent
from shared.session import Driver

HELD = "(SELECT array_agg(DISTINCT receiver) FROM outbox_held) AS held"
HOLD = f"""
INSERT INTO outbox_held (receiver, id, {COLUMNS}) SELECT $1, id, {COLUMNS} FROM outbox
WHERE id = ANY($2::bigint[]) AND type = ANY($3::text[]) ON CONFLICT DO NOTHING
"""
WRITTEN = tuple(COLUMNS.split(", "))
BATCH = 500
MAX_DATA = 900_000
AWAY_SECONDS = 1.0


class OutboxRow(EventRow, table=True):
    """An event that is committed and not yet with everybody."""

    __tablename__ = "outbox"
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))


class HeldRow(EventRow, table=True):
    """The mark of one receiver that was down: this event is still to be brought to it, in the order of `id`."""

    __tablename__ = "outbox_held"
    receiver: str = Field(primary_key=True)
    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))


@dataclass(slots=True)
class Outgoing:
    """An event with its aggregate (`invoice/…`) and that aggregate's version after the change, in the trace that it was made in."""

    event: Event
    subject: str
    version: int
    traceparent: str | None = field(default_factory=current_traceparent)
    data: str = field(init=False)  # the event as it travels

    def __post_init__(self) -> None:
        self.data = self.event.model_dump_json()


async def publish(session: AsyncSession, event: Event, *, subject: str, version: int, now: datetime) -> UUID:
    """Write one event beside the change it tells of. `version` is the aggregate's, +1 per event, 1 at first. Answers the event's id."""
    return (await publish_many(session, [Outgoing(event, subject, version)], now=now))[0]


async def publish_many(session: AsyncSession, items: Sequence[Outgoing], *, now: datetime, beside: Sequence[Part] = ()) -> list[UUID]:
    """Write many events in the order given, in one statement with what is to be written beside them. Answers their ids. Raises ValueError
    for one that no transport takes."""
    for item in items:
        if len(item.data) > MAX_DATA:
            raise ValueError(f"{item.event.TYPE} of {item.subject} is too large: {len(item.data)} characters, at most {MAX_DATA}")
    ids = new_ids(len(items))
    given = [
        (event_id, item.event.TYPE, item.subject, item.version, item.event.key(), now, item.traceparent, item.data)
        for event_id, item in zip(ids, items, strict=True)
    ]
    await write(session, *beside, Records(OutboxRow, WRITTEN, given))
    if items:
        ring(session, "relay")
    return ids


class Sink(Protocol):
    """Where a relay brings events: the Courier or Kafka. `types_of` says which events a receiver wants (Kafka: nothing is held).
    `known`: how many connections the process had opened when it began to read the batch. See Note [Sent by who was there before]."""

    async def send(self, batch: Sequence[Envelope], skip: frozenset[str], known: int) -> frozenset[str]:
        """Bring the batch, in its order, to every receiver but those in `skip`; answer the receivers that could not take it. Raises
        ReadAgain."""
        ...

    async def send_to(self, receiver: str, batch: Sequence[Envelope], known: int) -> None:
        """Bring the batch to one receiver that was down. Raises while it still is."""
        ...

    def types_of(self, receiver: str) -> frozenset[str]:
        """What this receiver wants; nothing else is held for it."""
        ...

    async def close(self) -> None: ...


class Relay:
    """Moves one shard of one service's outbox. Everything it does may happen twice; nothing it does can be lost."""

    def __init__(self, database: Database, sink: Sink, *, holder: str, shard: int = 0, shards: int = 1, batch: int = BATCH) -> None:
        self._database, self._sink, self._batch = database, sink, batch
        self._source = database.service
        self._mine = "" if shards == 1 else f"WHERE mod(abs(hashtext(key)::bigint), {shards}) = {shard}"
        self.lease = Lease(database, f"relay/{shard}", holder)
        self._away_until: dict[str, float] = {}

    async def step(self) -> bool:
        """Send the oldest visible rows and delete exactly those; True while there is more. False when another process leads."""
        if not await self.lease.kept():
            return False
        known = Driver.opened
        async with self._database.look() as session:
            found = await rows(session, f"SELECT id, {COLUMNS}, {HELD} FROM outbox {self._mine} ORDER BY id LIMIT {self._batch}")
        if not found:
            return False
        try:
            late = await self._sink.send([to_envelope(row, self._source) for row in found], frozenset(found[0].held or ()), known)
            await self._settle([row.id for row in found], late)
        except ReadAgain:
            return True
        except Fenced:
            return False
        return len(found) == self._batch

    async def _settle(self, ids: list[int], late: frozenset[str]) -> None:
        async with self._database.transaction() if late else self._database.look() as session:
            for receiver in sorted(late):
                await execute(session, HOLD, receiver, ids, sorted(self._sink.types_of(receiver)))
                ring(session, "lookout")
            await self.lease.delete(session, "outbox.id", ids, NOT_DURABLE)  # what is still there after a crash is brought once more

    async def redeliver(self) -> bool:
        """Bring what was held to the receivers that are back; True while there is more. Beside `step`: nobody waits for the dead."""
        if not self.lease.epoch:
            return False
        now = asyncio.get_running_loop().time()
        async with self._database.transaction() as session:
            receivers = [row.receiver for row in await rows(session, "SELECT DISTINCT receiver FROM outbox_held")]
        try:
            more = [await self._redeliver_to(receiver) for receiver in receivers if self._away_until.get(receiver, 0.0) <= now]
        except Fenced:
            return False
        return any(more)

    async def _redeliver_to(self, receiver: str) -> bool:
        known, led = Driver.opened, self.lease.epoch  # `step` may take the lease anew meanwhile: after a crash what was brought is gone
        async with self._database.transaction() as session:
            found = await rows(
                session, f"SELECT id, {COLUMNS} FROM outbox_held WHERE receiver = $1 ORDER BY id LIMIT {self._batch}", receiver
            )
        try:
            await self._sink.send_to(receiver, [to_envelope(row, self._source) for row in found], known)
        except ReadAgain:
            return True
        except Exception:  # noqa: BLE001 - whatever broke, the receiver is still away and its rows stay held
            self._away_until[receiver] = asyncio.get_running_loop().time() + AWAY_SECONDS
            return False
        async with self._database.transaction() as session:
            await self.lease.prove(session, led)
            await execute(
                session, "DELETE FROM outbox_held WHERE receiver = $1 AND id = ANY($2::bigint[])", receiver, [row.id for row in found]
            )
        return True
