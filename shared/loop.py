"""The event loop that processes run on: uvloop where it is installed (not on Windows), about a third cheaper per socket call.
What the garbage collector looks at: it is told here alone (`loading`, `run`, `settled`, `ending`).
And how whoever nobody waits for lets others go first: inside a process by `give_way`, among processes by NICENESS.
"""

import asyncio
import contextlib
import gc
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

Found = TypeVar("Found")
TURN_SECONDS, REST_SECONDS, LONG_REST_SECONDS, PATIENCE_SECONDS = 0.0002, 0.02, 0.1, 0.02
YOUNG = 50_000  # new objects after which the garbage collector looks at them; 700, as usual, are the facts of a few customers
DRAWS = "novasvg"  # a library that fills the log at the end with what nobody has put away
NICENESS = 10  # how much nicer than others a process is that nobody waits for (os.nice)
IDLE, BUSY = 0.1, 0.5  # of the time while one rests


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """What the block loads stays: to look at it again and again took a third of the start."""
    watched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        settled()
        if watched:
            gc.enable()


def run(work: Coroutine[Any, Any, Found]) -> Found:
    """Run a process's work to its end. What was loaded so far stays, so that the garbage collector need not look at it again and again:
    that took half of the time of whatever makes many objects (docs/adr/0016)."""
    settled()
    usual = gc.get_threshold()
    gc.set_threshold(YOUNG, *usual[1:])
    try:
        with asyncio.Runner(loop_factory=_factory()) as runner:
            return runner.run(work)
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()  # what extensions hold is put away at the end, as they expect


def settled() -> None:
    """What there is now this process has as long as it runs: it stays. To go through it takes the collector 50 ms and more, during which
    nobody is answered."""
    gc.freeze()


def ending() -> None:
    """The process ends: to look for circles in all that it has would be half a second more in which nobody gets anything."""
    if DRAWS in sys.modules:
        gc.unfreeze()
    else:
        gc.freeze()


def _factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


def stand_back() -> None:
    """From now on this process gets the processor when others leave it."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICENESS)


async def give_way(most: float = PATIENCE_SECONDS) -> None:
    """Let whoever else works in this thread go first, `most` seconds (machine time) at the longest: between pieces of work that nobody
    waits for. Comes back where nobody has anything to do: at once, or with more than PATIENCE_SECONDS after a short rest, for what is to
    be done then takes so long that one turn tells too little of who else is there."""
    clock = time.monotonic
    began, patient = clock(), most > PATIENCE_SECONDS
    if patient:
        busy = await _others(REST_SECONDS) > IDLE
    else:
        await asyncio.sleep(0)
        busy = clock() - began > TURN_SECONDS
    while busy and clock() - began < most:
        busy = await _others(LONG_REST_SECONDS if patient else REST_SECONDS) > BUSY


async def _others(seconds: float) -> float:
    """The share of the time that others work in this thread while one rests."""
    rested, used = time.monotonic(), time.thread_time()
    await asyncio.sleep(seconds)
    return (time.thread_time() - used) / (time.monotonic() - rested)
