"""When each account is to be looked at next. Whoever calls this holds the accounts' locks: that is why no new fact is ever overlooked."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import execute, ring

SOON = """
INSERT INTO account_review (account_id, due_at) SELECT unnest($1::uuid[]), $2
ON CONFLICT (account_id) DO UPDATE SET due_at = excluded.due_at
"""
LATER = """
INSERT INTO account_review (account_id, due_at) SELECT * FROM unnest($1::uuid[], $2::timestamptz[])
ON CONFLICT (account_id) DO UPDATE SET due_at = excluded.due_at
"""
NEVER = "DELETE FROM account_review WHERE account_id = ANY($1::uuid[])"


async def look_soon(session: AsyncSession, ids: Sequence[UUID], *, now: datetime) -> None:
    """Have these accounts reviewed at once: there is a new fact."""
    await execute(session, SOON, list(ids), now)
    ring(session, "review")


async def look_later(session: AsyncSession, found: Sequence[tuple[UUID, datetime | None]]) -> None:
    """Have each account reviewed at its instant, or (None) not before there is a new fact."""
    later = [(each, at) for each, at in found if at is not None]
    if later:
        await execute(session, LATER, [each for each, _ in later], [at for _, at in later])
    never = [each for each, at in found if at is None]
    if never:
        await execute(session, NEVER, never)
