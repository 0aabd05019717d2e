"""Instants that a service waits for: armed and cancelled in the transaction that needs them, fired once, on business time."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.db import MessagingTable, execute, ring, rows, utc
from shared.discretion import told_with_place
from shared.jobs import Job, JobContext
from shared.log import get_logger
from shared.routing import Context
from shared.transient import is_transient

log = get_logger("timers")
PAUSES = [timedelta(minutes=each) for each in (0, 1, 5, 30, 120)]  # business time from its instant to its n-th try
# A timer that failed is past due: those few are found among the past ones, all others by their index.
NEXT = """SELECT least(
    (SELECT min(due_at) FROM timer WHERE kind = ANY($1::text[]) AND failures = 0),
    (SELECT min(due_at + ($3::interval[])[failures + 1]) FROM timer
        WHERE kind = ANY($1::text[]) AND failures BETWEEN 1 AND cardinality($3::interval[]) - 1 AND due_at <= $2)
) AS due"""
TAKE = """DELETE FROM timer WHERE (kind, key) = (
    SELECT kind, key FROM timer
    WHERE kind = ANY($1::text[]) AND due_at <= $2 AND failures < cardinality($3::interval[])
        AND due_at + ($3::interval[])[failures + 1] <= $2
    ORDER BY due_at, kind, key LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING kind, key, due_at, payload::text AS payload"""


class TimerRow(MessagingTable, table=True):
    """An armed timer. One that fails is tried again after PAUSES; after the last it stays, unfired, for a person to look at."""

    __tablename__ = "timer"
    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    due_at: datetime = utc(index=True)
    payload: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    failures: int = 0


@dataclass(frozen=True)
class DueTimer:
    """A timer at its instant. `due_at` is the instant it was armed for (UTC), however late it fires."""

    kind: str
    key: str
    due_at: datetime
    payload: dict[str, Any]


Handler = Callable[[Context, DueTimer], Awaitable[None]]


class TimerRouter:
    """Which function runs when a kind of timer is due."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}

    def on(self, kind: str) -> Callable[[Handler], Handler]:
        """Handle timers of this kind."""

        def register(handler: Handler) -> Handler:
            if kind in self.handlers:
                raise ValueError(f"timer {kind} has two handlers")
            self.handlers[kind] = handler
            return handler

        return register


async def arm(session: AsyncSession, *, kind: str, key: str, due_at: datetime, payload: dict[str, Any] | None = None) -> None:
    """Fire (kind, key) at `due_at` (aware); arming again moves it."""
    await execute(
        session,
        "INSERT INTO timer (kind, key, due_at, payload, failures) VALUES ($1, $2, $3, $4::jsonb, 0) "
        "ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, payload = excluded.payload, failures = 0",
        kind,
        key,
        due_at,
        json.dumps(payload or {}),
    )
    ring(session, "lookout")


async def cancel(session: AsyncSession, *, kind: str, key: str) -> None:
    """Forget (kind, key); nothing happens if it is not armed or has fired."""
    await execute(session, "DELETE FROM timer WHERE kind = $1 AND key = $2", kind, key)


async def next_due(session: AsyncSession, kinds: list[str], now: datetime) -> datetime | None:
    """When the next timer of these kinds is due, or tried again, in business time."""
    return (await rows(session, NEXT, kinds, now, PAUSES))[0].due  # type: ignore[no-any-return]


def timer_job(router: TimerRouter) -> Job:
    """The job that fires a service's timers."""

    async def next_timer(session: AsyncSession, context: JobContext) -> datetime | None:
        return await next_due(session, list(router.handlers), context.now)

    return Job("timers", next_timer, lambda context: fire(router, context))


async def fire(router: TimerRouter, context: JobContext) -> int:
    """Fire everything due at the context's instant, earliest first, each in a transaction of its own. Answers how many fired."""
    fired = 0
    while await _fire_one(router, context):
        fired += 1
    return fired


async def _fire_one(router: TimerRouter, context: JobContext) -> bool:
    timer: DueTimer | None = None
    try:
        async with context.database.transaction() as session:
            timer = await _take(session, list(router.handlers), context.now)
            if timer is None:
                return False
            handling = Context(session=session, now=context.now, operator=context.operator, service=context.database.service)
            await router.handlers[timer.kind](handling, timer)
    except Exception as error:
        if timer is None or is_transient(error):
            raise
        log.error("timer failed", kind=timer.kind, key=timer.key, error=told_with_place(error))
        async with context.database.transaction() as session:
            await execute(session, "UPDATE timer SET failures = failures + 1 WHERE kind = $1 AND key = $2", timer.kind, timer.key)
    return True


async def _take(session: AsyncSession, kinds: list[str], now: datetime) -> DueTimer | None:
    found = await rows(session, TAKE, kinds, now, PAUSES)
    return DueTimer(found[0].kind, found[0].key, found[0].due_at, json.loads(found[0].payload)) if found else None
