"""A month of forty customers, told once and played on the house whose processes are killed and on one that nobody disturbs.

What people do at one instant they do at the same time; before and after, nothing is under way. So what comes of it does not depend on
who was faster, and two months can be compared.
"""

import asyncio
import email
import email.policy
import re
from collections import Counter
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from shared.events import Envelope
from tests.flows.books import residential, vip
from tests.flows.stories import Customer, customers_of
from tests.support.terminals import Terminals

HOMES, OWN, THIRD = 24, 8, 8
ROWS = (
    *(residential(f"R-{n}", f"Familia {n}") for n in range(HOMES)),
    *(vip(f"C-{n}", f"Hotel {n}") for n in range(OWN)),
    *(vip(f"T-{n}", f"Minera {n}", delivery="third_party") for n in range(THIRD)),
)
AT_ONCE = 4
# One picture per service: what there is and how often, by the customer's own code. Numbers and instants are left out.
PICTURES = {
    "billing": """
        SELECT 'invoice', c.external_id, i.period, i.state, i.total::text FROM invoice i JOIN customer c ON c.id = i.customer_id
        UNION ALL SELECT 'payment', c.external_id, p.channel, p.state, p.amount::text
        FROM payment p JOIN customer c ON c.id = p.customer_id
        UNION ALL SELECT 'commands', '', '', '', count(*)::text FROM idempotency_key""",
    "collections": """
        SELECT 'status', external_id, policy, status, '' FROM account
        UNION ALL SELECT 'promise', a.external_id, p.ordinal::text, p.state, p.amount::text
        FROM promise p JOIN account a ON a.id = p.account_id
        UNION ALL SELECT 'cut', a.external_id, s.state, s.source, s.delivery FROM suspension s JOIN account a ON a.id = s.account_id
        UNION ALL SELECT 'contact', a.external_id, c.kind, c.channel, '' FROM contact c JOIN account a ON a.id = c.customer_id
        UNION ALL SELECT 'commands', '', '', '', count(*)::text FROM idempotency_key""",
    "ticketing": """
        SELECT 'ticket', c.external_id, t.kind, t.outcome, t.desk FROM ticket t JOIN customer c ON c.id = t.customer_id
        UNION ALL SELECT 'switch', c.external_id, s.action, s.state, s.adapter FROM network_switch s JOIN customer c ON c.id = s.customer_id
        UNION ALL SELECT 'effect', login, action, '', '' FROM simulated_call WHERE effect
        UNION ALL SELECT 'commands', '', '', '', count(*)::text FROM idempotency_key""",
    "notifier": """
        SELECT 'delivery', d.address, m.notice, m.state, d.state FROM delivery d JOIN message m ON m.id = d.message_id""",
}


@dataclass
class Month:
    """What a month came to. All of it is counted, so that a second one of anything shows."""

    pictures: dict[str, Counter[tuple[str, ...]]]
    events: Counter[tuple[str, ...]]
    mails: Counter[tuple[str, ...]]
    copies: int = 0
    broken: list[str] = field(default_factory=list)

    def differs(self, other: "Month") -> list[str]:
        """What is here and not there, and the other way round."""
        mine: dict[str, Counter[tuple[str, ...]]] = {**self.pictures, "events": self.events, "mails": self.mails}
        theirs: dict[str, Counter[tuple[str, ...]]] = {**other.pictures, "events": other.events, "mails": other.mails}
        found = []
        for name, counted in mine.items():
            expected = theirs[name]
            for what in sorted(counted.keys() | expected.keys()):
                if counted[what] != expected[what]:
                    found.append(f"{name}: {what} is there {counted[what]} times, not {expected[what]}")
        return found


async def at_once(house: Terminals, doings: Iterable[Awaitable[Any]]) -> None:
    """Some people at a time, each with the next thing to do; afterwards nothing is under way."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(doing: Awaitable[Any]) -> None:
        async with turn:
            await doing

    house.hurried = True
    try:
        await asyncio.gather(*(one(each) for each in doings))
    finally:
        house.hurried = False
    await house.settle()


async def play(house: Terminals) -> None:
    """March 2026, from the import to its last evening."""
    customers = await customers_of(house, *ROWS)
    homes, own, third = customers[:HOMES], customers[HOMES : HOMES + OWN], customers[HOMES + OWN :]

    # Las facturas salieron; unos pagan en seguida, otros prometen.
    await house.until("2026-03-04T09:00")
    await at_once(house, (pays(each) for each in [*homes[:8], own[0], third[0]]))
    await at_once(house, (each.promises("2026-03-20T17:00") for each in (own[1], third[1])))
    await confirmed(house, [*homes[:4], own[0]])
    await house.until("2026-03-19T10:00")
    await pays(own[1])

    # El día 20 el sistema suspende los hogares que deben; la mitad paga y vuelve sola.
    await house.until("2026-03-21T10:00")
    await at_once(house, (pays(each) for each in homes[8:16]))

    # Aviso el 26, orden el 28: las propias se cortan solas, las de terceros cuando Ingeniería confirma.
    await house.until("2026-03-26T09:00")
    await at_once(house, (each.does("suspension-notices") for each in [*own[2:], *third[1:]]))
    await house.until("2026-03-28T08:00")
    await at_once(house, (each.does("suspensions") for each in [*own[2:], *third[1:]]))
    await pays(third[7])
    await at_once(house, (each.finishes("oscar.banegas", "confirmar", "Suspendido con el proveedor.") for each in third[1:6]))
    await at_once(house, (each.finishes(each.agent, "completar") for each in third[1:6]))

    # Quien paga vuelve: su gestor lo pide.
    await house.until("2026-03-28T11:00")
    returning = [*own[2:6], *third[1:4]]
    await at_once(house, (pays(each) for each in returning))
    await at_once(house, (each.does("reconnections", {"basis": "payment"}) for each in returning))
    await at_once(house, (each.finishes(each.agent, "completar") for each in third[1:4]))
    await confirmed(house, [own[2], third[1]])
    await house.until("2026-03-31T20:00")


async def pays(customer: Customer) -> None:
    """All of March, once; the bank's number is the customer's alone."""
    await customer.reports_payment(reference=f"TRF-{customer.id}")


async def confirmed(house: Terminals, customers: Sequence[Customer]) -> None:
    """The bank has these customers' payments."""

    async def one(customer: Customer) -> None:
        (payment,) = (await house.get("/billing/payments", customer_id=customer.id))["items"]
        await house.post(f"/billing/payments/{payment['id']}/confirm", {}, "ines.reyes")

    await at_once(house, (one(each) for each in customers))


async def come_to(databases: Mapping[str, str], maildir: Path, told: Sequence[Envelope]) -> Month:
    """Count what there is, in the databases, in what was told (repeats of an event count once) and in the mails."""
    pictures = {}
    for service, sql in PICTURES.items():
        connection = await asyncpg.connect(databases[service])
        try:
            pictures[service] = Counter(tuple(str(value) for value in row) for row in await connection.fetch(sql))
        finally:
            await connection.close()
    events = list({each.id: each for each in told}.values())
    files = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in sorted(maildir.glob("new/*"))]
    mails = {str(each["Message-ID"]): (str(each["To"]), re.sub(r"\d+", "#", str(each["Subject"]))) for each in files}
    counted: Counter[tuple[str, ...]] = Counter((each.source, each.type) for each in events)
    copies = len(files) - len(mails)
    return Month(pictures, counted, Counter(mails.values()), copies, out_of_order(events))


def out_of_order(events: Sequence[Envelope]) -> list[str]:
    """Aggregates whose versions are not 1, 2, 3 … in the order in which they were told."""
    last: dict[tuple[str, str], int] = {}
    found = []
    for each in events:
        before = last.get((each.source, each.subject), 0)
        if each.sequence != before + 1:
            found.append(f"{each.source} {each.subject}: {each.type} is {each.sequence} after {before}")
        last[each.source, each.subject] = each.sequence
    return found
