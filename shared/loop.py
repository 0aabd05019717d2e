"""The event loop that processes run on: uvloop where it is installed (not on Windows), about a third cheaper per socket call."""

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Found = TypeVar("Found")
TURN_SECONDS, REST_SECONDS, PATIENCE_SECONDS = 0.0002, 0.02, 0.02
BUSY = 0.5  # of the time while one rests


def run(work: Coroutine[Any, Any, Found]) -> Found:
    """Run a process's work to its end. What was loaded so far stays, so that the garbage collector need not look at it again and again:
    that took half of the time of whatever makes many objects (docs/adr/0016)."""
    gc.freeze()
    try:
        with asyncio.Runner(loop_factory=_factory()) as runner:
            return runner.run(work)
    finally:
        gc.unfreeze()  # what extensions hold is put away at the end, as they expect


def _factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


async def give_way(most: float = PATIENCE_SECONDS) -> None:
    """Let whoever else works in this thread go first, `most` seconds (machine time) at the longest: between pieces of work that nobody
    waits for. Comes back at once where nobody has anything to do."""
    clock = time.monotonic
    began = clock()
    await asyncio.sleep(0)
    busy = clock() - began > TURN_SECONDS
    while busy and clock() - began < most:
        rested, used = clock(), time.thread_time()
        await asyncio.sleep(REST_SECONDS)
        busy = time.thread_time() - used > BUSY * (clock() - rested)
