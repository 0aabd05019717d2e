"""A seed plays the same world again: the same ones at work in the same order, with as many statements each, struck at the same lines.

Worlds of some days, in which cuts are due at once: their calls of the network, their records and their claims go on side by side.
"""

from itertools import zip_longest
from pathlib import Path

import pytest

from shared.loop import run
from tests.simulation.empty import empty
from tests.simulation.house import Weather
from tests.simulation.run import Outcome, simulate
from tests.simulation.world import World

SIZE, SEEDS, STEPS = 5, (1, 2), 80
STORMY = Weather(struck=0.3, races=0.3, even=0.2, relay=(2, 20, 60), inbox=(2, 10, 40), vips=0.2, prompt=0.0)
DAYS = ("2026-03-20T09:00", "2026-03-20T15:00")


async def some_days(world: World) -> None:
    """The book, then the day of the cuts, with all that people have wanted until then; nothing comes to rest."""
    await world._opens()
    for world.day, text in enumerate(DAYS, start=4):
        await world._moves(world._instant(text))
        world._people()
        await world.works(STEPS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*non-checked-in connection")  # the dead give nothing back
@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_plays_the_same_world_again(databases: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(World, "play", some_days)
    worlds = []
    for number in range(2):
        worlds.append(run(simulate(databases, tmp_path / str(number), seed, SIZE, STORMY)))
        run(empty(databases))
    first, second = (said(each) for each in worlds)
    steps = enumerate(zip_longest(first, second))
    assert first == second, next(f"step {number}: {one} and {other}" for number, (one, other) in steps if one != other)
    assert worlds[0].counts["races"] and worlds[0].counts["deaths"], "nothing happened that could come differently"


def said(world: Outcome) -> list[str]:
    """What a world did, and where it was struck, in words."""
    struck = [f"{each.actor} at statement {each.number}, {each.side} {each.place}: {count}" for each, count in world.points.items()]
    return [*world.trace, *struck]
