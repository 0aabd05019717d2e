"""The way from a process to PostgreSQL, on which it can be struck: connections whose statements pass an attempt first."""

from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only, greenlet_spawn

from tests.simulation.crashes import ATTEMPT, Attempt, Send


class Wire:
    """A connection's protocol whose statements pass an attempt. Everything else is the driver's own."""

    def __init__(self, protocol: Any, connection: "Connection") -> None:
        self._protocol, self._connection = protocol, connection

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

    async def roll_back(self) -> None:
        """What the server does with the transaction of a client that is gone."""
        if self._protocol.is_in_transaction():
            await self._protocol.query("ROLLBACK", 30)


class Connection(asyncpg.Connection):  # type: ignore[misc] # the driver has no types
    """A connection whose statements pass a `Wire`. The driver's own questions (types, codecs) do not count: they come once."""

    __slots__ = ("at_work", "attempt", "wire")

    def __init__(self, protocol: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(protocol, *args, **kwargs)
        self.at_work = False
        self.attempt: Attempt | None = None
        self.wire = Wire(protocol, self)
        self._protocol = self.wire  # type: ignore[misc] # the driver's own slot

    async def _introspect_types(self, typeoids: Any, timeout: Any) -> Any:
        before, self.at_work = self.at_work, False
        try:
            return await super()._introspect_types(typeoids, timeout)
        finally:
            self.at_work = before

    async def close(self, *, timeout: Any = None) -> None:
        """At once, where the server has nothing to undo: how long goodbyes take, no seed decides."""
        if self.attempt is None or self.wire.is_in_transaction():
            await super().close(timeout=timeout)
        else:
            self.terminate()

    def _cleanup(self) -> None:
        super()._cleanup()
        self.rest()

    def rest(self) -> None:
        """Give the turn back when no transaction is open."""
        if self.attempt is not None and (self.is_closed() or not self.wire.is_in_transaction()):
            self.attempt.turns.end(self)


def simulate(engine: AsyncEngine) -> None:
    """Let this engine's connections be struck."""

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: Any, _record: Any, args: Any, parameters: dict[str, Any]) -> Any:
        parameters["connection_class"] = Connection
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
