"""The accounts that somebody should turn to now, in the order of their urgency: pages of what the reviews have listed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.queries.accounts import LatestContact, latest_contacts
from services.collections.queries.facts import load_facts
from services.collections.rules.facts import Facts, Hold
from services.collections.rules.holds import running_holds
from services.collections.rules.terms import Book
from services.collections.rules.verdicts import Verdict, next_step
from services.collections.rules.worklist import DONE, ORDER, Debt, Reason, Task, debt, done_today, tasks
from shared.db import Fetched, rows
from shared.operator import Operator

# `$5` are the urgencies that are wanted, null is all. The lists of several agents are each read by their index, as far as the page reaches.
PAGE = """
SELECT urgency, weight, account_id FROM worklist WHERE {whose} (urgency, weight, account_id) > ($2, $3, $4)
    AND ($5::int[] IS NULL OR urgency = ANY($5::int[]))
ORDER BY urgency, weight, account_id LIMIT $1
"""
PAGE_OF = f"""
SELECT w.* FROM unnest($6::text[]) AS whose(agent) CROSS JOIN LATERAL ({PAGE.format(whose="agent = whose.agent AND")}) AS w
ORDER BY urgency, weight, account_id LIMIT $1
"""
COUNT = """
SELECT count(*) AS total FROM (SELECT FROM worklist WHERE ($2::int[] IS NULL OR urgency = ANY($2::int[])) {whose} LIMIT $1) AS counted
"""
COUNTED = 10_000
Place = tuple[int, Decimal, UUID]
START: Place = (-1, Decimal(0), UUID(int=0))


@dataclass(frozen=True)
class WorkItem:
    """An account of the worklist: all that is to be done about it (the most urgent first), whether that is done for today, what it owes,
    the last contact, the next step that the rules allow and from when on, and the holds that keep it off."""

    facts: Facts
    label: str
    tasks: list[Task]
    done: bool
    debt: Debt
    contact: LatestContact | None
    step: Verdict
    holds: list[Hold]
    place: Place


@dataclass(frozen=True)
class Worklist:
    """A page of the list, and how many accounts the whole of it has; more than COUNTED are not counted."""

    items: list[WorkItem]
    total: int


async def worklist(
    session: AsyncSession,
    operator: Operator,
    *,
    agents: Sequence[str] | None,
    reason: Reason | None = None,
    now: datetime,
    after: Place | None = None,
    limit: int = 50,
) -> Worklist:
    """The worklist of some agents (None: of everybody), in the order of the last reviews; what is to be done is said as of now. `reason`
    is the most urgent one of each. `after` is the place of the last item seen."""
    book, found, last = Book(operator), list[WorkItem](), after or START
    urgencies = None if reason is None else [ORDER.index(reason), ORDER.index(reason) + DONE]
    while len(found) < limit:
        places = [(row.urgency, row.weight, row.account_id) for row in await _places(session, agents, urgencies, last, limit)]
        facts = await load_facts(session, [account_id for *_, account_id in places], now=now)
        found += [item for each in places if (item := _item(facts[each[2]], agents, each, book, now)) is not None]
        if len(places) < limit:
            break
        last = places[-1]
    return Worklist(await _with_contacts(session, found[:limit]), await _count(session, agents, urgencies))


async def _places(
    session: AsyncSession, agents: Sequence[str] | None, urgencies: list[int] | None, last: Place, limit: int
) -> Sequence[Fetched]:
    if agents is None:
        return await rows(session, PAGE.format(whose=""), limit, *last, urgencies)
    return await rows(session, PAGE_OF, limit, *last, urgencies, list(agents))


async def _count(session: AsyncSession, agents: Sequence[str] | None, urgencies: list[int] | None) -> int:
    if agents is None:
        return int((await rows(session, COUNT.format(whose=""), COUNTED, urgencies))[0].total)
    return int((await rows(session, COUNT.format(whose="AND agent = ANY($3::text[])"), COUNTED, urgencies, list(agents)))[0].total)


def _item(facts: Facts, agents: Sequence[str] | None, place: Place, book: Book, now: datetime) -> WorkItem | None:
    """None where the review of what just happened is still to come and there is nothing to do any more."""
    terms = book.terms(facts.policy)
    todo = tasks(facts, terms, now)
    if not todo or (agents is not None and facts.agent not in agents):
        return None
    return WorkItem(
        facts=facts,
        label=terms.policy.statuses[facts.status],  # type: ignore[index]
        tasks=todo,
        done=done_today(todo, facts, terms, now),
        debt=debt(facts, terms, now),
        contact=None,
        step=next_step(facts, terms, now),
        holds=running_holds(facts, now),
        place=place,
    )


async def _with_contacts(session: AsyncSession, items: Sequence[WorkItem]) -> list[WorkItem]:
    contacts = await latest_contacts(session, [each.facts.account_id for each in items])
    return [replace(each, contact=contacts.get(each.facts.account_id)) for each in items]
