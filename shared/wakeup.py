"""Telling sleeping loops that there is work: at once inside a process, by a debounced NOTIFY across processes.

A wake-up is a courtesy, never a promise: every loop polls slowly behind it (a lost NOTIFY costs time, not events).
Whoever knows whom the work is for names those loops, so that the others do not look in vain.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from weakref import WeakKeyDictionary

import asyncpg

CHANNEL = "reconecta"
DEBOUNCE_SECONDS = 0.01
ANYBODY = frozenset({"relay", "inbox", "lookout"})  # who looks when nobody is named: the lookout finds whose work it is


class Wakeup:
    """Wakes the loops that wait on it. `ring` is cheap and may be called after each commit."""

    def __init__(self) -> None:
        self._bells: WeakKeyDictionary[asyncio.Event, str] = WeakKeyDictionary()
        self._tasks: list[asyncio.Task[None]] = []
        self._outward: asyncio.Event | None = None
        self._rung: set[str] = set()
        self._own: int | None = None

    def bell(self, loop: str) -> asyncio.Event:
        """An event that is set whenever this loop is rung for, while somebody holds it; its owner clears it before it looks for work."""
        bell = asyncio.Event()
        self._bells[bell] = loop
        return bell

    def ring(self, loops: Collection[str] = ANYBODY) -> None:
        """Wake these loops of this process, and of other processes if `connect` was called."""
        self._wake_here(loops)
        if self._outward is not None:
            self._rung.update(loops)
            self._outward.set()

    def _wake_here(self, loops: Collection[str] | None) -> None:
        for bell, loop in list(self._bells.items()):
            if loops is None or loop in loops:
                bell.set()

    def connect(self, dsn: str) -> None:
        """From now on ring in other processes too, and be rung by them (dedicated connections, rebuilt when they break)."""
        self._outward = asyncio.Event()
        self._tasks = [asyncio.create_task(self._for_ever(dsn, work)) for work in (self._speak, self._listen)]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _for_ever(self, dsn: str, work: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError):
                connection = await asyncpg.connect(dsn, timeout=5, command_timeout=10)
                try:
                    await work(connection)
                finally:
                    connection.terminate()
            await asyncio.sleep(1)

    async def _speak(self, connection: asyncpg.Connection) -> None:
        assert self._outward is not None
        self._own = connection.get_server_pid()
        while True:
            await self._outward.wait()
            self._outward.clear()
            loops, self._rung = ",".join(sorted(self._rung)), set()
            await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, loops)
            await asyncio.sleep(DEBOUNCE_SECONDS)

    async def _listen(self, connection: asyncpg.Connection) -> None:
        await connection.add_listener(CHANNEL, self._heard)
        self._wake_here(None)  # for what was rung while nobody listened
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await ended.wait()
            await connection.execute("SELECT 1")

    def _heard(self, _connection: object, pid: int, _channel: str, payload: object) -> None:
        if pid != self._own:  # our own loops were woken when we rang
            self._wake_here(frozenset(str(payload).split(",")))
