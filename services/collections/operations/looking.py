"""When each account is to be looked at next. Whoever calls this holds the accounts' locks: that is why no new fact is ever overlooked.

# Note [A policy that was changed]
The next look was found by the policy's text of then. A process that starts with another text brings all accounts of that policy forward: in
chunks, so that nobody waits for their locks, and a chunk only when few are due, so that whoever pays meanwhile is looked at before most of
them. Once more after AGAIN: until then a process of the old text may have looked at some (docs/adr/0035).
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import PolicyInForce
from shared.bulk import Sql, write
from shared.db import execute, ring, rows
from shared.operator import Operator, Policy

SOON = """
INSERT INTO account_review (account_id, due_at) SELECT unnest($1::uuid[]), $2
ON CONFLICT (account_id) DO UPDATE SET due_at = excluded.due_at
"""
# Locks them, and answers which are known.
LOCK_AND_SOON = """
WITH known AS (SELECT id FROM account WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE), soon AS (
    INSERT INTO account_review (account_id, due_at) SELECT id, $2 FROM known
    ON CONFLICT (account_id) DO UPDATE SET due_at = excluded.due_at
) SELECT id FROM known
"""
LATER = """
INSERT INTO account_review (account_id, due_at) SELECT * FROM unnest($1::uuid[], $2::timestamptz[])
ON CONFLICT (account_id) DO UPDATE SET due_at = excluded.due_at
"""
NEVER = "DELETE FROM account_review WHERE account_id = ANY($1::uuid[])"

AGAIN = timedelta(minutes=10)
FIRST = UUID(int=0)
FORWARD = 2000  # accounts that are brought forward in one transaction
NEW = """
INSERT INTO policy_in_force (policy, text, since, cut, recovery) SELECT t.policy, t.text, $5, t.cut, t.recovery
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS t(policy, text, cut, recovery) ORDER BY t.policy ON CONFLICT DO NOTHING
"""
ONCE_MORE = "UPDATE policy_in_force SET reached = $2, again_at = NULL WHERE again_at <= $1"
CHANGED = "SELECT policy, reached FROM policy_in_force WHERE reached IS NOT NULL ORDER BY policy LIMIT 1 FOR UPDATE SKIP LOCKED"
ITS_NEXT = "SELECT id FROM account WHERE policy = $1 AND id > $2 ORDER BY id LIMIT $3 FOR UPDATE"
REACHED = "UPDATE policy_in_force SET reached = $2 WHERE policy = $1"


async def look_soon(session: AsyncSession, ids: Sequence[UUID], *, now: datetime) -> None:
    """Have these accounts reviewed at once: there is a new fact."""
    await execute(session, SOON, list(ids), now)
    ring(session, "review")


async def lock_and_look_soon(session: AsyncSession, ids: Iterable[UUID], *, now: datetime) -> set[UUID]:
    """Lock these accounts, too. Answers which of them are known."""
    ring(session, "review")
    return {row.id for row in await rows(session, LOCK_AND_SOON, list(ids), now)}


async def look_later(session: AsyncSession, found: Sequence[tuple[UUID, datetime | None]]) -> None:
    """Have each account reviewed at its instant, or (None) not before there is a new fact."""
    await write(session, *looks(found))


def looks(found: Sequence[tuple[UUID, datetime | None]]) -> list[Sql]:
    """What writes that."""
    later = [(each, at) for each, at in found if at is not None]
    return [Sql(LATER, later), Sql(NEVER, [(each,) for each, at in found if at is None])]


async def compare_policies(session: AsyncSession, *, operator: Operator, now: datetime) -> list[str]:
    """Hold the policies' files of a process that starts against those that were in force; answers the codes of those that say something
    else now, whose accounts will be brought forward. Of a policy that is seen for the first time there is nothing to bring forward."""
    known = [row.policy for row in await rows(session, "SELECT policy FROM policy_in_force")]
    texts = {code: (_text(operator, code), *_days(operator.policy(code))) for code in {*operator.policies, *known}}
    await execute(session, NEW, list(texts), *map(list, zip(*texts.values(), strict=True)), now)
    query = select(PolicyInForce).where(col(PolicyInForce.policy).in_(texts)).order_by(col(PolicyInForce.policy)).with_for_update()
    changed = []
    for kept in (await session.execute(query.execution_options(populate_existing=True))).scalars():
        text, cut, recovery = texts[kept.policy]
        if text == kept.text:
            continue
        changed.append(kept.policy)
        kept.cut_since = kept.cut_since if cut == kept.cut else now
        kept.recovery_since = kept.recovery_since if recovery == kept.recovery else now
        kept.text, kept.cut, kept.recovery, kept.since = text, cut, recovery, now
        kept.reached, kept.again_at = FIRST, now + AGAIN
    await session.flush()
    return changed


async def bring_forward(session: AsyncSession, *, now: datetime, limit: int = FORWARD) -> int:
    """Have the next accounts of a changed policy reviewed at once; answers how many. Any number of processes may do so.
    See Note [A policy that was changed]."""
    await execute(session, ONCE_MORE, now, FIRST)
    found = await rows(session, CHANGED)
    if not found:
        return 0
    policy, reached = found[0]
    ids = [row.id for row in await rows(session, ITS_NEXT, policy, reached, limit)]
    if ids:
        await look_soon(session, ids, now=now)
    await execute(session, REACHED, policy, ids[-1] if len(ids) == limit else None)
    return len(ids)


def _text(operator: Operator, code: str) -> str:
    """What tells one text of a policy from another; of one that has no file any more it is the default one's, which rules its accounts."""
    said = f"{operator.time_zone} {operator.policy(code).model_dump_json()}"
    return hashlib.sha256(said.encode()).hexdigest()


def _days(policy: Policy) -> tuple[str, str]:
    """The policy's days of a cut and of recovery, in a form to be compared."""
    cut, recovery = policy.suspension.allowed_from, policy.recovery
    return (
        f"{cut.day_of_month or ''}/{cut.days_after_due if cut.day_of_month is None else ''}/{cut.at}",
        f"{recovery.day_of_month}/{recovery.at}" if recovery is not None else "",
    )
