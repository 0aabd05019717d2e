"""Random schedules of two relays and two inboxes with crashes between any two of their steps; a seed repeats each one exactly.

A crash takes one of three forms, at any transaction: it never began, it was rolled back, or it was committed and nobody learnt of it.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import SystemClock
from shared.courier import Courier, CourierInbox, Receiver
from shared.db import Database, execute, rows
from shared.inbox import Inbox
from shared.lease import Fenced, Lease
from shared.outbox import Relay, publish
from tests.support.service import operator
from tests.support.transport import NOW, Ears, Told, clean, prepare

SCHEDULES = 60
CRASH = 0.12
KEYS, EVENTS = 3, 12
LEFT = "SELECT (SELECT count(*) FROM inbox_pending) + (SELECT count(*) FROM parked_event) AS n"


class Crash(ConnectionError):
    """The process dies, or its connection does."""


class Chaos:
    """Crashes transactions of one database while it is on."""

    def __init__(self, database: Database, chance: random.Random) -> None:
        self._database, self._chance, self._transaction = database, chance, database.transaction
        self.on, self.crashes = False, 0
        database.transaction = self.transaction  # type: ignore[method-assign]

    def _strikes(self) -> bool:
        struck = self.on and self._chance.random() < CRASH
        self.crashes += struck
        return struck

    @asynccontextmanager
    async def transaction(self, first: str = "") -> AsyncIterator[AsyncSession]:
        if self._strikes():
            raise Crash("before it began")
        async with self._transaction(first) as session:
            yield session
            if self._strikes():
                raise Crash("before the commit")
        if self._strikes():
            raise Crash("after the commit")

    def undo(self) -> None:
        self._database.transaction = self._transaction  # type: ignore[method-assign]


class World:
    """One sender with two relays, one receiver with two inboxes, and a list of steps that a seed puts in order."""

    def __init__(self, sender: Database, receiver: Database, chance: random.Random) -> None:
        self.sender, self.receiver, self.chance = sender, receiver, chance
        self.chaos = [Chaos(sender, chance), Chaos(receiver, chance)]
        ears = Ears()
        courier = Courier({"ticketing": Receiver(receiver, ears.router().types)})
        self.relays = [Relay(sender, courier, holder=name, batch=chance.randint(1, 5)) for name in ("a", "b")]
        self.handling = Inbox(receiver, ears.router(), operator(), SystemClock())
        self.inboxes = [
            CourierInbox(
                Inbox(receiver, ears.router(), operator(), SystemClock()), Lease(receiver, "inbox", name), batch=chance.randint(1, 5)
            )
            for name in ("a", "b")
        ]
        self.told: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()

    async def tell(self) -> None:
        """One transaction with one to three events; one that is rolled back tells nothing."""
        fails = self.chance.random() < 0.2
        new = self.told.copy()
        try:
            async with self.sender.transaction() as session:
                for _ in range(self.chance.randint(1, 3)):
                    who = f"p{self.chance.randrange(KEYS)}"
                    event = Told(who=who, number=new[who])
                    new[who] += 1
                    await publish(session, event, subject=who, version=new[who], now=NOW)
                if fails:
                    raise Crash
        except Crash:
            return
        self.told = new

    async def expire(self) -> None:
        """Somebody was frozen for longer than a lease lasts."""
        for database in (self.sender, self.receiver):
            async with database.transaction() as session:
                await execute(session, "UPDATE lease SET expires_at = clock_timestamp() - $1::interval", timedelta(seconds=1))

    async def step(self, *, calm: bool = False) -> None:
        """One step of somebody, which may crash; then it is forgotten as a dead process would be."""
        relay, inbox = self.chance.choice(self.relays), self.chance.choice(self.inboxes)
        work: Callable[[], Awaitable[object]] = self.chance.choice(
            [relay.step, relay.redeliver, inbox.step, relay.step, inbox.step, self.handling.release]
        )
        for each in self.chaos:
            each.on = not calm
        try:
            await work()
        except (Crash, Fenced):
            if self.chance.random() < 0.5:
                relay.lease.epoch = inbox.lease.epoch = 0
        finally:
            for each in self.chaos:
                each.on = False

    async def left(self) -> int:
        async with self.sender.transaction() as session:
            out = (await rows(session, "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM outbox_held) AS n"))[0].n
        async with self.receiver.transaction() as session:
            return int(out + (await rows(session, LEFT))[0].n)

    async def heard(self) -> dict[str, list[int]]:
        async with self.receiver.transaction() as session:
            found = await rows(session, "SELECT who, array_agg(number ORDER BY at) AS numbers FROM heard GROUP BY who")
        return {row.who: list(row.numbers) for row in found}

    async def run(self) -> int:
        """Tell and move until all is told and nothing is left; answers how many crashes there were."""
        while sum(self.told.values()) < EVENTS:
            await self.chance.choice([self.tell, self.step, self.step])()
        for number in range(500):
            if not await self.left():
                break
            if number % 5 == 0:
                await self.expire()
            await self.step(calm=number > 40)  # sooner or later the crashes end
        assert not await self.left(), "something never arrives"
        return sum(each.crashes for each in self.chaos)


@pytest.mark.slow
async def test_no_schedule_loses_doubles_or_disorders_anything(
    database: Callable[[str], Awaitable[Database]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.outbox.AWAY_SECONDS", 0.0)
    sender, receiver = await database("billing"), await database("ticketing")
    await prepare(receiver)
    crashes = 0
    for seed in range(SCHEDULES):
        world = World(sender, receiver, random.Random(seed))
        try:
            crashes += await world.run()
            assert await world.heard() == {who: list(range(count)) for who, count in world.told.items()}, f"seed {seed}"
        finally:
            for each in world.chaos:
                each.undo()
        async with receiver.transaction() as session:
            await execute(session, "TRUNCATE heard, inbox, lease")
        async with sender.transaction() as session:
            await execute(session, "TRUNCATE lease")
    assert crashes > SCHEDULES, "the schedules must hurt"
    await clean(receiver)
