"""Thousands of customers, each with a month of its own, in worlds in which whoever works is struck at any statement: nothing is lost,
nothing happens twice, nothing overtakes, and each customer ends as its script says. `make simulate SEED=…` plays one world
again, statement by statement (tests.simulation.test_replay).

Everything is the services' own code on PostgreSQL, in every world. One of ten is rough: small batches, out of order, two at the same time
at each tenth turn. The others are mild (tests.simulation.house): that is what makes so many affordable; they are struck more often.
Four thousand are what the suite has the time for; `make simulate SCHEDULES=10000` plays ten thousand.
"""

import os
from pathlib import Path

import pytest

from shared.loop import run
from tests.simulation.house import MILD, ROUGH
from tests.simulation.report import keep
from tests.simulation.run import simulate

SIZE = int(os.environ.get("SIZE", "500"))
WORLDS = -(-int(os.environ.get("SCHEDULES", "4000")) // SIZE)
SEEDS = [int(os.environ["SEED"])] if os.environ.get("SEED") else range(1, WORLDS + 1)
# Who must have been struck in every world; which jobs, the run's summary says.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*non-checked-in connection")]  # the dead give nothing back
STRUCK = {"relay", "inbox", "command", "job"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_month_of_many_customers_in_which_everybody_may_die(databases: dict[str, str], tmp_path: Path, seed: int) -> None:
    again = f"seed {seed}: `make simulate SEED={seed}{f' SIZE={SIZE}' if SIZE != 500 else ''}` plays it again"
    try:
        came_to = run(simulate(databases, tmp_path, seed, SIZE, ROUGH if seed % 10 == 1 else MILD))
    except Exception as error:  # a world that cannot go on
        error.add_note(again)
        raise
    keep(came_to)
    assert came_to.found == [], "\n".join([again, *came_to.found[:20]])
    assert not (missing := STRUCK - {each.actor.partition(" ")[0] for each in came_to.points}), f"{again}: nobody struck {missing}"
    assert all(came_to.counts[name] for name in ("delivered twice", "taken out of turn", "held back", "races", "deaths")), again
