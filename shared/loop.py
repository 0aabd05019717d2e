"""The event loop that processes run on: uvloop where it is installed (not on Windows), about a third cheaper per socket call."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Found = TypeVar("Found")


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
