"""The audit trail: one row per write that was committed, in its transaction, and one per list that was taken along as a file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared import sorting
from shared.auth import Principal
from shared.db import Fetched, MessagingTable, execute, new_id, utc
from shared.idempotency import Answer, Command
from shared.log import trace_id, trace_id_of
from shared.sorting import Order, Placed, Sorting

KEPT_BODY = 16 * 1024
RECORD = (
    "INSERT INTO audit_entry (id, at, recorded_at, person, name, desks, method, path, status, body, trace_id) "
    "VALUES ($1, $2, clock_timestamp(), $3, $4, $5, $6, $7, $8, $9, $10)"
)
FINISH = (
    "WITH kept AS (INSERT INTO idempotency_key (principal, route, key, fingerprint, status, headers, body, created_at) "
    f"VALUES ($3, $11, $12, $13, $8, $14::jsonb, $15, clock_timestamp())) {RECORD}"
)
# The same for many of one route, a list for each column; a person's desks are one text.
FINISH_MANY = """
WITH done AS (
    SELECT * FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::int[], $10::text[], $11::text[], $12::text[], $13::text[],
        $14::text[], $15::bytea[]) AS t(id, person, name, desks, status, body, trace_id, key, fingerprint, headers, answer)
), kept AS (
    INSERT INTO idempotency_key (principal, route, key, fingerprint, status, headers, body, created_at)
    SELECT person, $2, key, fingerprint, status, headers::jsonb, answer, clock_timestamp() FROM done
)
INSERT INTO audit_entry (id, at, recorded_at, person, name, desks, method, path, status, body, trace_id)
SELECT id, $1, clock_timestamp(), person, name, string_to_array(desks, chr(10)), $3, $4, status, body, trace_id FROM done
"""
FIND = """
SELECT id, at, recorded_at, person, name, desks, method, path, status, body, trace_id {key} FROM audit_entry
WHERE ($1::text IS NULL OR person = $1) AND ($2::text IS NULL OR starts_with(path, $2)) AND ($3::text IS NULL OR method = $3)
    AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5) {page}"""
ENTRIES = Sorting(
    "-id",
    sorting.identity("id"),
    id=sorting.identity("id"),
    at=sorting.instant("at"),
    person=sorting.text("person"),
    name=sorting.text("name"),
    method=sorting.text("method"),
    path=sorting.text("path"),
    status=sorting.number("status"),
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


@dataclass(frozen=True)
class Done:
    """A command that was carried out, and what was answered to it."""

    actor: Principal
    method: str
    path: str
    body: bytes | None
    command: Command
    answer: Answer
    traceparent: str | None


async def record(
    session: AsyncSession, actor: Principal, *, method: str, path: str, status: int, body: bytes | None, now: datetime
) -> None:
    """Write down that `actor` did this."""
    await execute(session, RECORD, *_columns(actor, method, path, status, body, now, trace_id()))


async def finish(session: AsyncSession, done: Sequence[Done], *, now: datetime) -> None:
    """Write down commands that may be sent again, each with what was answered, all in one round trip. Many are of one route and path."""
    if len(done) == 1:
        each, answer = done[0], done[0].answer
        entry = _columns(each.actor, each.method, each.path, answer.status, each.body, now, trace_id_of(each.traceparent))
        kept = (each.command.route, each.command.key, each.command.fingerprint, json.dumps(answer.headers), answer.body)
        await execute(session, FINISH, *entry, *kept)
    elif done:
        table = [
            (
                *(new_id(), each.actor.person, each.actor.name, "\n".join(sorted(each.actor.desks)), each.answer.status, _text(each.body)),
                *(trace_id_of(each.traceparent), each.command.key, each.command.fingerprint),
                *(json.dumps(each.answer.headers), each.answer.body),
            )
            for each in done
        ]
        columns = map(list, zip(*table, strict=True))
        await execute(session, FINISH_MANY, now, done[0].command.route, done[0].method, done[0].path, *columns)


async def find_entries(
    session: AsyncSession,
    order: Order,
    *,
    person: str | None,
    path: str | None,
    method: str | None,
    since: datetime | None,
    until: datetime | None,
) -> list[Placed[Fetched]]:
    """What was done: by this person, at paths that begin so, in business time from `since` on and before `until`."""
    return await order.rows(session, FIND, person, path, method, since, until)


def _columns(
    actor: Principal, method: str, path: str, status: int, body: bytes | None, now: datetime, trace: str | None
) -> tuple[Any, ...]:
    """RECORD's arguments."""
    return new_id(), now, actor.person, actor.name, sorted(actor.desks), method, path, status, _text(body), trace


def _text(body: bytes | None) -> str | None:
    """A body as an entry has it."""
    return body.decode("utf-8", "replace").replace("\x00", "")[:KEPT_BODY] if body else None
