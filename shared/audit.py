"""Who did what: one row per write that was committed, in its transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.auth import Principal
from shared.db import MessagingTable, execute, new_id, utc
from shared.idempotency import Answer, Command
from shared.log import trace_id, trace_id_of

KEPT_BODY = 16 * 1024
RECORD = (
    "INSERT INTO audit_entry (id, at, recorded_at, person, name, desks, method, path, status, body, trace_id) "
    "VALUES ($1, $2, clock_timestamp(), $3, $4, $5, $6, $7, $8, $9, $10)"
)
FINISH = (
    "WITH kept AS (INSERT INTO idempotency_key (principal, route, key, fingerprint, status, headers, body, created_at) "
    f"VALUES ($3, $11, $12, $13, $8, $14::jsonb, $15, clock_timestamp())) {RECORD}"
)
FINISH_MANY = """
WITH done AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[], $9::text[],
        $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[])
    AS t(id, person, name, desks, method, path, status, body, trace_id, route, key, fingerprint, headers, answer)
), kept AS (
    INSERT INTO idempotency_key (principal, route, key, fingerprint, status, headers, body, created_at)
    SELECT person, route, key, fingerprint, status, headers::jsonb, answer, clock_timestamp() FROM done ORDER BY person, route, key
)
INSERT INTO audit_entry (id, at, recorded_at, person, name, desks, method, path, status, body, trace_id)
SELECT id, $15, clock_timestamp(), person, name, string_to_array(desks, E'\\n'), method, path, status, body, trace_id FROM done
"""


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


@dataclass(frozen=True)
class Entry:
    """A command that was carried out together with others, and what was answered to it."""

    actor: Principal
    method: str
    path: str
    body: bytes
    command: Command
    answer: Answer
    traceparent: str | None


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
    entry = (new_id(), now, actor.person, actor.name, sorted(actor.desks), method, path, status, _kept(body), trace_id())
    if kept is None:
        await execute(session, RECORD, *entry)
        return
    command, answer = kept
    await execute(session, FINISH, *entry, command.route, command.key, command.fingerprint, json.dumps(answer.headers), answer.body)


async def record_many(session: AsyncSession, entries: Sequence[Entry], *, now: datetime) -> None:
    """The same for many commands, in one statement."""
    if not entries:
        return
    given = [
        (new_id(), each.actor.person, each.actor.name, "\n".join(sorted(each.actor.desks)), each.method, each.path, each.answer.status,
         _kept(each.body), trace_id_of(each.traceparent), each.command.route, each.command.key, each.command.fingerprint,
         json.dumps(each.answer.headers), each.answer.body)
        for each in entries
    ]  # fmt: skip
    await execute(session, FINISH_MANY, *map(list, zip(*given, strict=True)), now)


def _kept(body: bytes | None) -> str | None:
    return body.decode("utf-8", "replace").replace("\x00", "")[:KEPT_BODY] if body else None
