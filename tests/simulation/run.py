"""One world from its seed to its judgement."""

import asyncio
import gc
import logging
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg
import structlog

from services.wiring import SERVICES
from tests.simulation.calls import TOKENS
from tests.simulation.crashes import Point, task_of
from tests.simulation.ends import expectations
from tests.simulation.house import ROUGH, Weather, open_shops
from tests.simulation.machine import seeded
from tests.simulation.world import BEGIN, World
from tests.support.history import gather, violations, watching, witnessed
from tests.support.service import operator


@dataclass
class Outcome:
    """What a world came to."""

    seed: int
    schedules: int
    found: list[str]
    counts: Counter[str]
    points: Counter[Point]
    trace: list[str]


async def simulate(databases: Mapping[str, str], folder: Path, seed: int, size: int, weather: Weather = ROUGH) -> Outcome:
    """Play and judge one world of `size` customers on five clean databases."""
    begin = datetime.fromisoformat(BEGIN).replace(tzinfo=operator().zone)
    chance = random.Random(seed)
    quiet()
    TOKENS.clear()  # a token has an id: a world that found some would give other ids to everything
    asyncio.get_running_loop().set_task_factory(task_of)
    monitor = await asyncpg.connect(databases["billing"].replace("+asyncpg", ""))
    try:
        async with witnessed(databases):
            with seeded(seed), watching(SERVICES):
                async with open_shops(databases, folder, begin, chance, weather) as shops:
                    world = World.of(shops, monitor, seed, size, weather)
                    await world.play()
                    now = await shops["collections"].runtime.clock.now()
                    documents = shops["collections"].runtime.operator
            gc.freeze()  # what was seen and what is there make millions of objects, none of which goes away
            evidence = await gather(databases, operator=documents, now=now, maildir=folder / "correo")
    finally:
        await monitor.close()
    found = [str(each) for each in violations(world.history, evidence)]
    found += expectations(world.customers, evidence)
    return Outcome(seed, size, found, counted(world), world.crashes.points, world.trace)


def quiet() -> None:
    """Thousands of crashes would be told otherwise."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def counted(world: World) -> Counter[str]:
    """How rough it was."""
    counts = world.counts.copy()
    counts["crashes"], counts["deaths"] = world.crashes.points.total(), world.crashes.deaths
    for shop in world.shops.values():
        for inbox in shop.inboxes():
            counts["delivered twice"] += inbox.doubled
            counts["taken out of turn"] += inbox.mixed
            counts["held back"] += inbox.late
    return counts
