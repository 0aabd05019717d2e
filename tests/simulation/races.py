"""Two at the same time: the scheduler says before each statement whose turn it is, and knows when one waits for a lock of the other.

Only one goes on at a time: when a transaction has ended, whoever waited for its locks goes first, to its next statement.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg

from tests.simulation.crashes import Attempt
from tests.simulation.turns import settled

PATIENCE_SECONDS = 0.005  # a statement that takes longer may be waiting for a lock: then PostgreSQL is asked
BLOCKED = "SELECT pid FROM unnest($1::int[]) AS pid WHERE pg_blocking_pids(pid) && $2::int[]"
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
            attempt.gate, attempt.landed = self._gate_of(number), self._changed.set
            self._attempts.append(attempt)
            task = asyncio.ensure_future(run(attempt, work))
            task.add_done_callback(lambda _: self._changed.set())
            self._tasks.append(task)
            await self._quiet()  # what comes before the first statement is done by one after another, too
        while not all(task.done() for task in self._tasks):
            if self._gates:
                self._open(self._chance.choice(sorted(self._gates)))
            await self._quiet()
        return await asyncio.gather(*self._tasks)

    def _open(self, number: int) -> None:
        self._stuck.discard(number)
        gate = self._gates.pop(number)
        if not gate.done():
            gate.set_result(None)

    def _gate_of(self, number: int) -> Callable[[], Awaitable[None]]:
        async def gate() -> None:
            assert number not in self._gates, "two tasks of a process at its gate: one of them would wait for ever"
            mine = self._gates[number] = asyncio.get_running_loop().create_future()
            self._changed.set()
            try:
                await mine
            finally:  # a struck process cancels its other tasks
                if self._gates.get(number) is mine:
                    del self._gates[number]

        return gate

    async def _quiet(self) -> None:
        """Until each is at its gate, at its end, or waits for the other: for a lock, or in this process (see shared.web.together)."""
        while True:
            await settled()
            flying = self._flying()
            asking = [number for number in flying if self._attempts[number].flights]
            if not flying or (self._gates and not asking):
                return
            self._changed.clear()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                if asking and self._gates and await self._all_blocked(asking):
                    self.blocked += 1
                    self._stuck.update(asking)

    def _flying(self) -> list[int]:
        """Those of whom something is to be expected. Whoever waits for a lock waits until some transaction ends; where all do, the server
        finds the deadlock."""
        left = [number for number, task in enumerate(self._tasks) if not task.done()]
        if (ends := sum(each.ends for each in self._attempts)) != self._ends or self._stuck.issuperset(left):
            self._ends = ends
            self._stuck.clear()
        return [number for number in left if number not in self._gates and number not in self._stuck]

    async def _all_blocked(self, numbers: list[int]) -> bool:
        attempts = [self._attempts[number] for number in numbers]
        if not all(each.sending for each in attempts):
            return False
        ours = [line.get_server_pid() for each in self._attempts for line in each.connections if not line.is_closed()]
        return len(await self._monitor.fetch(BLOCKED, [each.pid for each in attempts], ours)) == len(attempts)
