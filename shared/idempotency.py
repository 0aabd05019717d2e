"""A write that is sent twice happens once: the key, the effect and the answer are committed together.

Times are machine time. A key is remembered for RETENTION; afterwards the same key is a new command.

# Note [One look]
A statement sees what was committed before it began, and takes its lock later: another request with the key may commit in between. Such a
command believes that it is new, and cannot commit: the key is there. So whoever carries a new command out looks once more, in a new
transaction, when it fails for whatever reason. A second look under the lock would cost every command a round trip.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, LargeBinary
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.db import MessagingTable, execute, rows, utc
from shared.errors import Conflict, FieldError, Invalid

RETENTION = timedelta(days=30)
HEADER = "Idempotency-Key"


# $1 what the lock is named after, $2 principal, $3 route, $4 key: takes the lock and reads what was kept, in one round trip.
CLAIM = (
    "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7)) AS mine, k.fingerprint, k.status, k.headers::text AS headers, k.body "
    "FROM (SELECT 1) AS one LEFT JOIN idempotency_key k ON k.principal = $2 AND k.route = $3 AND k.key = $4"
)
# The same for many, whose principals and keys are $1 and $2; $3 route. One look per key, however large the table is.
# What follows waits no longer than $4 for a lock; said here, because a statement of its own costs everybody a round trip.
CLAIM_MANY = (
    "SELECT t.principal, t.key, set_config('lock_timeout', $4, true) FROM unnest($1::text[], $2::text[]) AS t(principal, key) "
    "WHERE pg_try_advisory_xact_lock(hashtextextended(concat_ws(chr(10), t.principal, $3::text, t.key), 7)) "
    "AND (SELECT k.fingerprint FROM idempotency_key k "
    "WHERE k.principal = t.principal AND k.route = $3 AND k.key = t.key) IS NULL"
)


class IdempotencyRow(MessagingTable, table=True):
    """A command that was carried out, and what was answered."""

    __tablename__ = "idempotency_key"
    principal: str = Field(primary_key=True)
    route: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    fingerprint: str
    status: int
    headers: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = utc(index=True)


@dataclass(frozen=True)
class Command:
    """Whose command this is, by which route, under which key; `fingerprint` tells whether a second one is the same."""

    principal: str
    route: str
    key: str
    fingerprint: str

    @property
    def lock(self) -> str:
        """What the lock is named after that whoever carries it out holds."""
        return f"{self.principal}\n{self.route}\n{self.key}"


@dataclass(frozen=True)
class Answer:
    """A response as it was sent."""

    status: int
    headers: dict[str, str]
    body: bytes


def fingerprint(*parts: bytes) -> str:
    """What makes two requests the same."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()


async def recall(session: AsyncSession, command: Command) -> Answer | None:
    """The stored answer of a command that was carried out before; None when it is new, and nobody else may begin it until the commit.

    Raises Conflict while another request carries it out, Invalid when the key was used for something else. See Note [One look].
    """
    row = (await rows(session, CLAIM, command.lock, command.principal, command.route, command.key))[0]
    if not row.mine:
        raise Conflict("Otra solicitud con la misma clave todavía está en curso.", remedy="Espere un momento y repítala tal cual.")
    if row.fingerprint is None:
        return None
    if row.fingerprint != command.fingerprint:
        raise Invalid(
            "Esta clave ya se usó para otra solicitud.",
            errors=[FieldError(field=HEADER, message="use una clave nueva para cada solicitud distinta")],
        )
    return Answer(row.status, json.loads(row.headers), bytes(row.body))


async def free(session: AsyncSession, commands: Sequence[Command], *, lock_wait: str) -> list[Command]:
    """Those of a route's commands that are new and that nobody else may begin until the commit, each key once. Where there are any the
    transaction waits for no lock longer than `lock_wait` (PostgreSQL's words). See Note [One look]."""
    asked = {(each.principal, each.key): each for each in reversed(commands)}
    found = await rows(session, CLAIM_MANY, *map(list, zip(*asked, strict=True)), commands[0].route, lock_wait)
    return [asked[row.principal, row.key] for row in found]


async def prune(session: AsyncSession) -> int:
    """Forget keys whose time is over."""
    return await execute(session, "DELETE FROM idempotency_key WHERE created_at < clock_timestamp() - $1::interval", RETENTION)
