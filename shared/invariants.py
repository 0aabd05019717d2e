"""Sentences about a service's tables that hold at any time, and how they are asked: in a house that stands still, and in one at work.

# Note [Short looks]
An audit of a million customers takes minutes. One snapshot for all of it would keep the server from clearing away what outbox and inbox
leave behind meanwhile, so each sentence, and each chunk of what a function judges, has a snapshot of its own. Its business time is read
in it and never before: nothing that it shows is later.

# Note [Asked again]
Clocks of machines differ by some milliseconds, and events are under way. What does not hold is asked once more a moment later, and only
that answer counts.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import business_time
from shared.db import Database, execute, rows
from shared.operator import Operator

SHOWN = 20
AGAIN_SECONDS = 2.0
RESTS = timedelta(hours=1)  # what is told or heard of later than this waits for a person
# What holds of every service's outbox and inbox at $1, the instant before which nothing may lie there any more.
FRAME = {
    "lo que se publicó hace más de una hora ya salió": "SELECT event_id FROM outbox WHERE occurred_at < $1",
    "ningún suceso está retenido por repetirse de más": "SELECT event_id FROM outbox_held WHERE occurred_at < $1",
    "ningún suceso de hace más de una hora espera ser atendido": "SELECT event_id FROM inbox_pending WHERE occurred_at < $1",
    "ningún suceso está muerto, ni espera desde hace más de una hora": """
        SELECT key || ' · ' || event_id FROM parked_event WHERE reason = 'dead' OR occurred_at < $1""",
}
COUNTED = "SELECT t.*, count(*) OVER () AS broken_by FROM ({}) AS t LIMIT {}"
# Opens a snapshot, with the business time that it has (UTC).
Snapshot = Callable[[], AbstractAsyncContextManager[tuple[AsyncSession, datetime]]]
Judge = Callable[[Snapshot, Operator], AsyncIterator[tuple[str, str]]]


@dataclass(frozen=True)
class Finding:
    """What was found of a sentence: how many rows break it (0: it holds), and up to SHOWN of them, by their ids or numbers."""

    sentence: str
    count: int
    found: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"no se cumple: {self.sentence} ({', '.join(self.found)})"


@dataclass(frozen=True)
class Sentences:
    """What must hold of a service's own tables. `checks`: each with the query for the rows that break it. `judged`: those that only a
    function can judge, which yields each sentence with what breaks it, looking at one snapshot after the other."""

    checks: Mapping[str, str]
    judged: tuple[str, ...] = ()
    judge: Judge | None = None


NOTHING = Sentences({})


async def check(session: AsyncSession, sentence: str, sql: str, *arguments: object) -> Finding:
    """Does the sentence hold? The query answers the rows that break it, their id or number first."""
    found = await rows(session, COUNTED.format(sql, SHOWN), *arguments)
    return Finding(sentence, found[0].broken_by if found else 0, tuple(str(row[0]) for row in found))


async def ask(sentences: Sentences, snapshot: Snapshot, operator: Operator) -> list[Finding]:
    """Every sentence in turn: those that hold, too."""
    found = []
    for sentence, sql in sentences.checks.items():
        async with snapshot() as (session, _):
            found.append(await check(session, sentence, sql))
    return [*found, *await _judged(sentences, snapshot, operator)]


async def ask_again(sentences: Sentences, snapshot: Snapshot, operator: Operator, *, again: float = AGAIN_SECONDS) -> list[Finding]:
    """The same, of a house at work (Note [Asked again]; `again` is machine time), and whether anything lies too long in outbox or inbox."""
    found = []
    for sentence, sql in FRAME.items():
        found += await _twice(partial(_resting, snapshot, sentence, sql), again)
    for sentence, sql in sentences.checks.items():
        found += await _twice(partial(ask, Sentences({sentence: sql}), snapshot, operator), again)
    return [*found, *await _twice(partial(_judged, sentences, snapshot, operator), again)]


async def _resting(snapshot: Snapshot, sentence: str, sql: str) -> list[Finding]:
    async with snapshot() as (session, now):
        return [await check(session, sentence, sql, now - RESTS)]


async def _judged(sentences: Sentences, snapshot: Snapshot, operator: Operator) -> list[Finding]:
    counts, found = defaultdict[str, int](int), defaultdict[str, list[str]](list)
    if sentences.judge is not None:
        async for sentence, key in sentences.judge(snapshot, operator):
            counts[sentence] += 1
            if len(found[sentence]) < SHOWN:
                found[sentence].append(key)
    return [Finding(each, counts[each], tuple(found[each])) for each in sentences.judged]


async def _twice(question: Callable[[], Awaitable[list[Finding]]], again: float) -> list[Finding]:
    found = await question()
    if any(each.count for each in found):
        await asyncio.sleep(again)
        found = await question()
    return found


@asynccontextmanager
async def snapshot_of(database: Database) -> AsyncIterator[tuple[AsyncSession, datetime]]:
    """A snapshot of a service's database in which nothing can be changed, and its business time."""
    async with database.transaction() as session:
        await execute(session, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield session, await business_time(session)
