"""The accounts that somebody should turn to now, in the order of their urgency: pages of what the reviews have listed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.queries.accounts import LatestContact, latest_contacts
from services.collections.queries.facts import load_facts
from services.collections.rules.facts import Facts
from services.collections.rules.terms import Book
from services.collections.rules.worklist import Debt, Task, debt, tasks
from shared.db import Fetched, rows
from shared.operator import Operator

PAGE = """
SELECT urgency, weight, account_id FROM worklist WHERE {whose} (urgency, weight, account_id) > ($2, $3, $4)
ORDER BY urgency, weight, account_id LIMIT $1
"""
COUNT = "SELECT count(*) AS total FROM (SELECT FROM worklist {whose} LIMIT $1) AS counted"
COUNTED = 10_000
Place = tuple[int, Decimal, UUID]
START: Place = (-1, Decimal(0), UUID(int=0))


@dataclass(frozen=True)
class WorkItem:
    """An account of the worklist: all that is to be done about it (the most urgent first), what it owes, and the last contact."""

    facts: Facts
    label: str
    tasks: list[Task]
    debt: Debt
    contact: LatestContact | None
    place: Place


@dataclass(frozen=True)
class Worklist:
    """A page of the list, and how many accounts the whole of it has; more than COUNTED are not counted."""

    items: list[WorkItem]
    total: int


async def worklist(
    session: AsyncSession, operator: Operator, *, agent: str | None, now: datetime, after: Place | None = None, limit: int = 50
) -> Worklist:
    """The worklist of an agent (None: of everybody), in the order of the last reviews; what is to be done is said as of now. `after` is the
    place of the last item seen."""
    book, found, last = Book(operator), list[WorkItem](), after or START
    while len(found) < limit:
        places = [(row.urgency, row.weight, row.account_id) for row in await _places(session, agent, last, limit)]
        facts = await load_facts(session, [account_id for *_, account_id in places], now=now)
        found += [item for each in places if (item := _item(facts[each[2]], agent, each, book, now)) is not None]
        if len(places) < limit:
            break
        last = places[-1]
    return Worklist(await _with_contacts(session, found[:limit]), await _count(session, agent))


async def _places(session: AsyncSession, agent: str | None, last: Place, limit: int) -> Sequence[Fetched]:
    if agent is None:
        return await rows(session, PAGE.format(whose=""), limit, *last)
    return await rows(session, PAGE.format(whose="agent = $5 AND"), limit, *last, agent)


async def _count(session: AsyncSession, agent: str | None) -> int:
    if agent is None:
        return int((await rows(session, COUNT.format(whose=""), COUNTED))[0].total)
    return int((await rows(session, COUNT.format(whose="WHERE agent = $2"), COUNTED, agent))[0].total)


def _item(facts: Facts, agent: str | None, place: Place, book: Book, now: datetime) -> WorkItem | None:
    """None where the review of what just happened is still to come and there is nothing to do any more."""
    terms = book.terms(facts.policy)
    todo = tasks(facts, terms, now)
    if not todo or agent not in (None, facts.agent):
        return None
    return WorkItem(facts, terms.policy.statuses[facts.status], todo, debt(facts, terms, now), None, place)  # type: ignore[index]


async def _with_contacts(session: AsyncSession, items: Sequence[WorkItem]) -> list[WorkItem]:
    contacts = await latest_contacts(session, [each.facts.account_id for each in items])
    return [replace(each, contact=contacts.get(each.facts.account_id)) for each in items]
