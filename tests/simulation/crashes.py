"""Processes that die, and connections that break, between any two things that they say to PostgreSQL.

Every statement of a simulated database (BEGIN and COMMIT too) passes tests.simulation.wire. Whoever runs under an `Attempt` is struck
at one of its statements: before it is sent, or after the server did it and before anybody learns. A process that dies (`Death`) runs no
handler of its own and is forgotten; a connection that breaks raises what the driver raises then, and the code that has it goes on.

# Note [A death is a rollback]
What the server does when a client dies is to roll back. It does so when it notices, a little later; a seed could not repeat that.
So the rollback is sent here, at the instant of the crash, and then nobody gets the connection again.

What tasks of one process do side by side is tests.simulation.turns' work; two processes side by side are tests.simulation.races'.
"""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.simulation.turns import Turns, settled

if TYPE_CHECKING:
    from tests.simulation.wire import Connection

ROOT = str(Path(__file__).parents[2])
OURS = tuple(f"{ROOT}/{room}/" for room in ("services", "shared"))
UNSEEN = f"{ROOT}/shared/db.py"  # the way to the database is not the place in the code
Send = Callable[[], Awaitable[Any]]
DEATHS = 0.2  # of all crashes; the others are broken connections
SIDES = ("before", "after", "committed")  # done, and nobody was told: what is not remembered is done twice
ENDS = 3  # each third death ends the server's processes, too (tests.simulation.wire)


class Death(BaseException):
    """The process is gone. No handler of ordinary errors may see it."""


@dataclass(frozen=True)
class Point:
    """Where a crash struck: who was at work, at which of its statements, at which line of our code, and on which side of the statement."""

    actor: str
    number: int
    place: str
    side: str


@dataclass
class Attempt:
    """One run of an actor, struck at statement `at` (never, when 0): before it, after it, or when the transaction that it is in has been
    committed. `gate` is asked before each statement, and when a transaction has ended: another one's turn may come. `landed` is called
    when the server has answered."""

    actor: str
    at: int = 0
    side: str = "before"
    dies: bool = False
    gate: Callable[[], Awaitable[None]] | None = None
    landed: Callable[[], None] | None = None
    count: int = 0
    sending: bool = False  # a statement is on its way
    flights: int = 0  # of all that the server is asked
    ends: int = 0  # of transactions and savepoints: somebody who waits for a lock may have it now
    pid: int = 0  # the server's process that this attempt speaks to
    struck: Point | None = None
    died: bool = False
    main: "asyncio.Task[Any] | None" = None
    tasks: "dict[asyncio.Task[Any], None]" = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)
    connections: "dict[Connection, None]" = field(default_factory=dict)

    async def say(self, connection: "Connection", send: Send, *, ends: bool) -> Any:
        """Send one statement, which may end a transaction, and wait for its answer, unless the crash strikes here."""
        await self.turns.begin(connection)
        try:
            self.pid = connection.get_server_pid()
            if self.gate is not None:
                await self.gate()
            if self.dies and self.struck:
                raise Death
            self.count += 1
            self.connections[connection] = None
            if self.count == self.at and self.side == "before":
                await self._strike(connection)
            answer = await self._sent(send)
            if self._falls(ends=ends):
                await self._strike(connection)
            if ends:
                await self.ended()
            return answer
        finally:
            connection.rest()

    def _falls(self, *, ends: bool) -> bool:
        """The statement that was answered is the last of which anybody hears."""
        if self.side == "committed":
            return ends and 0 < self.at <= self.count and self.struck is None
        return self.count == self.at

    async def _sent(self, send: Send) -> Any:
        self.sending = True
        try:
            return await self.fly(send)
        except asyncpg.PostgresError:
            await self.ended()
            raise
        finally:
            self.sending = False

    async def ask(self, connection: "Connection", send: Send, *, ends: bool) -> Any:
        """Send what is no statement of ours: it cannot be struck."""
        await self.turns.begin(connection)
        try:
            answer = await self.fly(send)
            if ends:
                await self.ended()
            return answer
        finally:
            connection.rest()

    async def fly(self, send: Send) -> Any:
        """See Note [One thing at a time]."""
        self.flights += 1
        try:
            if len(self.tasks) > 1:
                await settled()
            return await send()
        finally:
            self.flights -= 1
            if self.landed is not None:
                self.landed()

    async def ended(self) -> None:
        """A transaction has ended: whoever waited for its locks goes first."""
        self.ends += 1
        if self.gate is not None:
            await self.gate()

    async def _over(self) -> None:
        """A transaction has ended with its connection, and the turn with both: only with another one may this task stand at the gate, where
        there is room for one of each process."""
        line = object()
        await self.turns.begin(line)
        try:
            await self.ended()
        finally:
            self.turns.end(line)

    async def _strike(self, connection: "Connection") -> None:
        """See Note [A death is a rollback]."""
        self.struck = Point(self.actor, self.count, _place(), self.side)
        if self.dies:
            for each in [line for line in self.connections if line.attempt is self]:  # others may have got them from the pool since
                if self.at % ENDS == 0:
                    each.lines = None
                    await self.fly(each.wire.roll_back)
                elif each.wire.is_in_transaction():
                    await self.fly(each.cut)
        else:
            await self.fly(connection.cut)
        await self._over()
        if not self.dies:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        if self.main is not None and self.main is not asyncio.current_task():
            self.main.cancel()  # the process is gone, not only this task
        raise Death


ATTEMPT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def attempting(attempt: Attempt) -> Iterator[Attempt]:
    """Whatever is said to a simulated database meanwhile belongs to this attempt."""
    token = ATTEMPT.set(attempt)
    try:
        yield attempt
    finally:
        ATTEMPT.reset(token)


def task_of(loop: asyncio.AbstractEventLoop, work: Any, context: Context | None = None) -> asyncio.Task[Any]:
    """A task that its attempt knows, until it is done."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context)
    if (attempt := ATTEMPT.get() if context is None else context.get(ATTEMPT)) is not None:
        attempt.tasks[task] = None
        task.add_done_callback(attempt.tasks.pop)
    return task


class Crashes:
    """Who is struck where, by a seed. How many statements an actor says is learnt from its earlier runs."""

    def __init__(self, chance: random.Random, *, share: float) -> None:
        self._chance, self._share, self.on = chance, share, True
        self._longest: Counter[str] = Counter()
        self.points: Counter[Point] = Counter()
        self.said: Counter[str] = Counter()
        self.runs: Counter[str] = Counter()
        self.deaths = 0

    def next(self, actor: str) -> Attempt:
        """The actor's next run."""
        share = self._share * (2 if actor.startswith("job") else 1)  # a job has seldom something to do
        if not self.on or self._chance.random() >= share:
            return Attempt(actor)
        at = self._chance.randint(1, max(self._longest[actor], 6))
        return Attempt(actor, at, self._chance.choice(SIDES), self._chance.random() < DEATHS)

    def learn(self, attempt: Attempt) -> bool:
        """What became of a run; True when it was struck."""
        self.said[attempt.actor] += attempt.count
        self.runs[attempt.actor] += 1
        self._longest[attempt.actor] = max(self._longest[attempt.actor], min(attempt.count, 60))
        if attempt.struck is None:
            return False
        self.points[attempt.struck] += 1
        self.deaths += attempt.dies
        return True


def _place() -> str:
    """The innermost line of our own code that is at work."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(OURS) and name != UNSEEN:
            return f"{name.removeprefix(ROOT + '/')}:{frame.f_lineno}"
        frame = frame.f_back
    return "elsewhere"
