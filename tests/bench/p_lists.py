"""L1: pages of long lists, at their beginning, in their middle and at their end, whole and filtered down to few, in their own order and in
those that have an index or sort the few: the slowest counts."""

import base64
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from services.billing.app import SERVICE as BILLING
from services.collections.app import SERVICE as COLLECTIONS
from shared.db import Database
from shared.service import Service
from tests.bench.data import do
from tests.bench.runner import Bench, Goal, Growth, Measure
from tests.support.service import serve

NOW = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
PAGES = 20
PLACES = (None, 0.5, 0.999)  # beginning, middle, end
FEW = 40  # rows that a filter leaves of those that a list grows by
PORTFOLIO = 2000  # customers of one agent, in however large a house: as many as a person can work on
NOISE = 2.0  # milliseconds by which a page of fifty varies from one run to the next


@dataclass(frozen=True)
class Listing:
    """A list: its path, the filters and orders to try (`{}`: none, its own order), and the place of its row n in each order, as its cursors
    hold it; "" is its own."""

    path: str
    filters: Sequence[Mapping[str, str]]
    place: Mapping[str, Callable[[int], Sequence[str | None]]]


@dataclass(frozen=True)
class Lists:
    """The long lists of one service, who reads them, and the SQL that lets them grow from row `{first}` to row `{last}`: one of `{every}`
    is of the few that a filter finds, and one of `{share}` of a portfolio."""

    service: Service
    person: str
    rows: Sequence[str]
    listings: Sequence[Listing]

    async def fill(self, database: Database, before: int, size: int) -> None:
        for statement in self.rows:
            every, share = max(1, (size - before) // FEW), max(1, size // PORTFOLIO)
            await do(database, statement.format(first=before + 1, last=size, every=every, share=share))
        await do(database, "VACUUM ANALYZE")

    async def ask(self, database: Database, size: int) -> dict[str, float]:
        """Of each list the slowest kind of page, in ms: the lower quartile of some."""
        async with serve(self.service, database, NOW) as served:
            client = served.as_(self.person)
            return {each.path: max([await _page(client, each, kind, size) for kind in _kinds(each)]) for each in self.listings}


def _id(group: str, number: int) -> str:
    return f"00000000-0000-7000-{group}-{number:012x}"


def _sql_id(group: str) -> str:
    return f"('00000000-0000-7000-{group}-' || lpad(to_hex(n), 12, '0'))::uuid"


CUSTOMER, INVOICE, PAYMENT = map(_sql_id, ("8000", "9000", "a000"))
ROWS = "FROM generate_series({first}, {last}) AS n"
BILLING_ROWS = (
    "INSERT INTO customer (id, external_source, external_id, name, search_name, contacts, is_isp, policy, currency, version, created_at, "
    f"updated_at) SELECT {CUSTOMER}, 'crm', 'C' || n, 'Cliente ' || n, 'cliente ' || lpad(n::text, 8, '0'), '[]', false, "
    f"CASE WHEN n % {{every}} = 0 THEN 'vip' ELSE 'residencial' END, 'USD', 1, now(), now() {ROWS}",
    "INSERT INTO invoice (id, customer_id, origin, origin_key, number, period, issue_date, due_date, due_ends_at, base, tax, total, "
    f"balance, reported, currency, state, version) SELECT {INVOICE}, {CUSTOMER}, 'opening', 'A-' || n, 'A-' || n, "
    "to_char('2018-01-01'::date + (n % 100) * interval '1 month', 'YYYY-MM'), '2026-01-01', '2026-01-05', now(), 10, 0, 10, 0, 0, 'USD', "
    f"CASE WHEN n % {{every}} = 0 THEN 'VOIDED' ELSE 'PAID' END, 1 {ROWS}",
    "INSERT INTO payment (id, customer_id, channel, reference, amount, unallocated, currency, state, paid_on, reported_at, reported_by, "
    f"version) SELECT {PAYMENT}, {CUSTOMER}, 'banco', 'BR' || n, 10, 0, 'USD', CASE WHEN n % {{every}} = 0 THEN 'REJECTED' "
    f"ELSE 'CONFIRMED' END, '2026-02-01', now(), 'ana.martinez', 1 {ROWS}",
)
ACCOUNT_ROWS = (
    "INSERT INTO account (id, external_source, external_id, name, search_name, contacts, services, nodes, delivery, monthly_amount, "
    "currency, is_isp, agent, policy, status, status_since, status_rule, status_reason, version, registered_at) "
    f"SELECT {CUSTOMER}, 'crm', 'C' || n, 'Cliente ' || n, 'cliente ' || lpad(n::text, 8, '0'), '[]', '[]', '{{{{}}}}', 'own', 10, 'USD', "
    "false, CASE WHEN n % {every} = 0 THEN NULL WHEN n % 500 = 1 THEN 'carlos.rivera' ELSE 'ana.martinez' END, CASE WHEN n % {every} = 1 "
    f"THEN 'residencial' ELSE 'vip' END, CASE WHEN n % {{every}} = 2 THEN 'under_review' ELSE 'active' END, now(), '', '', 1, now() {ROWS}",
    "INSERT INTO invoice (id, account_id, number, origin, period, issue_date, due_date, due_ends_at, total, balance, currency, issued_at) "
    f"SELECT {INVOICE}, {CUSTOMER}, 'A-' || n, 'run', '2026-02', '2026-02-01', '2026-02-05', '2026-02-06 06:00Z', 10, 10, 'USD', "
    f"'2026-02-01 12:00Z' {ROWS}",
    "INSERT INTO worklist (account_id, agent, urgency, weight) SELECT id, agent, 9, -10 FROM account "
    "WHERE external_id IN (SELECT 'C' || n FROM generate_series({first}, {last}) AS n) AND policy = 'vip'",
)
PORTFOLIO_ROWS = (
    "UPDATE account SET agent = 'ana.martinez' WHERE agent = 'carlos.rivera'",
    "UPDATE account SET agent = 'carlos.rivera' WHERE agent = 'ana.martinez' AND policy = 'vip' AND external_id IN "
    "(SELECT 'C' || n FROM generate_series(7, {last}, {share}) AS n)",
    "UPDATE worklist w SET agent = a.agent FROM account a WHERE a.id = w.account_id AND w.agent IS DISTINCT FROM a.agent",
)
SERVICES = (
    Lists(
        COLLECTIONS,
        "marta.zelaya",
        (*ACCOUNT_ROWS, *PORTFOLIO_ROWS),
        [
            Listing(
                "/customers",
                [
                    {},
                    {"q": "Cliente 000001"},
                    {"policy": "residencial"},
                    {"status": "under_review"},
                    {"status": "active", "policy": "residencial"},
                    {"agent": "carlos.rivera"},
                    {"unassigned": "true"},
                    {"external_id": "C77"},
                    {"sort": "external_id"},
                    {"sort": "-external_id"},
                    {"policy": "residencial", "sort": "-external_id"},
                    {"agent": "carlos.rivera", "sort": "-status"},
                ],
                {
                    "": lambda n: ("name", f"cliente {n:08}", _id("8000", n)),
                    "external_id": lambda n: (f"C{n}", _id("8000", n)),
                    "status": lambda n: ("active", _id("8000", n)),
                },
            ),
            Listing(
                "/worklist",
                [{}, {"agent": "carlos.rivera"}, {"agent": "carlos.rivera", "sort": "-owed"}, {"agent": "carlos.rivera", "sort": "name"}],
                {
                    "": lambda n: ("urgency", "9", "-10", _id("8000", n)),
                    "owed": lambda n: ("10", _id("8000", n)),
                    "name": lambda n: (f"cliente {n:08}", _id("8000", n)),
                },
            ),
        ],
    ),
    Lists(
        BILLING,
        "admin",
        BILLING_ROWS,
        [
            Listing(
                "/customers",
                [
                    {},
                    {"name": "Cliente 000001"},
                    {"policy": "vip"},
                    {"policy": "residencial"},
                    {"external_id": "C77"},
                    {"sort": "-external_id"},
                    {"policy": "vip", "sort": "external_id"},
                ],
                {
                    "": lambda n: ("name", f"cliente {n:08}", _id("8000", n)),
                    "external_id": lambda n: (f"C{n}", _id("8000", n)),
                },
            ),
            Listing(
                "/invoices",
                [
                    {},
                    {"period": "2020-05"},
                    {"state": "VOIDED"},
                    {"period": "2020-05", "state": "VOIDED"},
                    {"number": "A-77"},
                    {"sort": "-number"},
                    {"sort": "-period"},
                    {"sort": "state"},
                    {"state": "VOIDED", "sort": "-total"},
                    {"state": "VOIDED", "sort": "overdue_at"},
                ],
                {
                    "": lambda n: ("id", _id("9000", n)),
                    "number": lambda n: (f"A-{n}", _id("9000", n)),
                    "period": lambda n: ("2020-05", _id("9000", n)),
                    "state": lambda n: ("PAID", _id("9000", n)),
                    "total": lambda n: ("10", _id("9000", n)),
                    "overdue_at": lambda n: (None, _id("9000", n)),
                },
            ),
            Listing(
                "/payments",
                [{}, {"state": "REJECTED"}, {"state": "CONFIRMED"}, {"sort": "-state"}, {"state": "REJECTED", "sort": "-paid_on"}],
                {
                    "": lambda n: ("id", _id("a000", n)),
                    "state": lambda n: ("CONFIRMED", _id("a000", n)),
                    "paid_on": lambda n: ("2026-02-01", _id("a000", n)),
                },
            ),
        ],
    ),
)


async def prepare(bench: Bench) -> Measure:
    growth, sizes = Growth("rows in the list", "ms"), bench.sizes(1_000_000)
    for each in SERVICES:
        database, before = await bench.database(each.service.name), 0
        for size in sizes:
            await each.fill(database, before, size)
            for path, slowest in (await each.ask(database, size)).items():
                growth.note(f"{each.service.name} {path}", size, slowest)
            before = size
    told = growth.told()["series"]

    def figure(value: float) -> Callable[[], Awaitable[float]]:
        async def answer() -> float:
            return value

        return answer

    first, last = f", {sizes[0]:,} rows", f", {sizes[-1]:,} rows"
    return Measure(
        "L1",
        f"the slowest page of fifty of a list of {sizes[-1]:,}",
        "ms",
        {name + which: figure(found[place]) for name, found in told.items() for which, place in ((first, 0), (last, -1))},
        [Goal(f"{name}: {sizes[-1]:,} / {sizes[0]:,} rows", name + last, told[name][0] + NOISE, 1.2, at_most=True) for name in told],
        rounds=1,
        growth=growth,
    )


def _kinds(listing: Listing) -> list[tuple[Mapping[str, str], float | None]]:
    """Every filter at the list's beginning, in its middle and at its end."""
    return [(each, place) for each in listing.filters for place in PLACES]


async def _page(client: httpx.AsyncClient, listing: Listing, kind: tuple[Mapping[str, str], float | None], size: int) -> float:
    filters, place = kind
    params = {**filters, "limit": "50"}
    if place is not None:
        sort = filters.get("sort", "")
        found = list(listing.place[sort.removeprefix("-")](int(size * place)))
        params["cursor"] = base64.urlsafe_b64encode(json.dumps([sort, *found] if sort else found).encode()).decode()
    took = []
    for _ in range(PAGES):
        start = time.perf_counter()
        answer = await client.get(listing.path, params=params)
        took.append(1000 * (time.perf_counter() - start))
        answer.raise_for_status()
    return statistics.quantiles(took, n=4)[0]  # what others do on the machine is not the list's
