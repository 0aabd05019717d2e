"""Telling sleeping loops that there is work: at once inside a process, by a debounced NOTIFY across processes.

A wake-up is a courtesy, never a promise: every loop polls slowly behind it (a lost NOTIFY costs time, not events).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import asyncpg

CHANNEL = "reconecta"
DEBOUNCE_SECONDS = 0.01


class Wakeup:
    """Wakes every loop that waits on it. `ring` is cheap and may be called after each commit."""

    def __init__(self) -> None:
        self._bells: set[asyncio.Event] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._outward: asyncio.Event | None = None
        self._own: int | None = None

    def bell(self) -> asyncio.Event:
        """An event that is set at each ring; its owner clears it before it looks for work."""
        bell = asyncio.Event()
        self._bells.add(bell)
        return bell

    def ring(self) -> None:
        """Wake this process's loops, and other processes if `connect` was called."""
        self._wake_here()
        if self._outward is not None:
            self._outward.set()

    def _wake_here(self) -> None:
        for bell in self._bells:
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
            await connection.execute(f"NOTIFY {CHANNEL}")
            await asyncio.sleep(DEBOUNCE_SECONDS)

    async def _listen(self, connection: asyncpg.Connection) -> None:
        await connection.add_listener(CHANNEL, self._heard)
        self._wake_here()  # for what was rung while nobody listened
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await ended.wait()
            await connection.execute("SELECT 1")

    def _heard(self, _connection: object, pid: int, _channel: str, _payload: object) -> None:
        if pid != self._own:  # our own loops were woken when we rang
            self._wake_here()
