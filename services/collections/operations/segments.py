"""Which policy rules an account: the lists that Sales sends at the month's close (VIP-2)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import SegmentList
from services.collections.operations.happenings import tell_all
from services.collections.operations.looking import look_soon
from services.collections.rules.listing import Judged, RowOutcome, Wanted, judge_rows
from shared.auth import Principal
from shared.db import execute, new_id, rows
from shared.events.collections import SegmentChanged
from shared.operator import Operator
from shared.outbox import Outgoing

# The accounts that the rows of a list may mean, locked in the order of their ids.
CANDIDATES = """
SELECT id, external_source, external_id, policy FROM account
WHERE external_id = ANY($1::text[]) ORDER BY id FOR UPDATE
"""
MOVE = "UPDATE account SET policy = $2, known_at = $3, version = version + 1 WHERE id = ANY($1::uuid[]) RETURNING id, version"
KEEP_ROWS = """
INSERT INTO segment_list_row (list_id, line, external_source, external_id, note, customer_id, outcome, reason)
SELECT $1, t.* FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[]) AS t
"""
KEEP_CHANGES = """
INSERT INTO segment_change (id, customer_id, previous, policy, note, list_id, changed_by, changed_at)
SELECT t.id, t.customer_id, t.previous, $5, t.note, $6, $7, $8
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS t(id, customer_id, previous, note)
"""


async def apply_list(
    session: AsyncSession, *, period: str, wanted: Sequence[Wanted], actor: Principal, operator: Operator, now: datetime
) -> SegmentList:
    """Put the customers of a list under the policy of the operator's qualification. Rows that cannot be applied are kept with their
    reason and stop nothing; who is absent from the list stays where it is (VIP-2)."""
    candidates = await _candidates(session, wanted)
    judged = judge_rows(wanted, candidates, operator)
    counts = Counter(each.outcome for each in judged)
    made = SegmentList(
        policy=operator.qualification.policy,
        period=period,
        sent_by=actor.person,
        sent_at=now,
        rows=len(judged),
        applied=counts[RowOutcome.APPLIED],
        unchanged=counts[RowOutcome.UNCHANGED],
        faulty=counts[RowOutcome.FAULTY],
    )
    session.add(made)
    await session.flush()
    await _keep_rows(session, made.id, judged)
    previous = {each.id: each.policy for found in candidates.values() for each in found}
    await _move(session, made, {each.customer_id: each.wanted.note for each in _applied(judged) if each.customer_id}, previous)
    return made


async def _candidates(session: AsyncSession, wanted: Sequence[Wanted]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in await rows(session, CANDIDATES, sorted({each.external_id for each in wanted})):
        found.setdefault(row.external_id, []).append(row)
    return found


def _applied(judged: Sequence[Judged]) -> list[Judged]:
    return [each for each in judged if each.outcome is RowOutcome.APPLIED]


async def _keep_rows(session: AsyncSession, list_id: UUID, judged: Sequence[Judged]) -> None:
    await execute(
        session,
        KEEP_ROWS,
        list_id,
        [each.line for each in judged],
        [each.wanted.external_source for each in judged],
        [each.wanted.external_id for each in judged],
        [each.wanted.note for each in judged],
        [each.customer_id for each in judged],
        [each.outcome.value for each in judged],
        [each.reason for each in judged],
    )


async def _move(session: AsyncSession, made: SegmentList, notes: Mapping[UUID, str], previous: Mapping[UUID, str]) -> None:
    """Write the change, its note and its event for each account; the accounts are locked already."""
    if not notes:
        return
    ids, befores = list(notes), [previous[each] for each in notes]
    kept = made.policy, made.id, made.sent_by, made.sent_at
    await execute(session, KEEP_CHANGES, [new_id() for _ in ids], ids, befores, list(notes.values()), *kept)
    moved = sorted(await rows(session, MOVE, ids, made.policy, made.sent_at), key=lambda row: row.id)
    await look_soon(session, ids, now=made.sent_at)
    items = []
    for row in moved:
        event = SegmentChanged(
            customer_id=row.id,
            policy=made.policy,
            note=notes[row.id],
            changed_by=made.sent_by,
            changed_at=made.sent_at,
            previous=previous[row.id],
        )
        items.append(Outgoing(event, f"account/{row.id}", row.version))
    await tell_all(session, items, now=made.sent_at)
