"""A month of many customers in five shared databases: each customer is one schedule, and one scheduler does one step of somebody at a time.

Whoever is struck (see tests.simulation.crashes) is struck together with everybody whose events it had at hand.
"""

import asyncio
import json
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.clock import SimulatedClock
from shared.db import execute, rows
from shared.lease import Fenced
from tests.flows.books import HEADER, MAPPING
from tests.simulation.calls import post, send_book
from tests.simulation.crashes import Attempt, Crashes, Death, attempting
from tests.simulation.house import Shop
from tests.simulation.people import AGENT, BANK, DAYS, DESKS, END, LAST, NOC, NODES, Act, Customer, customer
from tests.support.history import Attempt as Said
from tests.support.history import History

TASKS = """
SELECT s.ticket_id, s.code, s.desk, s.person, t.revision FROM ticket_step s JOIN ticket t ON t.id = s.ticket_id
WHERE s.state = 'OPEN' AND s.task ORDER BY t.number, s.code
"""
BEGIN = "2026-03-01T00:00"
SHARE = 0.2  # of all steps are struck
AGAIN = {503, 429}  # nobody knows what came of it: the same request is sent again
COMMAND = "command"
EVENTS = ("relay", "inbox")  # these come first; the others look when there is nothing else, and now and then


@dataclass
class Ask:
    """A request that somebody sends until it is answered. `customer` is None for what the operator does as a whole."""

    service: str
    path: str
    body: Any
    person: str
    key: str
    act: Act
    customer: Customer | None = None
    version: str = ""


@dataclass
class World:
    """See the module. `trace` is what was done in which order: the same seed, the same trace."""

    shops: dict[str, Shop]
    seed: int
    chance: random.Random
    crashes: Crashes
    customers: list[Customer]
    asks: deque[Ask] = field(default_factory=deque)
    waiting: dict[int, deque[Act]] = field(default_factory=dict)
    busy: set[int] = field(default_factory=set)
    awake: set[tuple[str, str]] = field(default_factory=set)
    bells: dict[str, asyncio.Event] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)
    history: History = field(default_factory=History)
    keys: int = 0
    day: int = 0
    calm: bool = False

    @classmethod
    def of(cls, shops: dict[str, Shop], seed: int, size: int, chance: random.Random) -> "World":
        people = [customer(number, random.Random(f"{seed}/{number}")) for number in range(size)]
        world = cls(shops, seed, chance, Crashes(chance, share=SHARE), people)
        world.bells = {name: shop.runtime.database.wakeup.bell() for name, shop in shops.items()}
        return world

    # -- what is done -----------------------------------------------------------------------------------------------------------------

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
            await self._works(int(len(self.customers) * self.chance.choice((0.1, 0.5, 1, 3))))
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
        await self._works(60)
        await self._moves(self._instant("2026-03-01T00:30"))
        await self._works(10_000)
        async with self.shops["billing"].runtime.database.transaction() as session:
            found = await rows(
                session, "SELECT c.external_id, c.id, i.total FROM customer c LEFT JOIN invoice i ON i.customer_id = c.id"
            )
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
            await self._works(20_000)
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
        self._wake(*self.shops)
        await self._works(20_000)
        assert not self.asks and not self.busy, "somebody is never answered"

    # -- the scheduler ----------------------------------------------------------------------------------------------------------------

    async def _works(self, steps: int) -> None:
        """So many steps, or until nobody has anything to do."""
        for _ in range(steps):
            self._listen()
            if not self.asks and not self.awake:
                return
            if self.asks and (not self.awake or self.chance.random() < 0.6):
                await self._ask()
            else:
                await self._step()
            if not self.calm and self.chance.random() < 0.03:
                await self._mishap()

    def _wake(self, *services: str) -> None:
        self.awake.update((name, what) for name in services for what in self.shops[name].steps())

    def _listen(self) -> None:
        for name, bell in self.bells.items():
            if bell.is_set():
                bell.clear()
                self._wake(name)

    async def _step(self) -> None:
        """One step of one loop of one process."""
        events = [each for each in self.awake if each[1] in EVENTS]
        others = len(self.awake) > len(events) and (not events or not self.calm and self.chance.random() < 0.2)
        name, what = self.chance.choice(sorted(self.awake.difference(events) if others else events))
        shop = self.shops[name]
        worker = shop.workers[0 if self.chance.random() < 0.85 else 1]
        attempt = self.crashes.next(what if what in (*EVENTS, "parked", "redelivery") else f"job {what}")
        more, alive = await self._attempt(attempt, shop.step(what, worker))
        self.trace.append(f"{name} {what} {attempt.count}{'!' if attempt.struck else ''}")
        self.counts["steps"] += 1
        if not alive:
            shop.bury(worker)
        if not more and attempt.struck is None:
            self.awake.discard((name, what))

    async def _attempt(self, attempt: Attempt, work: Any) -> tuple[Any, bool]:
        """Run it to its end or to its crash; answers what it answered, and whether the process is alive."""
        result, alive = None, True
        try:
            with attempting(attempt):
                result = await work
        except Death:
            alive = False
        except Fenced:
            self.counts["fenced"] += 1
        except Exception:
            if attempt.struck is None:
                raise
        self.crashes.learn(attempt)
        return result, alive

    async def _mishap(self) -> None:
        """Time passes that ends every lease; or events that were long delivered are delivered again."""
        name = self.chance.choice(sorted(self.shops))
        shop = self.shops[name]
        if self.chance.random() < 0.3:
            await shop.expire()
            self._wake(name)
            self.counts["expired"] += 1
            return
        async with shop.runtime.database.transaction() as session:
            claimed = {row.event_id for row in await rows(session, "SELECT event_id FROM inbox")}
        if wanted := [each for each in shop.post.told if each.id in claimed]:
            again = self.chance.sample(wanted, min(len(wanted), self.chance.choice((1, 5, 20))))
            await shop.post.courier.send_to(name, again)
            self.counts["told again"] += len(again)

    async def _moves(self, instant: datetime) -> None:
        """The services are moved one after another; work goes on between them."""
        for name in self.chance.sample(sorted(self.shops), len(self.shops)):
            clock = self.shops[name].runtime.clock
            assert isinstance(clock, SimulatedClock)
            await clock.set(instant)
            self._wake(name)
            if not self.calm:
                await self._works(self.chance.choice((0, 0, 3, 10)))
        self.trace.append(f"it is {instant:%d %H:%M}")

    # -- people -----------------------------------------------------------------------------------------------------------------------

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
        while acts and acts[0].day <= self.day and who.number not in self.busy:
            act = acts.popleft()
            ask = self._request(who, act)
            if ask is not None:
                self.busy.add(who.number)
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

    async def _ask(self) -> None:
        """Somebody sends a request; what is not answered is sent again, later."""
        self.asks.rotate(self.chance.randrange(len(self.asks)))
        ask = self.asks.popleft()
        attempt = self.crashes.next(COMMAND)
        headers = {"if_match": ask.version} if ask.version else {}
        said = Said(ask.service, "POST", f"/{ask.service}{ask.path}", ask.person, ask.key, json.dumps(ask.body))
        self.history.attempts.append(said)
        work = post(self.shops[ask.service].app, ask.service, ask.path, ask.body, person=ask.person, key=ask.key, **headers)
        answer, _ = await self._attempt(attempt, work)
        status, text = answer or (503, "")
        said.answered(status, text)
        self.trace.append(f"{ask.path.rpartition('/')[2]} {ask.customer.number if ask.customer else ''} {status}")
        self.counts["requests"] += 1
        if status in AGAIN:
            self.counts["unanswered"] += 1
            self.asks.append(ask)
        else:
            self._answered(ask, status, json.loads(text))
            if not self.calm and self.chance.random() < 0.05:
                self.asks.append(Ask(**{**vars(ask), "act": Act(ask.act.day, "again"), "customer": None}))

    def _answered(self, ask: Ask, status: int, body: Any) -> None:
        assert status < 500, f"{ask.path}: {status} {body}"
        act, who = ask.act, ask.customer
        act.status, act.answer = status, body
        if who is None:
            return
        self.busy.discard(who.number)
        who.done.append(act)
        if act.stubborn and status == 409 and self.day < LAST:
            again = Act(self.day + 1, act.what, stubborn=True, tries=act.tries + 1)
            self.waiting[who.number].appendleft(again)
        self._next_act(who)

    async def _outages(self, *, declare: bool) -> None:
        """A node goes down, and comes up again."""
        if declare:
            body = {"access_node": self.chance.choice(NODES), "description": "Fibra cortada"}
            self.asks.append(self._new("noc", "/outages", body, NOC, self._outage, None))
        elif self._outage.status == 201:
            body = {"solution": "Empalme reparado"}
            self.asks.append(self._new("noc", f"/outages/{self._outage.answer['id']}/close", body, NOC, Act(self.day, "close"), None))

    _outage: Act = field(default_factory=lambda: Act(3, "outage"))

    def _instant(self, text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=self.shops["billing"].runtime.operator.zone)
