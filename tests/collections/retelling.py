"""Statuses that were told, held against what the function says once more of the facts as they were known then (docs/adr/0022)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.queries.facts import load_facts
from services.collections.rules.reasons import standing_reason
from services.collections.rules.standing import standing
from services.collections.rules.terms import Book
from shared.db import rows
from shared.operator import Operator

# Of changes in one instant the last is what was known of it in the end.
CHANGES = """
SELECT DISTINCT ON (changed_at, account_id) account_id, code, reason, changed_at FROM status_change
WHERE account_id = ANY($1::uuid[]) ORDER BY changed_at, account_id, version DESC
"""


async def told_otherwise(session: AsyncSession, ids: Sequence[UUID], *, operator: Operator) -> list[str]:
    """The changes of these accounts' statuses that would be told otherwise, in words; empty when all is well."""
    book, found = Book(operator), []
    for row in await rows(session, CHANGES, list(ids)):
        at = row.changed_at
        facts = (await load_facts(session, [row.account_id], now=at, known_at=at))[row.account_id]
        terms = book.terms(facts.policy)
        stands = standing(facts, terms, at)
        reason = standing_reason(stands, facts, terms, at)
        if (stands.code, reason) != (row.code, row.reason):
            found.append(f"not so: account {row.account_id} was told to be {row.code} ({row.reason}), and was {stands.code} ({reason})")
    return found
