"""Lists in any order: every row once, sorted, whatever the page's length, with ties and with what is empty; too long a list is refused."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from services.billing.models import Customer
from services.billing.queries import credits, customers, invoices, plans
from services.collections.queries import accounts, segments
from services.notifier.queries import messages
from services.ticketing.queries import switches
from shared import sorting
from shared.arranging import Arranging
from shared.db import Database, execute, rows
from shared.errors import Invalid
from shared.sorting import Order, Placed, Sorting, identity, text

Open = Callable[[str], Awaitable[Database]]
CUSTOMERS = Sorting(
    "name",
    identity("customer.id"),
    name=text("customer.search_name"),
    external_id=text("customer.external_id", indexed=True),
    agent=text("customer.assigned_agent", empty=True),
)
FILL = """
INSERT INTO customer (id, external_source, external_id, name, search_name, contacts, is_isp, policy, currency, version, created_at,
    updated_at, assigned_agent) SELECT gen_random_uuid(), 'crm', 'C' || n, n, chr(97 + n % 4), '[]', false, 'vip', 'USD', 1, now(), now(),
    CASE WHEN n % 3 = 0 THEN NULL ELSE 'agent ' || n % 2 END FROM generate_series(1, $1::int) AS n
"""
RAW = """
SELECT customer.external_id {key} FROM customer WHERE ($1::text IS NULL OR policy = $1) {page}
"""
# Whose orders say that the whole list can be read by an index: its service, and the tables that its statement calls otherwise.
INDEXED: list[tuple[str, Sorting, dict[str, str]]] = [
    ("billing", credits.NOTES, {}),
    ("billing", credits.DISPUTES, {}),
    ("billing", customers.CUSTOMERS, {}),
    ("billing", invoices.INVOICES, {}),
    ("billing", invoices.PAYMENTS, {}),
    ("billing", plans.AGREEMENTS, {}),
    ("collections", accounts.ACCOUNTS, {}),
    ("collections", segments.MISMATCHES, {}),
    ("notifier", messages.MESSAGES, {}),
    ("ticketing", switches.SWITCHES, {"s": "network_switch"}),
]
LEADING = """
SELECT count(*) AS found FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = $1::text::regclass AND a.attname = $2 AND i.indpred IS NULL
"""


async def whole(db: Database, order: Order, *, raw: bool) -> list[str]:
    """The external ids of all pages."""
    found: list[str] = []
    while True:
        async with db.transaction() as session:
            page: list[Placed[Any]] = await (order.rows(session, RAW, None) if raw else order.select(session, select(Customer)))
        found += [each.item.external_id for each in page[: order.limit]]
        if len(page) <= order.limit:
            return found
        order = replace(order, after=page[order.limit - 1].place)


@pytest.mark.parametrize("raw", [False, True])
async def test_every_row_once_and_sorted_whatever_the_pages_length(database: Open, raw: bool) -> None:
    db = await database("billing")
    async with db.transaction() as session:
        await execute(session, FILL, 20)
        kept = {
            row.external_id: row
            for row in await rows(session, "SELECT external_id, search_name AS name, assigned_agent AS agent, id FROM customer")
        }
    for sort in CUSTOMERS.names:
        name, down = sort.removeprefix("-"), sort.startswith("-")
        some = sorted((each for each in kept.values() if each[name] is not None), key=lambda row: (row[name], row.id), reverse=down)
        none = sorted((each for each in kept.values() if each[name] is None), key=lambda row: row.id, reverse=down)
        for limit in (1, 2, 7, 19, 20, 50):
            assert await whole(db, CUSTOMERS.order(sort, limit=limit), raw=raw) == [each.external_id for each in some + none], (sort, limit)


@pytest.mark.parametrize("raw", [False, True])
async def test_more_rows_than_are_sorted_for_a_page_are_refused_where_no_index_has_the_order(
    database: Open, monkeypatch: pytest.MonkeyPatch, raw: bool
) -> None:
    monkeypatch.setattr(sorting, "MOST", 9)
    db = await database("billing")
    async with db.transaction() as session:
        await execute(session, FILL, 10)
        await execute(session, "UPDATE customer SET policy = 'few' WHERE external_id = 'C1'")
    for sort in ("name", "-name", "external_id", "-external_id"):
        assert len(await whole(db, CUSTOMERS.order(sort, limit=4), raw=raw)) == 10
    with pytest.raises(Invalid) as refused:
        await whole(db, CUSTOMERS.order("-agent"), raw=raw)
    assert refused.value.errors[0].field == "sort"
    assert refused.value.remedy == "Filtre más, u ordene por: name, external_id."
    async with db.transaction() as session:
        few = select(Customer).where(Customer.policy == "few")
        order = CUSTOMERS.order("-agent")
        found: list[Placed[Any]] = await (order.rows(session, RAW, "few") if raw else order.select(session, few))
        assert [each.item.external_id for each in found] == ["C1"]
        many = select(Customer).where(Customer.policy == "vip")
        await order.select(session, many)  # nine of them
        await execute(session, "UPDATE customer SET policy = 'vip'")
        with pytest.raises(Invalid) as refused:  # the index of the whole list is none of the filtered one
            await (
                CUSTOMERS.order("external_id").rows(session, RAW, "vip") if raw else CUSTOMERS.order("external_id").select(session, many)
            )
        assert refused.value.remedy == "Filtre más, u ordene por: name."


@pytest.mark.parametrize(("service", "found", "names"), INDEXED)
async def test_where_an_order_is_said_to_have_an_index_there_is_one(
    database: Open, service: str, found: Sorting, names: dict[str, str]
) -> None:
    """Of all rows, beginning with the column."""
    wanted = [each.sql.partition(".")[::2] for each in found.fields.values() if each.indexed or each.always]
    assert wanted
    async with (await database(service)).transaction() as session:
        missing = [each for each in wanted if not (await rows(session, LEADING, names.get(each[0], each[0]), each[1]))[0].found]
    assert missing == []


def test_a_list_in_memory_is_sorted_and_what_is_empty_stands_last() -> None:
    items = [{"a": value} for value in (Decimal(10), None, Decimal(9), Decimal(10))]
    random.Random(1).shuffle(items)
    arranging = Arranging(a=lambda item: item["a"])
    assert arranging.names == ["a", "-a"]
    assert [each["a"] for each in arranging.arrange(items, "a")] == [Decimal(9), Decimal(10), Decimal(10), None]
    assert [each["a"] for each in arranging.arrange(items, "-a")] == [Decimal(10), Decimal(10), Decimal(9), None]
    assert arranging.arrange(items, None) == items
