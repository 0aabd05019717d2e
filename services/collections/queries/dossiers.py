"""Dossiers that were asked for, and what the next one is made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Dossier
from services.collections.queries.accounts import get_account
from services.collections.queries.timeline import told_of
from services.collections.rules.dossier import FileVerdict, Given, digest, number_in
from shared.db import Fetched, rows
from shared.errors import NotFound
from shared.sorting import Order, Placed, Sorting, identity, instant, number, text

COLUMNS = """id, customer_id, suspension_id, state, requested_by, requested_at, ready_at, pages, octet_length(file) AS size,
    content_sha256, file_sha256, failure"""
LIST = f"SELECT {COLUMNS} {{key}} FROM dossier WHERE ($1::uuid IS NULL OR customer_id = $1) {{page}}"
DOSSIERS = Sorting(
    "-id",
    identity("id"),
    id=identity("id"),
    state=text("state"),
    requested_by=text("requested_by"),
    requested_at=instant("requested_at"),
    ready_at=instant("ready_at", empty=True),
    pages=number("pages", empty=True),
)
ONE = f"SELECT {COLUMNS} FROM dossier WHERE id = $1"
GIVEN = """
SELECT d.id, d.customer_id, a.name, a.external_id, d.requested_by, d.ready_at, d.file_sha256
FROM dossier d JOIN account a ON a.id = d.customer_id WHERE d.state = 'READY' AND (d.file_sha256 = $1 OR d.id = $2)
"""
QUEUED = "SELECT min(requested_at) AS due FROM dossier WHERE state = 'QUEUED'"
NEXT = "SELECT id FROM dossier WHERE state = 'QUEUED' ORDER BY requested_at, id LIMIT 1 FOR UPDATE SKIP LOCKED"
STATUSES = "SELECT previous, code, label, rule, reason, changed_at FROM status_change WHERE account_id = $1 ORDER BY version"
OF_CUSTOMER = {
    "id", "external_source", "external_id", "name", "tax_id", "contacts", "services", "delivery", "monthly_amount", "currency", "is_isp",
    "special_negotiation", "contract_start", "contract_end", "agent", "policy", "opening_status", "status", "status_since", "registered_at",
}  # fmt: skip


@dataclass(frozen=True)
class Gathered:
    """Everything that a dossier tells of a customer."""

    customer: Mapping[str, Any]
    statuses: Sequence[Mapping[str, Any]]
    told: Sequence[Mapping[str, Any]]


async def known_of(session: AsyncSession, customer_id: UUID) -> Gathered:
    """What is known of the customer in this instant, read in one snapshot. Raises NotFound."""
    account = await get_account(session, customer_id)
    statuses = [dict(row) for row in await rows(session, STATUSES, customer_id)]
    told = [{**row, "data": json.loads(row.data)} for row in await told_of(session, customer_id)]
    return Gathered(account.model_dump(include=OF_CUSTOMER), statuses, told)


async def list_dossiers(session: AsyncSession, order: Order, *, customer_id: UUID | None) -> list[Placed[Fetched]]:
    """Dossiers without their files."""
    return await order.rows(session, LIST, customer_id)


async def get_dossier(session: AsyncSession, dossier_id: UUID) -> Fetched:
    """A dossier without its file. Raises NotFound."""
    found = await rows(session, ONE, dossier_id)
    if not found:
        raise NotFound(f"No existe el expediente {dossier_id}.", remedy="Vea los que hay en GET /dossiers.")
    return found[0]


async def file_of(session: AsyncSession, dossier_id: UUID) -> bytes | None:
    """The PDF exactly as it is given out; None when it is not printed yet."""
    return (await session.execute(select(Dossier.file).where(col(Dossier.id) == dossier_id))).scalar_one_or_none()


async def verify(session: AsyncSession, file: bytes) -> FileVerdict:
    """Is the file, to the last byte, a dossier that was given out? Or one that was changed since, by the number that it still bears?"""
    sha256, number = digest(file), number_in(file)
    found = await rows(session, GIVEN, sha256, number)
    exact = next((row for row in found if row.file_sha256 == sha256), None)
    row = exact or (found[0] if found else None)
    return FileVerdict(sha256, exact is not None, Given(*row) if row else None)


async def next_due(session: AsyncSession) -> datetime | None:
    """Since when the oldest dossier waits to be printed."""
    return (await rows(session, QUEUED))[0].due  # type: ignore[no-any-return]


async def claim_next(session: AsyncSession) -> Dossier | None:
    """The oldest dossier that waits and that no other worker has, kept to this transaction."""
    found = await rows(session, NEXT)
    return await session.get_one(Dossier, found[0].id) if found else None
