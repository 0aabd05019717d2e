"""The accounts that somebody should turn to now, in the order of their urgency: pages of what the reviews have listed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

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
from shared.sorting import Order, Placed, Sorting, amount, identity, number, text

# `$1` are the urgencies that are wanted, null is all. In the list's own order those of several agents are each read by their index, as far
# as the page reaches. In another all of an agent's are sorted, and the planner must see whose: of an agent in a row it knows only that some
# have half of the list, and reads the whole of it to find forty. It must see, too, that the accounts are that agent's: these stand together
# in an index with their names, and one by one all over a large table. Each has its account; the join is a left one, so that nobody looks at
# it where none of its columns is asked for.
PAGE = """
SELECT w.account_id {key} FROM worklist w LEFT JOIN account a ON a.id = w.account_id WHERE ($1::int[] IS NULL OR w.urgency = ANY($1::int[]))
"""
SORTED_OF = f"{PAGE} AND w.agent = ANY($2::text[]) AND a.agent = ANY($2::text[]) {{page}}"
PAGE_OF = (
    f"SELECT w.* FROM unnest($2::text[]) AS whose(agent) CROSS JOIN LATERAL ({PAGE} AND w.agent = whose.agent {{page}}) AS w {{merged}}"
)
DAYS = "coalesce(DATE '2000-01-01' - w.overdue_since, -1000000)"  # grows as the days do that are shown; whoever is not late has the least
OWN = "urgency"
WORKLIST = Sorting(
    OWN,
    identity("w.account_id"),
    urgency=(number("w.urgency"), amount("w.weight")),
    name=text("a.search_name"),
    policy=text("a.policy"),
    agent=text("w.agent", empty=True),
    status=text("a.status"),
    owed=amount("(-w.weight)"),
    days_overdue=(number(DAYS), amount("(-w.weight)")),
)
COUNT = """
SELECT count(*) AS total FROM (SELECT FROM worklist WHERE ($2::int[] IS NULL OR urgency = ANY($2::int[])) {whose} LIMIT $1) AS counted
"""
COUNTED = 10_000


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


@dataclass(frozen=True)
class Worklist:
    """A page of the list, and how many accounts the whole of it has; more than COUNTED are not counted."""

    items: list[Placed[WorkItem]]
    total: int


async def worklist(
    session: AsyncSession,
    operator: Operator,
    order: Order,
    *,
    agents: Sequence[str] | None,
    reason: Reason | None = None,
    now: datetime,
) -> Worklist:
    """The worklist of some agents (None: of everybody), as the last reviews have listed it; what is to be done is said as of now. `reason`
    is the most urgent one of each."""
    book, found, chunk = Book(operator), list[Placed[WorkItem]](), order
    urgencies = None if reason is None else [ORDER.index(reason), ORDER.index(reason) + DONE]
    while len(found) <= order.limit:
        places = await _places(session, chunk, agents, urgencies)
        facts = await load_facts(session, [each.item.account_id for each in places], now=now)
        found += [each.now(item) for each in places if (item := _item(facts[each.item.account_id], agents, book, now)) is not None]
        if len(places) <= chunk.limit:
            break
        chunk = replace(chunk, after=places[-1].place)
    return Worklist(await _with_contacts(session, found[: order.limit + 1]), await _count(session, agents, urgencies))


async def _places(session: AsyncSession, order: Order, agents: Sequence[str] | None, urgencies: list[int] | None) -> list[Placed[Fetched]]:
    if agents is None:
        return await order.rows(session, PAGE + "{page}", urgencies)
    if order.name == OWN:
        return await order.rows(session, PAGE_OF, urgencies, list(agents))
    return await order.rows(session, SORTED_OF, urgencies, list(agents))


async def _count(session: AsyncSession, agents: Sequence[str] | None, urgencies: list[int] | None) -> int:
    if agents is None:
        return int((await rows(session, COUNT.format(whose=""), COUNTED, urgencies))[0].total)
    return int((await rows(session, COUNT.format(whose="AND agent = ANY($3::text[])"), COUNTED, urgencies, list(agents)))[0].total)


def _item(facts: Facts, agents: Sequence[str] | None, book: Book, now: datetime) -> WorkItem | None:
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
    )


async def _with_contacts(session: AsyncSession, items: Sequence[Placed[WorkItem]]) -> list[Placed[WorkItem]]:
    contacts = await latest_contacts(session, [each.item.facts.account_id for each in items])
    return [each.now(replace(each.item, contact=contacts.get(each.item.facts.account_id))) for each in items]
