"""The audit of a service's own database: every night, and whenever somebody asks. What was found is kept, and measured (`/metrics`).

# Note [Once a night]
An audit that is wanted is a row, of which one at most waits. Whoever holds the lease works it out and proves the lease when he writes what
he found: two workers do it once, and one that dies leaves the row to the next. A night on which nobody ran is made up for by one audit.
"""

import json
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID

from asyncpg.exceptions import QueryCanceledError
from sqlalchemy import Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared import sorting
from shared.background import in_the_background
from shared.calendar import BusinessCalendar
from shared.db import Fetched, MessagingTable, execute, new_id, one_of, ring, rows, utc
from shared.discretion import told
from shared.invariants import Finding, Sentences, ask_again, snapshot_of
from shared.jobs import Job, JobContext
from shared.lease import Lease, prolonged
from shared.log import get_logger
from shared.sorting import Order, Placed, Sorting
from shared.transient import is_transient

log = get_logger("audit")
NAME = "audit"  # of the job and of its lease
COPIES = "audit_copies"  # the resource that compares what this service keeps of others, where one process has all their databases
Copies = Callable[[], Awaitable[list[Finding]]]
PATIENCE = 1_800  # seconds for one sentence: a million customers' postings are summed up on a small machine
KEPT = 90
COLUMNS = "id, state, asked_at, asked_by, audited_at, seconds, failure, found::text AS found"
ASK = f"""
INSERT INTO audit_result (id, state, asked_at, asked_by, found) VALUES ($1, 'WAITING', $2, $3, '[]')
ON CONFLICT (state) WHERE state = 'WAITING' DO UPDATE SET asked_at = audit_result.asked_at RETURNING {COLUMNS}"""
NEXT = """
SELECT (SELECT asked_at FROM audit_result WHERE state = 'WAITING') AS asked, (SELECT max(audited_at) FROM audit_result) AS looked"""
FINISH = """
UPDATE audit_result SET state = $2, audited_at = $3, seconds = $4, failure = $5, found = $6::jsonb WHERE id = $1 AND state = 'WAITING'"""
FORGET = "DELETE FROM audit_result WHERE id IN (SELECT id FROM audit_result ORDER BY id DESC OFFSET $1)"
FIND = f"SELECT {COLUMNS} {{key}} FROM audit_result WHERE ($1::text IS NULL OR state = $1) {{page}}"
AUDITS = Sorting(
    "-id",
    sorting.identity("id"),
    id=sorting.identity("id"),
    state=sorting.text("state"),
    asked_at=sorting.instant("asked_at"),
    asked_by=sorting.text("asked_by", empty=True),
    audited_at=sorting.instant("audited_at", empty=True),
    seconds=sorting.amount("seconds", empty=True),
)
LATEST = """
SELECT extract(epoch FROM $1::timestamptz - audited_at)::float8 AS age, found::text AS found FROM audit_result
WHERE state IN ('SOUND', 'BROKEN') ORDER BY audited_at DESC, id DESC LIMIT 1"""


class AuditState(StrEnum):
    """WAITING: asked for, or under way. SOUND: every sentence holds. BROKEN: some do not. FAILED: it could not be worked out."""

    WAITING = "WAITING"
    SOUND = "SOUND"
    BROKEN = "BROKEN"
    FAILED = "FAILED"


class AuditResult(MessagingTable, table=True):
    """An audit that was asked for, by a person or (`asked_by` empty) by the night, and what was found: of each sentence how many rows
    break it and the first of them. `asked_at` and `audited_at` are business time (UTC), `seconds` the machine's. The last KEPT stay."""

    __tablename__ = "audit_result"
    __table_args__ = (
        one_of("state", AuditState, "ck_audit_result_state"),
        Index("uq_audit_result_waiting", "state", unique=True, postgresql_where=text("state = 'WAITING'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    state: str = AuditState.WAITING
    asked_at: datetime = utc()
    asked_by: str | None = None
    audited_at: datetime | None = utc(nullable=True, index=True)
    seconds: float | None = None
    failure: str | None = None
    found: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))


async def ask_for(session: AsyncSession, *, by: str | None, now: datetime) -> Fetched:
    """Want an audit; one that is waiting or under way already answers this wish, too. Answers its row."""
    ring(session, NAME)
    return (await rows(session, ASK, new_id(), now, by))[0]


async def find_audits(session: AsyncSession, order: Order, *, state: AuditState | None) -> list[Placed[Fetched]]:
    """Audits."""
    return await order.rows(session, FIND, state)


def findings(row: Fetched) -> list[Finding]:
    """What an audit found of each sentence, those that hold among them."""
    return [Finding(each["sentence"], each["count"], tuple(each["first"])) for each in json.loads(row.found)]


async def latest(session: AsyncSession, now: datetime) -> tuple[float, list[Finding]]:
    """How old the last audit is that was worked out, in seconds of business time (infinite: there is none), and what it found."""
    found = await rows(session, LATEST, now)
    return (found[0].age, findings(found[0])) if found else (float("inf"), [])


def audit_job(sentences: Sentences) -> Job:
    """The job that asks a service's sentences."""
    return Job(NAME, next_due, partial(run, sentences))


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """When one was asked for, else tonight's hour of the operator's file; at once where there was never one."""
    asked, looked = (await rows(session, NEXT))[0]
    if asked is not None or not context.settings.audits_nightly:
        return asked  # type: ignore[no-any-return]
    return BusinessCalendar(context.operator).next_at(context.operator.audit.at, looked) if looked is not None else context.now


async def run(sentences: Sentences, context: JobContext) -> int:
    """Work out what is wanted, unless another worker does (Note [Once a night]). Answers how many audits."""
    lease = Lease(context.database, NAME, f"{os.getpid()}-{secrets.token_hex(4)}")
    if not await lease.held():
        return 0

    async def renew() -> None:
        await lease.held()

    try:
        async with prolonged(renew):
            return await _work(sentences, context, lease)
    finally:
        with suppress(Exception):
            await lease.release()


async def _work(sentences: Sentences, context: JobContext, lease: Lease) -> int:
    led = lease.epoch  # what renews it may take it anew, after another has done the work
    async with context.database.transaction() as session:
        due = await next_due(session, context)
        if due is None or due > context.now:  # done meanwhile
            return 0
        wanted = await ask_for(session, by=None, now=context.now)
    began = time.monotonic()
    found, failure = await _look(sentences, context)
    broken = [each for each in found if each.count]
    state = AuditState.FAILED if failure else AuditState.BROKEN if broken else AuditState.SOUND
    kept = json.dumps([{"sentence": each.sentence, "count": each.count, "first": each.found} for each in found], ensure_ascii=False)
    async with context.database.transaction() as session:
        await lease.prove(session, led)
        await execute(session, FINISH, wanted.id, state, context.now, round(time.monotonic() - began, 3), failure, kept)
        await execute(session, FORGET, KEPT)
    for each in broken:
        shown = ", ".join(each.found)
        log.error("audit: does not hold", service=context.database.service, sentence=each.sentence, count=each.count, first=shown)
    return 1


async def _look(sentences: Sentences, context: JobContext) -> tuple[list[Finding], str | None]:
    """What was found, or why nothing could be. Raises what passes by itself: the row still waits then."""
    copies: Copies | None = context.resources.get(COPIES)
    try:
        async with in_the_background(context.database, patience=PATIENCE) as quiet:
            found = await ask_again(sentences, partial(snapshot_of, quiet), context.operator)
        return [*found, *(await copies() if copies is not None else [])], None
    except Exception as error:
        if is_transient(error) and not _took_too_long(error):
            raise
        log.error("audit could not be worked out", service=context.database.service, error=told(error))
        return [], f"No se pudo terminar ({type(error).__name__})."


def _took_too_long(error: Exception) -> bool:
    """A sentence that was ended after its time would take as long again."""
    return isinstance(error, TimeoutError | QueryCanceledError)
