"""Who did what: one row per write that was committed, in its transaction."""

import json
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.auth import Principal
from shared.db import MessagingTable, execute, new_id, utc
from shared.idempotency import Answer, Command
from shared.log import trace_id

KEPT_BODY = 16 * 1024
RECORD = (
    "INSERT INTO audit_entry (id, at, recorded_at, person, name, desks, method, path, status, body, trace_id) "
    "VALUES ($1, $2, clock_timestamp(), $3, $4, $5, $6, $7, $8, $9, $10)"
)
FINISH = (
    "WITH kept AS (INSERT INTO idempotency_key (principal, route, key, fingerprint, status, headers, body, created_at) "
    f"VALUES ($3, $11, $12, $13, $8, $14::jsonb, $15, clock_timestamp())) {RECORD}"
)


class AuditRow(MessagingTable, table=True):
    """A write. `at` is business time, `recorded_at` machine time (both UTC); `body` is what was sent, cut after KEPT_BODY characters."""

    __tablename__ = "audit_entry"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    at: datetime = utc(index=True)
    recorded_at: datetime = utc()
    person: str
    name: str
    desks: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    method: str
    path: str
    status: int
    body: str | None = Field(default=None, sa_column=Column(Text))
    trace_id: str | None = None


async def record(
    session: AsyncSession,
    actor: Principal,
    *,
    method: str,
    path: str,
    status: int,
    body: bytes | None,
    now: datetime,
    kept: tuple[Command, Answer] | None = None,
) -> None:
    """Write down that `actor` did this, and in the same statement what was answered to a command that may be sent again."""
    text = body.decode("utf-8", "replace").replace("\x00", "")[:KEPT_BODY] if body else None
    entry = (new_id(), now, actor.person, actor.name, sorted(actor.desks), method, path, status, text, trace_id())
    if kept is None:
        await execute(session, RECORD, *entry)
        return
    command, answer = kept
    await execute(session, FINISH, *entry, command.route, command.key, command.fingerprint, json.dumps(answer.headers), answer.body)
