"""Processes that die, and connections that break, between any two things that they say to PostgreSQL.

Every statement of a simulated database (BEGIN and COMMIT too) passes through `Wire`. Whoever runs under an `Attempt` is struck at one
of its statements: before it is sent, or after the server did it and before anybody learns. A process that dies (`Death`) runs no handler
of its own and is forgotten; a connection that breaks raises what the driver raises then, and the code that has it goes on as it can.

# Note [A death is a rollback]
What the server does when a client dies is to roll back. It does so when it notices, a little later; a seed could not repeat that.
So the rollback is sent here, at the instant of the crash, and then the connection is thrown away.

# Note [One transaction at a time]
A seed could not repeat what tasks of one process do side by side: so a second one's transaction begins when the first one's has ended.
One that is begun inside another, by the same task, goes ahead. Two processes side by side are tests.simulation.races' work.
"""

import asyncio
import contextlib
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

ROOT = str(Path(__file__).parents[2])
OURS = tuple(f"{ROOT}/{room}/" for room in ("services", "shared"))
UNSEEN = f"{ROOT}/shared/db.py"  # the way to the database is not the place in the code
Send = Callable[[], Awaitable[Any]]
ENDS = ("COMMIT", "ROLLBACK")
DEATHS = 0.2  # of all crashes; the others are broken connections
SWITCHING = "job switching"  # its tasks go on side by side where a connection breaks, at speeds that no seed decides: it dies


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
    """One run of an actor, struck at statement `at` (never, when 0). `gate` is asked before each statement: another one's turn may come."""

    actor: str
    at: int = 0
    side: str = "before"
    dies: bool = False
    gate: Callable[[], Awaitable[None]] | None = None
    count: int = 0
    sending: bool = False  # a statement is on its way
    preparing: bool = False  # it connects or has a statement prepared: that may take long, and waits for nobody
    ends: int = 0  # of transactions and savepoints: somebody who waits for a lock may have it now
    pid: int = 0  # the server's process that this attempt speaks to
    struck: Point | None = None
    died: bool = False
    connections: "set[Connection]" = field(default_factory=set)
    _speaker: "Connection | None" = None
    _speaking: "asyncio.Task[Any] | None" = None
    _queue: "list[asyncio.Task[Any] | None]" = field(default_factory=list)
    _free: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, connection: "Connection", send: Send) -> Any:
        """Send one statement and wait for its answer, unless the crash strikes here. See Note [One transaction at a time]."""
        await self._begin(connection)
        try:
            self.pid = connection.get_server_pid()
            if self.gate is not None:
                await self.gate()
            if self.dies and self.struck:
                raise Death
            self.count += 1
            self.connections.add(connection)
            if self.count == self.at and self.side == "before":
                await self._strike(connection)
            self.sending = True
            try:
                answer = await send()
            finally:
                self.sending = False
            if self.count == self.at:
                await self._strike(connection)
            return answer
        finally:
            self._end(connection)

    async def _begin(self, connection: "Connection") -> None:
        mine = asyncio.current_task()
        if self._waits(connection, mine):
            self._queue.append(mine)
            try:
                while self._waits(connection, mine):
                    self._free.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.005):
                            await self._free.wait()
            finally:
                self._queue.remove(mine)
        if self._speaker is None or self._speaking is not mine or self._speaker.is_closed():
            self._speaker, self._speaking = connection, mine

    def _waits(self, connection: "Connection", mine: "asyncio.Task[Any] | None") -> bool:
        """Somebody else speaks, or would before: first come, first served."""
        if self._speaker is None or self._speaker.is_closed():
            return bool(self._queue) and self._queue[0] is not mine
        return self._speaker is not connection and self._speaking is not mine

    def _end(self, connection: "Connection") -> None:
        if self._speaker is connection and (connection.is_closed() or not connection.wire.is_in_transaction()):
            self._speaker = None
            self._free.set()

    async def _strike(self, connection: "Connection") -> None:
        """See Note [A death is a rollback]."""
        self.struck = Point(self.actor, self.count, _place(), self.side)
        for each in sorted(self.connections if self.dies else {connection}, key=id):
            await each.wire.roll_back()
        self.ends += 1
        if self.dies:
            raise Death
        connection.terminate()
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


ATTEMPT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def attempting(attempt: Attempt) -> Iterator[Attempt]:
    """Whatever is said to a simulated database meanwhile belongs to this attempt."""
    token = ATTEMPT.set(attempt)
    try:
        yield attempt
    finally:
        ATTEMPT.reset(token)


class Wire:
    """A connection's protocol whose statements pass an attempt. Everything else is the driver's own."""

    def __init__(self, protocol: Any, connection: "Connection") -> None:
        self._protocol, self._connection = protocol, connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    async def query(self, text: str, *args: Any, **more: Any) -> Any:
        send = partial(self._protocol.query, text, *args, **more)
        answer = await (send() if text.startswith("ROLLBACK") else self._say(send))  # what the server does by itself
        if text.startswith(ENDS) and (attempt := ATTEMPT.get()) is not None:
            attempt.ends += 1
        return answer

    async def prepare(self, *args: Any, **more: Any) -> Any:
        attempt = ATTEMPT.get()
        if attempt is None:
            return await self._protocol.prepare(*args, **more)
        attempt.preparing = True
        try:
            return await self._protocol.prepare(*args, **more)
        finally:
            attempt.preparing = False

    async def bind_execute(self, *args: Any, **more: Any) -> Any:
        return await self._say(partial(self._protocol.bind_execute, *args, **more))

    async def bind_execute_many(self, *args: Any, **more: Any) -> Any:
        return await self._say(partial(self._protocol.bind_execute_many, *args, **more))

    async def copy_in(self, *args: Any, **more: Any) -> Any:
        return await self._say(partial(self._protocol.copy_in, *args, **more))

    async def _say(self, send: Send) -> Any:
        attempt = ATTEMPT.get()
        if attempt is None or not self._connection.at_work:
            return await send()
        return await attempt.say(self._connection, send)

    async def roll_back(self) -> None:
        """What the server does with the transaction of a client that is gone."""
        if self._protocol.is_in_transaction():
            await self._protocol.query("ROLLBACK", 30)


class Connection(asyncpg.Connection):  # type: ignore[misc] # the driver has no types
    """A connection whose statements pass a `Wire`. The driver's own questions (types, codecs) do not count: they come once."""

    __slots__ = ("at_work", "wire")

    def __init__(self, protocol: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(protocol, *args, **kwargs)
        self.at_work = False
        self.wire = Wire(protocol, self)
        self._protocol = self.wire  # type: ignore[misc] # the driver's own slot

    async def _introspect_types(self, typeoids: Any, timeout: Any) -> Any:
        before, self.at_work = self.at_work, False
        try:
            return await super()._introspect_types(typeoids, timeout)
        finally:
            self.at_work = before


def simulate(engine: AsyncEngine) -> None:
    """Let this engine's connections be struck."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(_dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        parameters["connection_class"] = Connection
        if (attempt := ATTEMPT.get()) is not None:
            attempt.preparing = True

    @event.listens_for(engine.sync_engine, "checkout")
    def checkout(adapted: Any, _record: Any, _proxy: Any) -> None:
        adapted.driver_connection.at_work = True
        if (attempt := ATTEMPT.get()) is not None:
            attempt.preparing = False


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
        side, dies = self._chance.choice(("before", "after")), self._chance.random() < DEATHS
        return Attempt(actor, at, side, dies or actor == SWITCHING)

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
