"""A write that is sent twice happens once: the key, the effect and the answer are committed together (reliability R20).

Times are machine time. A key is remembered for RETENTION; afterwards the same key is a new command.
"""

import hashlib
import json
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

    Raises Conflict while another request carries it out, Invalid when the key was used for something else.
    """
    name = f"{command.principal}\n{command.route}\n{command.key}"
    found = await rows(
        session,
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7)) AS mine, k.fingerprint, k.status, k.headers::text AS headers, k.body "
        "FROM (SELECT 1) AS one LEFT JOIN idempotency_key k ON k.principal = $2 AND k.route = $3 AND k.key = $4",
        name,
        command.principal,
        command.route,
        command.key,
    )
    row = found[0]
    if not row.mine:
        raise Conflict("Otra solicitud con la misma clave todavía está en curso.", remedy="Espere un momento y repítala tal cual.")
    if row.fingerprint is None:
        return await _again(session, command)
    if row.fingerprint != command.fingerprint:
        raise Invalid(
            "Esta clave ya se usó para otra solicitud.",
            errors=[FieldError(field=HEADER, message="use una clave nueva para cada solicitud distinta")],
        )
    return Answer(row.status, json.loads(row.headers), bytes(row.body))


async def _again(session: AsyncSession, command: Command) -> Answer | None:
    """Look once more under the lock: the other request may have committed between our snapshot and our lock."""
    found = await rows(
        session,
        "SELECT fingerprint, status, headers::text AS headers, body FROM idempotency_key WHERE principal = $1 AND route = $2 AND key = $3",
        command.principal,
        command.route,
        command.key,
    )
    if not found:
        return None
    if found[0].fingerprint != command.fingerprint:
        raise Conflict("La clave acaba de usarse para otra solicitud.", remedy="Use una clave nueva.")
    return Answer(found[0].status, json.loads(found[0].headers), bytes(found[0].body))


async def remember(session: AsyncSession, command: Command, answer: Answer) -> None:
    """Keep the answer beside the effect, in the same transaction."""
    await execute(
        session,
        "INSERT INTO idempotency_key (principal, route, key, fingerprint, status, headers, body, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, clock_timestamp())",
        command.principal,
        command.route,
        command.key,
        command.fingerprint,
        answer.status,
        json.dumps(answer.headers),
        answer.body,
    )


async def prune(session: AsyncSession) -> int:
    """Forget keys whose time is over."""
    return await execute(session, "DELETE FROM idempotency_key WHERE created_at < clock_timestamp() - $1::interval", RETENTION)
