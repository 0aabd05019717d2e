"""Tasks of one process, one after another: what they do side by side comes in the same order in every run.

# Note [One thing at a time]
While PostgreSQL is asked something, nothing else happens: it is asked only when every task of the process waits (`settled`), and by one
task at a time, first come, first served (`Turns`). So it does not matter how long an answer takes. A turn lasts as long as the transaction
that began with it. One that is begun inside another, by the same task, goes ahead.
"""

import asyncio
import types
from collections.abc import Generator
from typing import Any

HOPS = 24  # of the event loop: longer than any chain of tasks that wake each other without asking PostgreSQL


@types.coroutine
def settled() -> Generator[None, None, None]:
    """Until every other task waits for something that only PostgreSQL or the time can bring."""
    for _ in range(HOPS):
        yield  # as `asyncio.sleep(0)` does, for half of its price: it is done at each second statement


class Turns:
    """Whose turn it is to speak to PostgreSQL, of the tasks of one process."""

    def __init__(self) -> None:
        self._holder: object = None
        self._task: asyncio.Task[Any] | None = None
        self._queue: list[asyncio.Task[Any] | None] = []
        self._free = asyncio.Event()

    async def begin(self, holder: object) -> None:
        """Wait for this connection's turn."""
        mine = asyncio.current_task()
        if self._waits(holder, mine):
            self._queue.append(mine)
            try:
                while self._waits(holder, mine):
                    self._free.clear()
                    await self._free.wait()
            finally:
                self._queue.remove(mine)
                self._free.set()
        if self._holder is None or self._task is not mine:
            self._holder, self._task = holder, mine

    def end(self, holder: object) -> None:
        """The next one, if it was this one's turn."""
        if self._holder is holder:
            self._holder = None
            self._free.set()

    def _waits(self, holder: object, mine: "asyncio.Task[Any] | None") -> bool:
        if self._holder is None:
            return bool(self._queue) and self._queue[0] is not mine
        return self._holder is not holder and self._task is not mine
