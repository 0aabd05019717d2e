"""A month of many customers in five shared databases: each customer is one schedule."""

import random
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from shared.clock import SimulatedClock
from shared.db import execute, rows
from tests.flows.books import HEADER, MAPPING
from tests.simulation.calls import send_book
from tests.simulation.crashes import Crashes
from tests.simulation.house import Shop, Weather
from tests.simulation.people import AGENT, BANK, DAYS, DESKS, END, LAST, NOC, NODES, Act, Customer, customer
from tests.simulation.scheduler import Ask, Scheduler
from tests.support.history import Attempt as Said

TASKS = """
SELECT s.ticket_id, s.code, s.desk, s.person, t.revision FROM ticket_step s JOIN ticket t ON t.id = s.ticket_id
WHERE s.state = 'OPEN' AND s.task ORDER BY t.number, s.code
"""
BILLED = "SELECT c.external_id, c.id, i.total FROM customer c JOIN invoice i ON i.customer_id = c.id"
BEGIN = "2026-03-01T00:00"


@dataclass
class World(Scheduler):
    """The scheduler, and the customers with what each of them is going to do."""

    customers: list[Customer] = field(default_factory=list)
    waiting: dict[int, deque[Act]] = field(default_factory=dict)
    busy: Counter[int] = field(default_factory=Counter)
    keys: int = 0
    day: int = 0
    outage: Act = field(default_factory=lambda: Act(3, "outage"))

    @classmethod
    def of(cls, shops: dict[str, Shop], monitor: asyncpg.Connection, seed: int, size: int, weather: Weather) -> "World":
        people = [customer(number, random.Random(f"{seed}/{number}"), vips=weather.vips, prompt=weather.prompt) for number in range(size)]
        chance = shops["billing"].chance
        return cls(shops, seed, chance, Crashes(chance, share=weather.struck), monitor, weather.races, customers=people)

    async def play(self) -> None:
        """The month from its import to its last evening; then nobody is struck any more, and everything comes to rest."""
        await self._opens()
        for day, text in enumerate(DAYS):
            self.day = day
            await self._moves(self._instant(text))
            self._people()
            await self._tasks()
            if day in (3, 6):
                await self._outages(declare=day == 3)
            await self.works(40 + int(len(self.customers) * self.chance.choice((0.1, 0.2, 0.3, 0.6))))
        await self._rests()

    async def _opens(self) -> None:
        """The book comes in, the run of the month goes out."""
        async with self.shops["ticketing"].runtime.database.transaction() as session:
            plans = [(each.login, each.network) for each in self.customers]
            sql = "INSERT INTO simulated_plan (login, answers, used, slow_ms) SELECT *, 0, 0 FROM unnest($1::text[], $2::text[])"
            await execute(session, sql, [login for login, _ in plans], [answers for _, answers in plans])
        book = "\n".join([HEADER, *(each.row() for each in self.customers)]) + "\n"
        known_as = Said("billing", "POST", "/billing/imports", BANK, f"{self.seed}-book")
        self.history.attempts.append(known_as)
        known_as.answered(*await send_book(self.shops["billing"].app, book, MAPPING, person=BANK, key=known_as.key))
        assert known_as.status == 202, known_as.answer
        await self.works(60)
        await self._moves(self._instant("2026-03-01T00:30"))
        known: dict[str, Any] = {}
        while len(known) < len(self.customers):
            self.wake("billing")
            await self.works(200)
            async with self.shops["billing"].runtime.database.transaction() as session:
                found = await rows(session, BILLED)
            known = {row.external_id: row for row in found}
        for each in self.customers:
            each.id, each.total = str(known[each.code].id), known[each.code].total
            self.waiting[each.number] = deque(each.acts)

    async def _rests(self) -> None:
        """No crash and no delay any more: first all that is under way, then every instant that is due, then what people still want."""
        self.calm, self.crashes.on = True, False
        for shop in self.shops.values():
            shop.rest()
        await self._until(self._instant(END))
        self.day = LAST
        self._people()
        for hours in (1, 2, 3):
            await self._until(self._instant(END) + timedelta(hours=hours))
            await self._tasks()
        await self._settles()

    async def _until(self, end: datetime) -> None:
        await self._settles()
        while True:
            await self.works(20_000)
            now = max([await shop.runtime.clock.now() for shop in self.shops.values()])
            due = [each for each in [await self._next_due(shop, now) for shop in self.shops.values()] if each is not None]
            target = min([end, *due])
            if now >= end:
                return
            await self._moves(max(target, now))

    async def _next_due(self, shop: Shop, now: datetime) -> datetime | None:
        async with shop.runtime.database.transaction() as session:
            context = shop.runtime.job_context(now)
            found = [await job.next_due(session, context) for job in shop.runtime.jobs]
        return min((each for each in found if each is not None and each > now), default=None)

    async def _settles(self) -> None:
        """Whoever was struck after a commit rang for nobody: all look by themselves."""
        for shop in self.shops.values():
            await shop.expire()
        self.wake(*self.shops)
        await self.works(20_000)
        assert not self.asks and not self.busy.total(), "somebody is never answered"

    async def _moves(self, instant: datetime) -> None:
        """The services are moved one after another; work goes on between them."""
        for name in self.chance.sample(sorted(self.shops), len(self.shops)):
            clock = self.shops[name].runtime.clock
            assert isinstance(clock, SimulatedClock)
            await clock.set(instant)
            self.wake(name)
            if not self.calm:
                await self.works(self.chance.choice((0, 0, 3, 10)))
        self.trace.append(f"it is {instant:%d %H:%M}")

    def _people(self) -> None:
        """Whoever has something to do by now and waits for no answer asks for it."""
        for each in self.customers:
            self._next_act(each)

    async def _tasks(self) -> None:
        """Some of those with a task on their list finish it; when the month is over, all."""
        async with self.shops["ticketing"].runtime.database.transaction() as session:
            found = await rows(session, TASKS)
        for row in found:
            if self.calm or self.chance.random() < 0.5:
                body = {"outcome": "done", "captured": {}, "comment": "Hecho con el proveedor."}
                path, version = f"/tickets/{row.ticket_id}/steps/{row.code}/finish", f'"{row.revision}"'
                act = Act(self.day, "finish")
                self.asks.append(self._new("ticketing", path, body, row.person or DESKS[row.desk], act, None, version))

    def _next_act(self, who: Customer) -> None:
        acts = self.waiting[who.number]
        while acts and acts[0].day <= self.day and (not self.busy[who.number] or acts[0].what == "pay"):
            act = acts.popleft()
            ask = self._request(who, act)
            if ask is not None:
                self.busy[who.number] += 1
                self.asks.append(ask)

    def _request(self, who: Customer, act: Act) -> Ask | None:
        """The act as a request; None when there is nothing to ask for (a payment that was refused can't be confirmed)."""
        account = f"/customers/{who.id}"
        if act.what in ("confirm", "reject"):
            made = [each.answer["id"] for each in who.accepted("pay") if each.name == act.name]
            if not made:
                return None
            body: dict[str, Any] = {} if act.what == "confirm" else {"reason": "El banco no lo tiene"}
            return self._new("billing", f"/payments/{made[0]}/{act.what}", body, BANK, act, who)
        if act.what == "pay":
            amount = {"amount": str(who.amount(act)), "currency": "USD"}
            reference = f"{who.code}-{act.name}"
            body = {"customer_id": who.id, "amount": amount, "channel": "banco", "reference": reference, "paid_on": "2026-03-01"}
            return self._new("billing", "/payments", body, BANK, act, who)
        if act.what == "promise":
            due = self._instant(DAYS[self.day]) + timedelta(days=2)
            body = {"amount": {"amount": "10.00", "currency": "USD"}, "due_at": due.isoformat()}
            return self._new("collections", f"{account}/promises", body, AGENT, act, who)
        paths = {"notice": "suspension-notices", "suspend": "suspensions", "reconnect": "reconnections"}
        body = {"basis": "payment"} if act.what == "reconnect" else {}
        return self._new("collections", f"{account}/{paths[act.what]}", body, AGENT, act, who)

    def _new(self, service: str, path: str, body: Any, person: str, act: Act, who: Customer | None, version: str = "") -> Ask:
        self.keys += 1
        return Ask(service, path, body, person, f"{self.seed}-{self.keys}", act, who, version)

    def answered(self, ask: Ask, status: int, body: Any) -> None:
        assert status < 500, f"{ask.path}: {status} {body}"
        act, who = ask.act, ask.customer
        act.status, act.answer = status, body
        if who is None:
            return
        self.busy[who.number] -= 1
        who.done.append(act)
        if act.stubborn and status in (404, 409) and self.day < LAST:
            again = Act(self.day + 1, act.what, stubborn=True)
            self.waiting[who.number].appendleft(again)
        self._next_act(who)

    async def _outages(self, *, declare: bool) -> None:
        """A node goes down, and comes up again."""
        if declare:
            body = {"access_node": self.chance.choice(NODES), "description": "Fibra cortada"}
            self.asks.append(self._new("noc", "/outages", body, NOC, self.outage, None))
        elif self.outage.status == 201:
            body = {"solution": "Empalme reparado"}
            self.asks.append(self._new("noc", f"/outages/{self.outage.answer['id']}/close", body, NOC, Act(self.day, "close"), None))

    def _instant(self, text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=self.shops["billing"].runtime.operator.zone)
