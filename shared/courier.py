"""The embedded default's transport: outbox rows go straight into each receiver's durable inbox, in its own database."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Identity
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.db import Database, ReadAgain, as_old_as, execute, ring, rows
from shared.envelopes import EventRow, to_envelope
from shared.events import Envelope
from shared.inbox import BATCH, Arrival, Inbox
from shared.lease import Lease
from shared.log import get_logger
from shared.parking import EVENT

log = get_logger("courier")

INSERT = (
    f"INSERT INTO inbox_pending ({EVENT}) SELECT * FROM unnest("
    "$1::text[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::text[], $7::timestamptz[], $8::text[], $9::text[])"
)

TIMEOUT_SECONDS = 5


class PendingRow(EventRow, table=True):
    """An event that the Courier brought and nobody handled yet."""

    __tablename__ = "inbox_pending"
    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    sender: str


@dataclass(frozen=True)
class Receiver:
    """A service that wants some types of events."""

    database: Database
    types: frozenset[str]


class Courier:
    """Brings events to receivers' inboxes. A receiver that is down delays only itself: its rows are held by the relay."""

    def __init__(self, receivers: Mapping[str, Receiver]) -> None:
        self._receivers = receivers

    def types_of(self, receiver: str) -> frozenset[str]:
        """What the receiver's handlers react to."""
        return self._receivers[receiver].types

    async def send(self, batch: Sequence[Envelope], skip: frozenset[str], known: int) -> frozenset[str]:
        """Bring the batch to all receivers at once; answer those that are behind and must get it later, in order. Raises ReadAgain."""
        wanted = {name: [event for event in batch if event.type in receiver.types] for name, receiver in self._receivers.items()}
        names = [name for name, events in wanted.items() if events and name not in skip]
        results = await asyncio.gather(*(self.send_to(name, wanted[name], known) for name in names), return_exceptions=True)
        for again in (result for result in results if isinstance(result, ReadAgain)):
            raise again
        late = {name for name, result in zip(names, results, strict=True) if isinstance(result, BaseException)}
        if late:
            log.warning("receivers are down", receivers=sorted(late))
        return frozenset(late | {name for name in skip if wanted.get(name)})

    async def send_to(self, receiver: str, batch: Sequence[Envelope], known: int) -> None:
        """Write the batch into one receiver's inbox, in one statement. Raises when its database does not take it, and ReadAgain."""
        database = self._receivers[receiver].database
        async with asyncio.timeout(TIMEOUT_SECONDS), database.look() as session:
            await as_old_as(session, known)  # see Note [Sent by who was there before]
            await execute(
                session,
                f"{INSERT} WHERE {database.handover}",
                [event.source for event in batch],
                [event.id for event in batch],
                [event.type for event in batch],
                [event.subject for event in batch],
                [event.sequence for event in batch],
                [event.key for event in batch],
                [event.time for event in batch],
                [event.traceparent for event in batch],
                [event.data for event in batch],
            )
            ring(session, "inbox")

    async def close(self) -> None:
        """Databases belong to others; nothing to close."""


class CourierInbox:
    """The receiver's end: takes what the Courier brought, oldest first, under one leader."""

    def __init__(self, inbox: Inbox, lease: Lease, batch: int = BATCH) -> None:
        self._inbox, self.lease, self._batch = inbox, lease, batch

    async def step(self) -> bool:
        """Handle the oldest pending events; True while there are more. False when another process leads."""
        if not await self.lease.kept():
            return False
        async with self._inbox.database.look() as session:
            found = await self.oldest(session)
        if not found:
            return False
        await self._inbox.handle(found, self._settle)
        return len(found) == self._batch

    async def oldest(self, session: AsyncSession) -> list[Arrival]:
        """What came first."""
        found = await rows(session, f"SELECT seq, {EVENT} FROM inbox_pending ORDER BY seq LIMIT {self._batch}")
        return [Arrival(to_envelope(row), row.seq, origin=f"inbox_pending/{row.seq}") for row in found]

    async def _settle(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        await self.lease.delete(session, "inbox_pending.seq", [each.mark for each in arrivals], self._inbox.database.handover)
