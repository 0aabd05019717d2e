"""Sentences about a service's tables that hold at any time, each with the query that finds the rows that break it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import rows

SHOWN = 20
RESTS = timedelta(hours=1)  # what is told or heard of later than this waits for a person
# What holds of every service's outbox and inbox at $1, the instant before which nothing may lie there any more.
FRAME = {
    "lo que se publicó hace más de una hora ya salió": "SELECT event_id FROM outbox WHERE occurred_at < $1",
    "ningún suceso está retenido por repetirse de más": "SELECT event_id FROM outbox_held WHERE occurred_at < $1",
    "ningún suceso de hace más de una hora espera ser atendido": "SELECT event_id FROM inbox_pending WHERE occurred_at < $1",
    "ningún suceso está muerto, ni espera desde hace más de una hora": """
        SELECT key || ' · ' || event_id FROM parked_event WHERE reason = 'dead' OR occurred_at < $1""",
}


@dataclass(frozen=True)
class Broken:
    """A sentence that does not hold, and up to SHOWN of the rows that break it, by their ids or numbers."""

    sentence: str
    found: tuple[str, ...]

    def __str__(self) -> str:
        return f"no se cumple: {self.sentence} ({', '.join(self.found)})"


async def broken(session: AsyncSession, checks: Mapping[str, str], *arguments: object) -> list[Broken]:
    """The sentences that do not hold, each with some of the rows that break it; empty when all is well."""
    found = []
    for sentence, sql in checks.items():
        if breaking := await rows(session, f"{sql} LIMIT {SHOWN}", *arguments):
            found.append(Broken(sentence, tuple(str(row[0]) for row in breaking)))
    return found


async def resting(session: AsyncSession, now: datetime) -> list[Broken]:
    """What lies too long in the service's outbox or inbox."""
    return await broken(session, FRAME, now - RESTS)
