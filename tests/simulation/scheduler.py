"""The scheduler: one step of somebody at a time (of two, now and then), chosen by the seed, and struck where the seed says so.

Whoever is struck is struck together with everybody whose events it had at hand.
"""

import asyncio
import json
import random
import sys
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from shared.db import rows
from shared.lease import Fenced
from shared.transient import is_transient
from tests.simulation.calls import post
from tests.simulation.crashes import Attempt, Crashes, Death, attempting
from tests.simulation.house import Shop
from tests.simulation.people import Act, Customer
from tests.simulation.races import Race
from tests.support.history import Attempt as Said
from tests.support.history import History, Outcome

FILES = {"job deliveries", "job imports"}  # what they do with files is done in between, and nobody else's turn may come there
MISHAPS = 0.03
FREED = 0.07  # at each turn: what a dead process held is free
COMMAND = "command"
LOOKING = ("relay", "inbox", "lookout")  # the loops that are rung for; what the lookout finds is somebody else's work
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
class Step:
    """Something that is about to be done, and what follows from how it ends."""

    attempt: Attempt
    work: Any
    done: Callable[[Any, Attempt], None]


@dataclass
class Scheduler:
    """Everybody who works, everything that people ask for, and what was done. `trace`: the same seed, the same trace."""

    shops: dict[str, Shop]
    seed: int
    chance: random.Random
    crashes: Crashes
    monitor: asyncpg.Connection
    races: float  # of all turns are two things at the same time
    asks: deque[Ask] = field(default_factory=deque)
    awake: set[tuple[str, str]] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)
    history: History = field(default_factory=History)
    calm: bool = False

    def __post_init__(self) -> None:
        self._bells = {(name, loop): self.shops[name].runtime.database.wakeup.bell(loop) for name in self.shops for loop in LOOKING}

    def answered(self, ask: Ask, status: int, body: Any) -> None:
        """Whoever asked knows now."""
        raise NotImplementedError

    async def works(self, steps: int) -> None:
        """So many steps, or until nobody has anything to do."""
        for _ in range(steps):
            self._listen()
            if not self.asks and not self.awake:
                return
            if not self.calm and self.chance.random() < self.races:
                await self._race()
            else:
                await self._alone(self._pick())
            if self.calm:
                continue
            if self.chance.random() < MISHAPS:
                await self._mishap()
            for shop in self.shops.values():
                if shop.mourning and self.chance.random() < FREED:
                    await self._expire(shop)

    def wake(self, *services: str) -> None:
        """These look by themselves, as they do now and then."""
        self.awake.update((name, loop) for name in services for loop in LOOKING)

    def _listen(self) -> None:
        for loop, bell in self._bells.items():
            if bell.is_set():
                bell.clear()
                self.awake.add(loop)

    def _pick(self) -> Step:
        """What comes next: somebody's request, or a step of somebody's loop."""
        if self.asks and (not self.awake or self.chance.random() < 0.6):
            self.asks.rotate(self.chance.randrange(len(self.asks)))
            return self._request_step(self.asks.popleft())
        events = [each for each in self.awake if each[1] in EVENTS]
        others = len(self.awake) > len(events) and (not events or (not self.calm and self.chance.random() < 0.2))
        name, what = self.chance.choice(sorted(self.awake.difference(events) if others else events))
        return self._loop_step(name, what, 0 if self.calm or self.chance.random() < 0.85 else 1)

    def _loop_step(self, name: str, what: str, process: int) -> Step:
        shop = self.shops[name]
        worker = shop.workers[process]
        self.counts["steps"] += 1

        def done(result: Any, attempt: Attempt) -> None:
            self.trace.append(f"{name} {what} {attempt.count}{'!' if attempt.struck else ''}")
            self.awake.update((name, found) for found in shop.seen(worker))
            if attempt.died and worker in shop.workers:
                shop.bury(worker)
            if not result and attempt.struck is None and shop.idle(what, worker):
                self.awake.discard((name, what))

        return Step(self.crashes.next(what if what in (*LOOKING, "parked", "redelivery") else f"job {what}"), shop.step(what, worker), done)

    def _request_step(self, ask: Ask) -> Step:
        said = Said(ask.service, "POST", f"/{ask.service}{ask.path}", ask.person, ask.key, json.dumps(ask.body))
        self.history.attempts.append(said)
        self.counts["requests"] += 1
        headers = {"if_match": ask.version} if ask.version else {}

        def done(result: Any, attempt: Attempt) -> None:
            status, text = result or (503, "")
            said.answered(status, text)
            self.trace.append(f"{ask.path.rpartition('/')[2]} {ask.customer.number if ask.customer else ''} {status}")
            if said.outcome is Outcome.UNKNOWN:
                self.counts["unanswered"] += 1
                self.asks.append(ask)
            else:
                self.answered(ask, status, json.loads(text))

        work = post(self.shops[ask.service].app, ask.service, ask.path, ask.body, person=ask.person, key=ask.key, **headers)
        return Step(self.crashes.next(COMMAND), work, done)

    async def _alone(self, step: Step) -> None:
        step.done(await self._attempt(step.attempt, step.work), step.attempt)

    async def _race(self) -> None:
        """Two at the same time: what one customer wants twice, two workers at the same thing, or any two."""
        first = self._pick()
        if not self.asks and not self.awake:
            await self._alone(first)
            return
        second = self._rival() or self._pick()
        if FILES & {first.attempt.actor, second.attempt.actor}:
            await self._alone(first)
            await self._alone(second)
            return
        race = Race(self.chance, self.monitor)
        results = await race.run([(each.attempt, each.work) for each in (first, second)], self._attempt)
        self.counts["races"] += 1
        self.counts["waited for a lock"] += race.blocked
        for each, result in zip((first, second), results, strict=True):
            each.done(result, each.attempt)

    def _rival(self) -> Step | None:
        """A request of somebody who has another one under way, if there is one."""
        known = Counter(ask.customer.number for ask in self.asks if ask.customer is not None)
        for ask in self.asks:
            if ask.customer is not None and known[ask.customer.number] > 1:
                self.asks.remove(ask)
                return self._request_step(ask)
        return None

    async def _attempt(self, attempt: Attempt, work: Any) -> Any:
        """Run it to its end or to its crash, and whatever it leaves behind; answers what it answered."""
        result = None
        with attempting(attempt):
            attempt.main = asyncio.create_task(work)
        try:
            result = await attempt.main
        except (Death, asyncio.CancelledError):
            if not (attempt.dies and attempt.struck):
                raise
            attempt.died = True
        except Fenced:
            self.counts["fenced"] += 1
        except Exception as error:
            if attempt.struck is None and not (attempt.gate and is_transient(error)):  # two may be each other's deadlock
                raise
        while attempt.tasks:
            for each in attempt.tasks if attempt.died else ():
                each.cancel()
            await asyncio.gather(*attempt.tasks, return_exceptions=True)
        self.crashes.learn(attempt)
        return result

    async def _expire(self, shop: Shop) -> None:
        await shop.expire()
        self.wake(shop.runtime.service.name)
        self.counts["expired"] += 1

    async def _mishap(self) -> None:
        """Time passes that ends every lease; or events that were long delivered are delivered again."""
        name = self.chance.choice(sorted(self.shops))
        shop = self.shops[name]
        if self.chance.random() < 0.3:
            await self._expire(shop)
            return
        async with shop.runtime.database.transaction() as session:
            claimed = {row.event_id for row in await rows(session, "SELECT event_id FROM inbox")}
        if wanted := [each for each in shop.post.told if each.id in claimed]:
            again = self.chance.sample(wanted, min(len(wanted), self.chance.choice((1, 5, 20))))
            await shop.post.courier.send_to(name, again, sys.maxsize)
            self.counts["told again"] += len(again)
