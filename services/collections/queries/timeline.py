"""What happened with one customer, in order and in sentences, as every service told it (table `happening`)."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.queries.accounts import unknown_customer
from services.collections.rules.sentences import KEPT, TOPICS, Said, Words, registered, say
from shared.db import Fetched, rows
from shared.operator import Operator
from shared.sorting import Order, Placed, Sorting, instant, number

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
ENDS = {"at": (EARLIEST, -1), "-at": (LATEST, 2**62)}
ACCOUNT = "SELECT policy, external_source, external_id, opening_status FROM account WHERE id = $1"
NUMBERS = "SELECT id, number FROM invoice WHERE account_id = $1"
# That the customer came to us is no event of the table: a million of them would say what the account says.
PAGE = """
SELECT * FROM (
    (SELECT at, number, type, data::text AS data FROM happening
    WHERE customer_id = $1 AND type = ANY($2::text[]) AND at >= $3 AND at < $4 AND (at, number) {after} ($5, $6)
    ORDER BY at {order}, number {order} LIMIT $7)
    UNION ALL
    SELECT registered_at, 0, 'registered', NULL FROM account
    WHERE id = $1 AND $8 AND registered_at >= $3 AND registered_at < $4 AND (registered_at, 0) {after} ($5, $6)
) AS found ORDER BY at {order}, number {order} LIMIT $7
"""
PAGES = {"at": PAGE.format(after=">", order="ASC"), "-at": PAGE.format(after="<", order="DESC")}
TIMELINE = Sorting("at", number("number"), at=instant("at"))
NEWS = "SELECT at, number, type, data::text AS data FROM happening WHERE customer_id = $1 AND number > $2 ORDER BY number LIMIT $3"
LAST = "SELECT coalesce(max(number), 0) AS number FROM happening WHERE customer_id = $1"
WITH_NEWS = """
SELECT t.customer_id FROM unnest($1::uuid[], $2::bigint[]) AS t(customer_id, number)
WHERE EXISTS (SELECT FROM happening h WHERE h.customer_id = t.customer_id AND h.number > t.number)
"""


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `at` is its instant (UTC), `number` its place among all that was heard of this customer."""

    at: datetime
    number: int
    topic: str
    said: Said


@dataclass(frozen=True)
class Asked:
    """Which part of a timeline: of these topics (all when there are none), from an instant on and before another."""

    topics: Collection[str] = ()
    since: datetime = EARLIEST
    before: datetime = LATEST


async def timeline(session: AsyncSession, operator: Operator, customer_id: UUID, asked: Asked, order: Order) -> list[Placed[Entry]]:
    """A page of the customer's timeline. Raises NotFound."""
    account, words = await _words(session, operator, customer_id)
    topics = set(asked.topics or TOPICS)
    types = [kind for kind, spoken in KEPT.items() if spoken.topic in topics]
    place, limit = order.after or ENDS[order.sort], order.limit + 1
    found = await rows(session, PAGES[order.sort], customer_id, types, asked.since, asked.before, *place, limit, "account" in topics)
    return [Placed(_entry(words, account, row), (row.at, row.number)) for row in found]


async def news(session: AsyncSession, operator: Operator, customer_id: UUID, *, after: int, limit: int) -> list[Entry]:
    """What was heard of the customer after this number, in the order in which it was heard. Raises NotFound."""
    account, words = await _words(session, operator, customer_id)
    return [_entry(words, account, row) for row in await rows(session, NEWS, customer_id, after, limit)]


async def last_number(session: AsyncSession, customer_id: UUID) -> int:
    """The number of what was heard last; 0 when there is nothing yet. Raises NotFound."""
    if not await rows(session, ACCOUNT, customer_id):
        raise unknown_customer(customer_id)
    return int((await rows(session, LAST, customer_id))[0].number)


async def with_news(session: AsyncSession, read: Mapping[UUID, int]) -> set[UUID]:
    """Of these customers those of whom something was heard after the number that somebody has read."""
    return {row.customer_id for row in await rows(session, WITH_NEWS, list(read), list(read.values()))}


async def told_of(session: AsyncSession, customer_id: UUID) -> Sequence[Fetched]:
    """Everything that was kept of a customer, as it was told: at, number, type, data (a JSON text); the oldest first."""
    sql = "SELECT at, number, type, data::text AS data FROM happening WHERE customer_id = $1 ORDER BY at, number"
    return await rows(session, sql, customer_id)


async def words_of(session: AsyncSession, operator: Operator, customer_id: UUID) -> Words:
    """What sentences about this customer are put together with. Raises NotFound."""
    return (await _words(session, operator, customer_id))[1]


async def _words(session: AsyncSession, operator: Operator, customer_id: UUID) -> tuple[Fetched, Words]:
    account = await rows(session, ACCOUNT, customer_id)
    if not account:
        raise unknown_customer(customer_id)
    numbers = {row.id: row.number for row in await rows(session, NUMBERS, customer_id)}
    return account[0], Words(operator, operator.policy(account[0].policy), numbers)


def _entry(words: Words, account: Fetched, row: Any) -> Entry:
    if row.data is None:
        said = registered(words, account.external_source, account.external_id, account.opening_status)
        return Entry(row.at, row.number, "account", said)
    return Entry(row.at, row.number, KEPT[row.type].topic, say(words, row.type, json.loads(row.data)))
