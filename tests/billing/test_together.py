"""Commands that come at the same time go through together, and whatever they leave behind is what the ordinary way leaves behind."""

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import asyncpg
import httpx
import pytest

from shared.db import new_id
from shared.events.billing import CustomerRegistered, PaymentReported
from tests.billing.books import Book, customer_id, line, local
from tests.billing.test_api_customers import NEW
from tests.support.service import Served

ORDINARY = "application/vnd.reconecta+json"  # a media type that no crowd takes
ENTERING = (
    "INSERT INTO customer (id, external_source, external_id, name, search_name, contacts, is_isp, policy, currency, version, created_at, "
    "updated_at) VALUES (gen_random_uuid(), 'crm', $1, 'N', 'n', '[]', false, 'residencial', 'USD', 1, now(), now())"
)
AT_COMMIT = "CONSTRAINT TRIGGER break AFTER INSERT ON customer DEFERRABLE INITIALLY DEFERRED"
TABLES = {
    "customer": "external_id",
    "contract": "number",
    "service": "monthly_amount, code",
    "payment": "reference",
    "payment_allocation": "amount",
    "invoice": "number",
    "posting": "amount",
    "outbox": "type, data",
    "audit_entry": "body",
    "idempotency_key": "key",
}
UNIQUE = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|00-[0-9a-f]{32}-[0-9a-f]{16}-01"


@pytest.fixture
async def march(billing: Served, book: Book) -> Served:
    """March 3, twelve customers with the month's invoice."""
    await book.customers(billing, *(line(id=f"C-{number}") for number in range(12)))
    await billing.at(local("2026-03-03"))
    return billing


async def post(client: httpx.AsyncClient, path: str, body: object, *, key: str = "", kind: str = "application/json") -> httpx.Response:
    """A command as a client sends it."""
    headers = {"content-type": kind, "idempotency-key": key or str(new_id())}
    return await client.post(path, content=json.dumps(body), headers=headers)


async def all_at_once(client: httpx.AsyncClient, path: str, bodies: Sequence[object], **options: Any) -> list[httpx.Response]:
    return await asyncio.gather(*(post(client, path, each, key=f"k-{number}", **options) for number, each in enumerate(bodies)))


def customers(count: int) -> list[dict[str, Any]]:
    """So many, each a little different."""
    return [
        {
            **NEW,
            "external_id": f"N-{number}",
            "name": f"  Niño {number} ",
            "is_isp": number % 2 == 0,
            "contract": {"number": f"K-{number}"} if number % 3 else {},
            "services": [{**NEW["services"][0], "code": f"b{each}", "monthly_amount": f"{number}.5"} for each in range(number % 4)],
        }
        for number in range(count)
    ]


async def payments(served: Served, count: int) -> list[dict[str, Any]]:
    """One per customer, of various amounts: less than the invoice, all of it, more."""
    return [
        {
            "customer_id": str(await customer_id(served, f"C-{number}")),
            "amount": {"amount": f"{20 + number * 5}.5", "currency": "USD"},
            "channel": "banco",
            "reference": f"BR-{number}",
            "paid_on": "2026-03-03",
        }
        for number in range(count)
    ]


async def left_behind(served: Served) -> dict[str, list[str]]:
    """Everything that is in the tables but for ids and machine time."""
    found = {}
    for table, order in TABLES.items():
        columns = "SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped"
        names = [row.name for row in await served.sql(columns, table)]
        kept = ", ".join(name for name in names if name not in {"id", "recorded_at", "created_at"})
        texts = [str(tuple(row)) for row in await served.sql(f"SELECT {kept} FROM {table} ORDER BY {order}")]
        found[table] = sorted(re.sub(UNIQUE, "…", each) for each in texts)
    return found


async def transactions(served: Served, table: str = "idempotency_key") -> Counter[str]:
    """How many of its rows each transaction wrote."""
    return Counter(row.xmin for row in await served.sql(f"SELECT xmin::text AS xmin FROM {table}"))


async def test_together_is_as_one_by_one(march: Served) -> None:
    client = march.as_("admin")
    await march.sql("DELETE FROM outbox")
    states = []
    for kind in ("application/json", ORDINARY):
        entered = await all_at_once(client, "/customers", customers(12), kind=kind)
        paid = await all_at_once(client, "/payments", await payments(march, 12), kind=kind)
        answers = [(each.status_code, sorted(each.headers), each.json()) for each in (*entered, *paid)]
        assert {each.status_code for each in (*entered, *paid)} == {201}
        for each in (*entered, *paid):
            shown = await client.get(each.headers["location"].removeprefix("/billing"))
            assert (shown.json(), shown.headers["etag"]) == (each.json(), each.headers["etag"])
        most = max((await transactions(march)).values())
        assert most == 1 if kind == ORDINARY else most > 3
        states.append((re.sub(UNIQUE, "…", json.dumps(answers)), await left_behind(march)))
        await march.sql(
            "WITH gone AS (DELETE FROM payment_allocation), unpaid AS (UPDATE invoice SET reported = 0, version = 1), "
            "silent AS (DELETE FROM outbox), forgotten AS (DELETE FROM idempotency_key), unseen AS (DELETE FROM audit_entry) "
            "DELETE FROM service WHERE customer_id IN (SELECT id FROM customer WHERE external_id LIKE 'N-%')"
        )
        await march.sql("DELETE FROM contract WHERE customer_id IN (SELECT id FROM customer WHERE external_id LIKE 'N-%')")
        await march.sql("WITH gone AS (DELETE FROM payment) DELETE FROM customer WHERE external_id LIKE 'N-%'")
    (answers_together, together), (answers_alone, alone) = states
    assert answers_together == answers_alone
    assert together == alone
    assert all(together[table] for table in TABLES if table != "posting")


async def test_of_those_that_come_with_others_only_the_wrong_ones_are_refused(march: Served) -> None:
    client, good = march.as_("admin"), await payments(march, 8)
    wrong = [
        {**good[0], "reference": "BR-1"},  # somebody else's
        {**good[1], "customer_id": str(new_id()), "reference": "X-1"},
        {**good[2], "amount": {"amount": "1.001", "currency": "USD"}, "reference": "X-2"},
        {**good[3], "invoice_id": str(new_id()), "reference": "X-3"},
        {**good[4], "paid_on": "2027-01-01", "reference": "X-4"},
        {**good[5], "nonsense": 1},
    ]
    asked = [
        each for pair in zip(good, [*wrong, good[7] | {"reference": "Y-1"}, good[6] | {"reference": "Y-2"}], strict=True) for each in pair
    ]
    answers = [each.status_code for each in await all_at_once(client, "/payments", asked)]
    assert sorted(answers[1::2][1:6]) == [404, 404, 422, 422, 422]
    assert Counter([*answers[0::2][:2], answers[1]]) == {201: 2, 409: 1}  # of the two with one reference one is taken
    assert answers[0::2][2:] + answers[1::2][6:] == [201] * 8
    refused = await post(march.as_("somebody", ["noc"]), "/payments", {**good[0], "reference": "Z-1"})
    assert refused.status_code == 403
    assert (await post(client, "/payments?nonsense=1", {**good[0], "reference": "Z-2"})).status_code == 422
    assert len(await march.published(PaymentReported)) == len(await march.sql("SELECT 1 FROM payment")) == 10


async def test_who_finds_no_room_in_a_crowd_is_in_the_next_one(march: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["shared.web.together"], "MOST", 3)
    async with asyncio.timeout(30):
        entered = await all_at_once(march.as_("admin"), "/customers", customers(12))
    assert {each.status_code for each in entered} == {201}
    assert 1 < max((await transactions(march)).values()) <= 3


async def test_many_payments_of_one_customer_at_once(march: Served) -> None:
    body = (await payments(march, 1))[0]
    parts = [{**body, "reference": f"P-{number}", "amount": {"amount": "1.25", "currency": "USD"}} for number in range(30)]
    answers = await all_at_once(march.as_("admin"), "/payments", parts)
    assert {each.status_code for each in answers} == {201}
    reported = (await march.sql("SELECT reported FROM invoice WHERE customer_id = $1", body["customer_id"]))[0].reported
    left = sorted(each.event.open_after for each in await march.published(PaymentReported))
    assert float(reported) == 37.5
    assert len(set(left)) == 30  # each saw what the others before it had left


async def test_one_key_many_times_at_once(march: Served) -> None:
    client, body = march.as_("admin"), (await payments(march, 1))[0]
    answers = await asyncio.gather(*(post(client, "/payments", body, key="one") for _ in range(20)))
    assert {each.status_code for each in answers} <= {201, 409}
    assert len({each.json()["id"] for each in answers if each.status_code == 201}) == 1
    assert sum(each.status_code == 201 and "idempotency-replayed" not in each.headers for each in answers) == 1
    assert len(await march.published(PaymentReported)) == 1
    assert (await post(client, "/payments", body, key="one")).headers["idempotency-replayed"] == "true"
    other = await post(client, "/payments", {**body, "reference": "BR-9"}, key="one")
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    both = await asyncio.gather(*(post(client, "/payments", {**body, "reference": f"D-{each}"}, key="two") for each in range(2)))
    assert sorted(each.status_code for each in both) in ([201, 409], [201, 422])


@pytest.mark.parametrize("earlier", [[3, 8], []])
async def test_a_key_that_comes_again_for_something_else_does_not_break_up_its_crowd(march: Served, earlier: list[int]) -> None:
    """Whether it was used before, or comes twice in one crowd."""
    client, bodies = march.as_("admin"), await payments(march, 12)
    for number in earlier:
        await post(client, "/payments", {**bodies[number], "reference": f"E-{number}"}, key=f"k-{number}")
    twice = [] if earlier else [(f"k-{number}", {**bodies[number], "reference": f"E-{number}"}) for number in (2, 6, 11)]
    asked = sorted([*((f"k-{number}", each) for number, each in enumerate(bodies)), *twice], key=lambda each: each[0])
    answers = await asyncio.gather(*(post(client, "/payments", each, key=key) for key, each in asked))
    assert Counter(each.status_code == 201 for each in answers) == {True: 12 - len(earlier), False: len(earlier or twice)}
    assert len(await march.published(PaymentReported)) == len(await march.sql("SELECT 1 FROM payment")) == 12
    assert max((await transactions(march)).values()) > 3


async def test_the_others_do_not_wait_for_a_customer_that_is_held(march: Served) -> None:
    client, bodies = march.as_("admin"), await payments(march, 8)
    connection = await asyncpg.connect(march.runtime.database.dsn)
    try:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM customer WHERE id = $1 FOR UPDATE", bodies[3]["customer_id"])
            asked = [asyncio.create_task(post(client, "/payments", each)) for each in bodies]
            done, waiting = await _all_but(asked, 1)
            assert waiting == {asked[3]} and {each.result().status_code for each in done} == {201}
        assert (await asked[3]).status_code == 201
    finally:
        await connection.close()


async def test_the_others_do_not_wait_for_a_number_that_somebody_is_entering(march: Served) -> None:
    connection = await asyncpg.connect(march.runtime.database.dsn)
    try:
        async with connection.transaction():
            await connection.execute(ENTERING, "N-2")
            asked = [asyncio.create_task(post(march.as_("admin"), "/customers", each)) for each in customers(6)]
            done, waiting = await _all_but(asked, 1)
            assert waiting == {asked[2]} and {each.result().status_code for each in done} == {201}
        assert (await asked[2]).status_code == 409
    finally:
        await connection.close()


async def test_a_second_crowd_begins_once_it_is_as_many_as_the_first(march: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["shared.web.together"], "LOCK_WAIT", "60s")  # by its name the decorator is found
    client, bodies = march.as_("admin"), customers(10)
    connection = await asyncpg.connect(march.runtime.database.dsn)
    try:
        async with connection.transaction():
            await connection.execute(ENTERING, "N-2")
            first = [asyncio.create_task(post(client, "/customers", each)) for each in bodies[:5]]
            while not await march.sql("SELECT 1 FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
            few = [asyncio.create_task(post(client, "/customers", each)) for each in bodies[5:7]]
            assert not (await asyncio.wait(few, timeout=0.3))[0]
            more = [asyncio.create_task(post(client, "/customers", each)) for each in bodies[7:]]
            assert {each.status_code for each in await asyncio.gather(*few, *more)} == {201}
            assert not any(each.done() for each in first)
        assert sorted(each.status_code for each in await asyncio.gather(*first)) == [201] * 4 + [409]
        together_with = await march.sql("SELECT count(*) AS n FROM customer WHERE external_id LIKE 'N-%' GROUP BY xmin::text")
        assert max(row.n for row in together_with) == 5
    finally:
        await connection.close()


async def _all_but(tasks: Sequence["asyncio.Task[httpx.Response]"], few: int) -> tuple[set[Any], set[Any]]:
    """Wait until so few are left."""
    waiting = set(tasks)
    async with asyncio.timeout(30):
        while len(waiting) > few:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    return set(tasks) - waiting, waiting


@pytest.mark.parametrize("when", ["TRIGGER break BEFORE INSERT ON customer", AT_COMMIT])
async def test_what_breaks_one_breaks_nobody_else(march: Served, when: str) -> None:
    """Neither in the middle of its work nor at the commit, which nobody was answered before."""
    await march.sql(
        "CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.name = 'Roto' THEN RAISE EXCEPTION 'broken'; "
        "END IF; RETURN NEW; END $$"
    )
    await march.sql(f"CREATE {when} FOR EACH ROW EXECUTE FUNCTION break()")
    try:
        bodies = customers(9)
        bodies[4]["name"] = "Roto"
        answers = [each.status_code for each in await all_at_once(march.as_("admin"), "/customers", bodies)]
        assert answers == [201] * 4 + [500] + [201] * 4
        assert len(await march.published(CustomerRegistered)) == 12 + 8
    finally:
        await march.sql("DROP FUNCTION break() CASCADE")


async def test_every_command_keeps_its_own_trace(march: Served) -> None:
    answers = await all_at_once(march.as_("admin"), "/customers", customers(10))
    answers += await all_at_once(march.as_("admin"), "/payments", await payments(march, 10))  # the keys are of another route
    traces = {each.json()["id"]: each.headers["trace-id"] for each in answers}
    assert len(set(traces.values())) == 20
    told = await march.sql("SELECT subject, traceparent FROM outbox WHERE traceparent IS NOT NULL")
    assert {row.subject.split("/")[1]: row.traceparent.split("-")[1] for row in told} == traces
    assert {row.trace_id for row in await march.sql("SELECT trace_id FROM audit_entry")} == set(traces.values())
