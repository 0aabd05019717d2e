"""What a fault is: how it is injected, and within how many seconds the house must be itself again."""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.faults.stage import Stage

Measure = Literal["lag", "answers", "own"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be. `kind` is the invariant that it breaks (I1 to I6), or `own`: the fault's own expectation."""

    kind: str
    text: str


@dataclass
class Injected:
    """What was done. `since` (monotonic) is when the harm was done, or, where it lasts, when it ended; `times` how many single faults it
    was. `seconds` is the fault's own measure, where it has one, and `wrong` what did not go as it must. `tidy` is called when the lag is
    zero again: it takes away what the fault needed, and waits until that is done; `after` looks then for what is still wrong."""

    what: str
    since: float = field(default_factory=time.monotonic)
    times: int = 1
    seconds: float | None = None
    wrong: list[str] = field(default_factory=list)
    tidy: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], Awaitable[list[str]]] | None = None


Injection = Callable[[Stage, random.Random], Awaitable[Injected]]


@dataclass(frozen=True)
class Fault:
    """One line of the table. `target` seconds are held against `measure`: until the lag is zero, until a command that was sent afterwards
    is acknowledged, or what the fault measures itself."""

    number: str
    what: str
    how: str
    inject: Injection
    target: float
    measure: Measure = "lag"
    meant: str = ""  # the fault's own measure in words
    weight: int = 1  # how much more often than others it is drawn


@dataclass(frozen=True)
class NotHere:
    """A line of the table that this run cannot fill, and why."""

    number: str
    what: str
    why: str
