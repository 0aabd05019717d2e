"""The accounts that somebody should turn to now, in the order of their urgency."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.queries.accounts import LatestContact, latest_contacts
from services.collections.queries.facts import load_facts
from services.collections.rules.facts import Facts
from services.collections.rules.terms import Book
from services.collections.rules.worklist import ORDER, Debt, Task, debt, tasks
from shared.db import rows
from shared.operator import Operator

# Accounts that people work on, of which something is open: an unpaid invoice, a cut, or a review.
CANDIDATES = """
SELECT a.id FROM account a WHERE a.policy = ANY($1::text[]) AND ($2::text IS NULL OR a.agent = $2) AND (
    a.status <> 'active'
    OR EXISTS (SELECT FROM invoice i WHERE i.account_id = a.id AND i.paid_at IS NULL AND i.voided_at IS NULL))
ORDER BY a.id
"""
CHUNK = 2000
Place = tuple[int, Decimal, UUID]


@dataclass(frozen=True)
class WorkItem:
    """An account of the worklist: all that is to be done about it (the most urgent first), what it owes, and the last contact."""

    facts: Facts
    label: str
    tasks: list[Task]
    debt: Debt
    contact: LatestContact | None

    @property
    def place(self) -> Place:
        """Where it stands: the most urgent reason first, then the larger debt."""
        return (ORDER.index(self.tasks[0].reason), -self.debt.owed, self.facts.account_id)


@dataclass(frozen=True)
class Worklist:
    """A page of the list, and how many accounts the whole of it has."""

    items: list[WorkItem]
    total: int


async def worklist(
    session: AsyncSession, operator: Operator, *, agent: str | None, now: datetime, after: Place | None = None, limit: int = 50
) -> Worklist:
    """The worklist of an agent (None: of everybody). `after` is the place of the last item seen."""
    policies = [each.code for each in operator.policies.values() if each.decided_by == "person" or each.invoice.sent_by == "agent"]
    ids = [row.id for row in await rows(session, CANDIDATES, policies, agent)]
    book = Book(operator)
    found: list[WorkItem] = []
    for start in range(0, len(ids), CHUNK):
        facts = await load_facts(session, ids[start : start + CHUNK], now=now)
        found += [item for each in facts.values() if (item := _item(each, book, now)) is not None]
    found.sort(key=lambda each: each.place)
    shown = [each for each in found if after is None or each.place > after][:limit]
    return Worklist(await _with_contacts(session, shown), len(found))


def _item(facts: Facts, book: Book, now: datetime) -> WorkItem | None:
    terms = book.terms(facts.policy)
    todo = tasks(facts, terms, now)
    if not todo:
        return None
    return WorkItem(facts, terms.policy.statuses[facts.status], todo, debt(facts, terms, now), None)  # type: ignore[index]


async def _with_contacts(session: AsyncSession, items: Sequence[WorkItem]) -> list[WorkItem]:
    contacts = await latest_contacts(session, [each.facts.account_id for each in items])
    return [WorkItem(each.facts, each.label, each.tasks, each.debt, contacts.get(each.facts.account_id)) for each in items]
