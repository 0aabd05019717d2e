"""What all worlds of a run came to together: each test process keeps its own, and the run's end says the sum."""

import json
import os
from collections import Counter
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.run import Outcome

FILE = "worlds.jsonl"


def keep(came_to: "Outcome") -> None:
    """Keep a world's figures for the end of the run."""
    line = json.dumps([came_to.schedules, came_to.counts, [astuple(each) for each in came_to.points], len(came_to.found)])
    with (Path(os.environ["RECONECTA_TEST_FOLDER"]) / FILE).open("a") as file:
        file.write(line + "\n")


def summary(folder: Path) -> list[str]:
    """The run's figures in words; nothing when no world was played."""
    if not (folder / FILE).exists():
        return []
    worlds = [json.loads(line) for line in (folder / FILE).read_text().splitlines()]
    counts: Counter[str] = Counter()
    places: Counter[str] = Counter()
    points = {tuple(point) for world in worlds for point in world[2]}
    for world in worlds:
        counts.update(world[1])
    places.update(actor for actor, *_ in {(actor, place, side) for actor, _, place, side in points})
    said = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    return [
        f"{sum(world[0] for world in worlds)} schedules in {len(worlds)} worlds: {said}",
        f"{len(points)} distinct crash points (who, which of its statements, before, after or at its commit, line of code); "
        f"lines of code: {', '.join(f'{actor} {count}' for actor, count in places.most_common())}",
    ]
