"""The embedded default's transport: outbox rows go straight into each receiver's durable inbox, in its own database."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.db import Database, execute, ring
from shared.events import Envelope
from shared.log import get_logger

log = get_logger("courier")

INSERT = (
    "INSERT INTO inbox_pending (event_id, sender, type, subject, sequence, key, occurred_at, traceparent, data) SELECT * FROM unnest("
    "$1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::timestamptz[], $8::text[], $9::text[])"
)
TIMEOUT_SECONDS = 5


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

    async def send(self, batch: Sequence[Envelope], skip: frozenset[str]) -> frozenset[str]:
        """Bring the batch to all receivers at once; answer those that are behind and must get it later, in order."""
        wanted = {name: [event for event in batch if event.type in receiver.types] for name, receiver in self._receivers.items()}
        names = [name for name, events in wanted.items() if events and name not in skip]
        results = await asyncio.gather(*(self.send_to(name, wanted[name]) for name in names), return_exceptions=True)
        late = {name for name, result in zip(names, results, strict=True) if isinstance(result, BaseException)}
        if late:
            log.warning("receivers are down", receivers=sorted(late))
        return frozenset(late | {name for name in skip if wanted.get(name)})

    async def send_to(self, receiver: str, batch: Sequence[Envelope]) -> None:
        """Write the batch into one receiver's inbox, in one statement. Raises when its database does not take it."""
        database = self._receivers[receiver].database
        async with asyncio.timeout(TIMEOUT_SECONDS), database.look() as session:
            await execute(
                session,
                INSERT,
                [event.id for event in batch],
                [event.source for event in batch],
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
