"""Which policy rules an account: the lists that Sales sends at the month's close (VIP-2)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import RowOutcome, SegmentChange, SegmentList, SegmentListRow
from shared.auth import Principal
from shared.db import new_id, rows
from shared.events.collections import SegmentChanged
from shared.operator import Operator
from shared.outbox import Outgoing, publish_many

# Rows of a list with the accounts that they may mean, locked in the order of their ids.
CANDIDATES = """
SELECT id, external_source, external_id, policy FROM account
WHERE external_id = ANY($1::text[]) ORDER BY id FOR UPDATE
"""
MOVE = """
UPDATE account SET policy = $2, version = version + 1, next_review_at = $3 WHERE id = ANY($1::uuid[]) RETURNING id, version
"""


@dataclass(frozen=True)
class Wanted:
    """A row as Sales wrote it: a customer by the id of its source, and why it belongs there. Without a source the id must be unique."""

    external_id: str
    note: str
    external_source: str | None = None


async def apply_list(
    session: AsyncSession, *, period: str, wanted: Sequence[Wanted], actor: Principal, operator: Operator, now: datetime
) -> SegmentList:
    """Put the customers of a list under the policy of the operator's qualification. Rows that cannot be applied are kept with their
    reason and stop nothing; who is absent from the list stays where it is (VIP-2)."""
    policy = operator.qualification.policy
    candidates = await _candidates(session, wanted)
    list_id = new_id()
    judged = _judge(list_id, wanted, candidates, operator)
    counts = Counter(each.outcome for each in judged)
    made = SegmentList(
        id=list_id,
        policy=policy,
        period=period,
        sent_by=actor.person,
        sent_at=now,
        rows=len(wanted),
        applied=counts[RowOutcome.APPLIED],
        unchanged=counts[RowOutcome.UNCHANGED],
        faulty=counts[RowOutcome.FAULTY],
    )
    session.add(made)
    await session.flush()
    session.add_all(judged)
    notes = {each.customer_id: each.note for each in judged if each.outcome == RowOutcome.APPLIED and each.customer_id}
    previous = {each.id: each.policy for found in candidates.values() for each in found}
    await _move(session, policy=policy, notes=notes, previous=previous, list_id=list_id, actor=actor, now=now)
    return made


async def _candidates(session: AsyncSession, wanted: Sequence[Wanted]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in await rows(session, CANDIDATES, sorted({each.external_id for each in wanted})):
        found.setdefault(row.external_id, []).append(row)
    return found


def _judge(list_id: UUID, wanted: Sequence[Wanted], candidates: Mapping[str, list[Any]], operator: Operator) -> list[SegmentListRow]:
    """What becomes of each row, the first of two that mean the same customer taking precedence."""
    judged: list[SegmentListRow] = []
    lines: dict[UUID, int] = {}
    for line, each in enumerate(wanted, start=1):
        meant = [row for row in candidates.get(each.external_id, []) if each.external_source in (None, row.external_source)]
        outcome, reason = _verdict(each, meant, lines, operator)
        customer_id = meant[0].id if len(meant) == 1 else None
        if customer_id and outcome is not RowOutcome.FAULTY:
            lines[customer_id] = line
        judged.append(
            SegmentListRow(
                list_id=list_id,
                line=line,
                external_source=each.external_source,
                external_id=each.external_id,
                note=each.note,
                customer_id=customer_id,
                outcome=outcome,
                reason=reason,
            )
        )
    return judged


def _verdict(wanted: Wanted, meant: Sequence[Any], lines: Mapping[UUID, int], operator: Operator) -> tuple[RowOutcome, str]:
    """The outcome of one row and its reason (Spanish). `lines` are the customers of the rows above it."""
    policy = operator.policies[operator.qualification.policy]
    label = policy.statuses["active"]
    if not wanted.external_id:
        return RowOutcome.FAULTY, "Falta el código del cliente."
    if not wanted.note:
        return RowOutcome.FAULTY, f"Falta la nota que diga por qué es {label}."
    if not meant:
        source = f" de {wanted.external_source}" if wanted.external_source else ""
        return RowOutcome.FAULTY, f"No hay ningún cliente con el código {wanted.external_id}{source}."
    if len(meant) > 1:
        sources = ", ".join(sorted(row.external_source for row in meant))
        return RowOutcome.FAULTY, f"El código {wanted.external_id} existe en varias fuentes ({sources}): indique cuál."
    if meant[0].id in lines:
        return RowOutcome.FAULTY, f"El cliente ya está en la línea {lines[meant[0].id]} de esta lista."
    if meant[0].policy == policy.code:
        return RowOutcome.UNCHANGED, f"Ya estaba en {policy.name}; nada cambió."
    return RowOutcome.APPLIED, f"Queda en {policy.name}."


async def _move(
    session: AsyncSession,
    *,
    policy: str,
    notes: Mapping[UUID, str],
    previous: Mapping[UUID, str],
    list_id: UUID,
    actor: Principal,
    now: datetime,
) -> None:
    """Write the change, its note and its event for each account; the accounts are locked already."""
    if not notes:
        return
    session.add_all(
        SegmentChange(
            customer_id=each,
            previous=previous[each],
            policy=policy,
            note=note,
            list_id=list_id,
            changed_by=actor.person,
            changed_at=now,
        )
        for each, note in notes.items()
    )
    moved = sorted(await rows(session, MOVE, list(notes), policy, now), key=lambda row: row.id)
    events = [
        SegmentChanged(customer_id=row.id, policy=policy, note=notes[row.id], changed_by=actor.person, changed_at=now) for row in moved
    ]
    items = [Outgoing(event, f"account/{row.id}", row.version) for event, row in zip(events, moved, strict=True)]
    await publish_many(session, items, now=now)
