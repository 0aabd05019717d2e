"""Two at the same time: the scheduler says before each statement whose turn it is, and knows when one waits for a lock of the other."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg

from tests.simulation.crashes import Attempt

PATIENCE_SECONDS = 0.005  # a statement that takes longer may be waiting for a lock: then PostgreSQL is asked
BLOCKED = "SELECT pid FROM unnest($1::int[]) AS pid WHERE pg_blocking_pids(pid) <> '{}'"
Run = Callable[[Attempt, Any], Awaitable[Any]]


class Race:
    """Some attempts side by side, one statement at a time."""

    def __init__(self, chance: random.Random, monitor: asyncpg.Connection) -> None:
        self._chance, self._monitor = chance, monitor
        self._changed = asyncio.Event()
        self._gates: dict[int, asyncio.Future[None]] = {}
        self._attempts: list[Attempt] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._stuck: set[int] = set()  # these wait for locks of others
        self._ends = 0
        self.blocked = 0

    async def run(self, works: Sequence[tuple[Attempt, Awaitable[Any]]], run: Run) -> list[Any]:
        """Run all to their ends; answers what `run` answers for each."""
        for number, (attempt, work) in enumerate(works):
            attempt.gate = self._gate_of(number)
            self._attempts.append(attempt)
            task = asyncio.ensure_future(run(attempt, work))
            task.add_done_callback(lambda _: self._changed.set())
            self._tasks.append(task)
        while not all(task.done() for task in self._tasks):
            await self._quiet()
            if self._gates:
                self._open(self._chance.choice(sorted(self._gates)))
        return await asyncio.gather(*self._tasks)

    def _open(self, number: int) -> None:
        self._stuck.discard(number)
        gate = self._gates.pop(number)
        if not gate.done():
            gate.set_result(None)

    def _gate_of(self, number: int) -> Callable[[], Awaitable[None]]:
        async def gate() -> None:
            mine = self._gates[number] = asyncio.get_running_loop().create_future()
            self._changed.set()
            try:
                await mine
            finally:  # a struck process cancels its other tasks
                if self._gates.get(number) is mine:
                    del self._gates[number]

        return gate

    async def _quiet(self) -> None:
        """Until each is at its gate, at its end, or waits for a lock of one that is at its gate."""
        while flying := self._flying():
            self._changed.clear()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                if self._gates and await self._all_blocked(flying):
                    self.blocked += 1
                    self._stuck.update(flying)

    def _flying(self) -> list[int]:
        """Those of whom something is to be expected. Whoever waits for a lock waits until some transaction ends."""
        if (ends := sum(each.ends for each in self._attempts)) != self._ends or not self._gates:
            self._ends = ends
            self._stuck.clear()
        return [n for n, task in enumerate(self._tasks) if not (task.done() or n in self._gates or n in self._stuck)]

    async def _all_blocked(self, numbers: list[int]) -> bool:
        """Whoever has no statement on its way waits for the other in this process (see shared.web.together)."""
        if any(self._attempts[number].preparing for number in numbers):
            return False
        pids = [each.pid for each in (self._attempts[number] for number in numbers) if each.sending]
        return not pids or len(await self._monitor.fetch(BLOCKED, pids)) == len(pids)
