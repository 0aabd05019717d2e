"""The way from a process to PostgreSQL, on which it can be struck: connections whose statements pass an attempt first.

# Note [A line is used again]
A connection that has broken is closed for whoever had it, and never opens again. What is left of it at the server is another matter: to
start a process there, and to let it learn every table and every statement anew, took a tenth of a world's time. So at the instant of the
break the server's side does what it does for a client that is gone (`FORGET`, after the rollback), and its line waits for whoever connects
next. At each third death (tests.simulation.crashes) the lines end, as they really do: both ways are gone all the time.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only, greenlet_spawn

from shared.session import Driver
from tests.simulation.crashes import ATTEMPT, Attempt, Send

FORGET = """RESET SESSION AUTHORIZATION; RESET ALL; CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();
DISCARD TEMP; DISCARD SEQUENCES"""
OFTEN = ("get_record_class", "get_server_pid", "get_settings", "is_connected", "_get_timeout")  # asked for at each statement


class Wire:
    """A connection's protocol whose statements pass an attempt. Everything else is the driver's own."""

    def __init__(self, protocol: Any, connection: "Connection") -> None:
        self._protocol, self._connection = protocol, connection
        self.held = True  # the line is this connection's
        vars(self).update({name: getattr(protocol, name) for name in OFTEN})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    async def query(self, text: str, *args: Any, **more: Any) -> Any:
        send = partial(self._protocol.query, text, *args, **more)
        if text.startswith("ROLLBACK"):
            return await self._ask(send, ends=True)  # what the server does by itself
        return await self._say(send, ends=text.startswith("COMMIT"))

    async def prepare(self, *args: Any, **more: Any) -> Any:
        return await self._ask(partial(self._protocol.prepare, *args, **more))

    async def bind_execute(self, *args: Any, **more: Any) -> Any:
        return await self._say(partial(self._protocol.bind_execute, *args, **more))

    async def bind_execute_many(self, *args: Any, **more: Any) -> Any:
        return await self._say(partial(self._protocol.bind_execute_many, *args, **more))

    async def copy_in(self, *args: Any, **more: Any) -> Any:
        return await self._say(partial(self._protocol.copy_in, *args, **more))

    async def _say(self, send: Send, *, ends: bool = False) -> Any:
        attempt = self._connection.attempt = ATTEMPT.get()
        if attempt is None or not self._connection.at_work:
            return await self._ask(send, ends=ends)
        return await attempt.say(self._connection, send, ends=ends)

    async def _ask(self, send: Send, *, ends: bool = False) -> Any:
        attempt = self._connection.attempt = ATTEMPT.get()
        return await (send() if attempt is None else attempt.ask(self._connection, send, ends=ends))

    def is_in_transaction(self) -> bool:
        return self.held and bool(self._protocol.is_in_transaction())

    def abort(self) -> None:
        if self.held:
            self._protocol.abort()

    async def roll_back(self) -> None:
        """What the server does with the transaction of a client that is gone."""
        if self.is_in_transaction():
            await self._protocol.query("ROLLBACK", 30)

    async def forget(self) -> None:
        """The same, and with all that it kept for the client besides."""
        await self.roll_back()
        await self._protocol.query(FORGET, 30)

    def let_go(self) -> Any:
        """What the next one may have."""
        self.held = False
        return self._protocol


class Connection(Driver):
    """A connection whose statements pass a `Wire`. The driver's own questions (types, codecs) do not count: they come once."""

    __slots__ = ("at_work", "attempt", "coded", "lines", "more", "wire")

    def __init__(self, protocol: Any, *more: Any) -> None:
        super().__init__(protocol, *more)
        self.more = more
        self.lines: Lines | None = None
        self.coded: set[str] = set()  # these types have codecs of their own on this line
        self.at_work = False
        self.attempt: Attempt | None = None
        self.wire = Wire(protocol, self)
        self._protocol = self.wire

    async def _introspect_types(self, typeoids: Any, timeout: Any) -> Any:
        before, self.at_work = self.at_work, False
        try:
            return await super()._introspect_types(typeoids, timeout)
        finally:
            self.at_work = before

    async def set_type_codec(self, typename: str, **more: Any) -> None:
        """Once for each line."""
        if typename not in self.coded:
            await super().set_type_codec(typename, **more)
            self.coded.add(typename)

    async def _prepare(self, query: str, **more: Any) -> Any:
        """What SQLAlchemy keeps for itself stays with the line."""
        return await super()._prepare(query, **{**more, "use_cache": True})

    async def close(self, *, timeout: Any = None) -> None:
        """At once, where the server has nothing to undo: how long goodbyes take, no seed decides."""
        if self.attempt is None or self.wire.is_in_transaction():
            await super().close(timeout=timeout)
        else:
            self.hang_up()

    async def cut(self) -> None:
        """The connection breaks. See Note [A line is used again]."""
        await self.wire.forget()
        self.hang_up(forgotten=True)

    def hang_up(self, *, forgotten: bool = False) -> None:
        """Closed for whoever had it."""
        if self.lines is not None and not self.is_closed():
            known = tuple(self._stmt_cache.iter_statements())
            self.lines.free.append(Line(self.wire.let_go(), self.more, self.coded, known, forgotten))
        self.terminate()

    def _mark_stmts_as_closed(self) -> None:
        if self.wire.held:
            super()._mark_stmts_as_closed()

    def _maybe_gc_stmt(self, stmt: Any) -> None:
        if self.wire.held:
            super()._maybe_gc_stmt(stmt)

    def _cleanup(self) -> None:
        super()._cleanup()
        self.rest()

    def rest(self) -> None:
        """Give the turn back when no transaction is open."""
        if self.attempt is not None and (self.is_closed() or not self.wire.is_in_transaction()):
            self.attempt.turns.end(self)


@dataclass(frozen=True)
class Line:
    """A server's process that nobody speaks to: what a connection is made of, and what both sides have learnt."""

    protocol: Any
    more: tuple[Any, ...]
    coded: set[str]
    statements: tuple[Any, ...]
    forgotten: bool


@dataclass
class Lines:
    """Where connections come from. See Note [A line is used again]."""

    free: list[Line] = field(default_factory=list)

    async def open(self, *address: Any, **more: Any) -> Connection:
        while self.free:
            line = self.free.pop()
            if not line.forgotten:
                await line.protocol.query(FORGET, 30)
            return self._again(line)
        new: Connection = await asyncpg.connect(*address, **more)
        new.lines = self
        return new

    def _again(self, line: Line) -> Connection:
        new = Connection(line.protocol, *line.more)
        line.protocol.set_connection(new)
        for each in line.statements:
            new._stmt_cache.put((each.query, each.record_class, each.ignore_custom_codec), each)
        new.coded, new.lines = line.coded, self
        return new

    def close(self) -> None:
        """End those that nobody speaks to."""
        for line in self.free:
            line.protocol.abort()


def simulate(engine: AsyncEngine, lines: Lines) -> None:
    """Let this engine's connections be struck."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Any, _record: Any, args: Any, parameters: dict[str, Any]) -> Any:
        parameters |= {"connection_class": Connection, "async_creator_fn": lines.open}
        if (attempt := ATTEMPT.get()) is None:
            return None
        return await_only(_connect(attempt, partial(greenlet_spawn, dialect.connect, *args, **parameters)))

    @event.listens_for(engine.sync_engine, "checkout")
    def checkout(adapted: Any, _record: Any, _proxy: Any) -> None:
        adapted.driver_connection.at_work = True


async def _connect(attempt: Attempt, connect: Send) -> Any:
    line = object()
    await attempt.turns.begin(line)
    try:
        return await attempt.fly(connect)
    finally:
        attempt.turns.end(line)
