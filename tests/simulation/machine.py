"""The machine as a seed has it: its clock, its dice, and nothing that is sooner or later than the scheduler wants.

# Note [What a seed decides]
Everything that a decision may rest on comes from the seed: ids (their time and their chance), the machine's time where operations compare
it, the order in which events are taken. Leases and claims never end by themselves; the scheduler says when so much time has passed. Nothing
waits for the machine's time, and what threads do is done in between. The order of tasks is tests.simulation.turns' work, that of processes
side by side tests.simulation.races'. Two things are left to PostgreSQL: ids that statements draw themselves (no step depends on them), and
which of two that wait for each other is a deadlock's victim: who waited first, unless the other came a second later.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from services.ticketing.jobs import switching
from shared.lease import prolonged

LONG = timedelta(hours=12)
SLOTS = 8  # calls of the network under way at once: some, so that their answers are recorded together


class MachineTime:
    """The machine's clock and its dice, as the seed has them: every look is a millisecond later."""

    def __init__(self, seed: int) -> None:
        self._at = datetime(2026, 3, 1, tzinfo=UTC)
        self._chance = random.Random(seed)

    def time(self) -> float:
        return self.now().timestamp()

    def now(self) -> datetime:
        self._at += timedelta(milliseconds=1)
        return self._at

    def urandom(self, size: int) -> bytes:
        return self._chance.randbytes(size)


class OneByOne:
    """In asyncio's place: what the Courier brings to all at once is brought to one after another."""

    @staticmethod
    @asynccontextmanager
    async def timeout(_seconds: float) -> AsyncIterator[None]:
        yield

    @staticmethod
    async def gather(*works: Any, return_exceptions: bool) -> list[Any]:
        assert return_exceptions
        found: list[Any] = []
        try:
            for each in works:
                try:
                    found.append(await each)
                except Exception as error:  # noqa: BLE001 - as asyncio's does
                    found.append(error)
        finally:
            for each in works:
                each.close()  # whoever died brings nothing more
        return found


async def in_this_thread(work: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """In asyncio.to_thread's place: how fast a thread is, no seed decides."""
    return work(*args, **more)


async def at_once(*_: object) -> None:
    """In the place of what gives way to others, or waits before it tries again."""


@contextmanager
def seeded(seed: int) -> Any:
    """See Note [What a seed decides]."""
    machine = MachineTime(seed)
    with (
        patch("asyncio.to_thread", in_this_thread),
        patch("shared.db.time", machine),
        patch("shared.db.os", machine),
        patch("services.notifier.jobs.deliveries.give_way", at_once),
        patch("services.ticketing.operations.suspensions.machine_now", machine.now),
        patch.object(prolonged.__wrapped__, "__defaults__", (LONG,)),  # type: ignore[attr-defined]
        patch("shared.courier.asyncio", OneByOne),
        patch("shared.inbox.asyncio", SimpleNamespace(sleep=at_once)),
        patch("shared.outbox.AWAY_SECONDS", 0.0),
        patch("services.ticketing.jobs.switching.SLOTS", SLOTS),
        patch("services.ticketing.jobs.switching.LOOK_AGAIN_SECONDS", LONG.total_seconds()),
        patch.object(switching.run, "__defaults__", (LONG.total_seconds(),)),
        patch("services.collections.jobs.review.LANES", 1),
        patch("services.billing.operations.imports.LEASE", LONG),
        patch("services.ticketing.operations.claiming.LEASE", LONG),
        patch("services.notifier.operations.deliveries.LEASE", LONG),
    ):
        yield
