"""Three minutes of faults under load: nothing is lost, nothing happens twice, nothing overtakes, and nobody has to help.

`make faults MINUTES=30` does it for longer, with every fault there is, and holds the seconds against their targets: here a slow machine is
no failure.
"""

import os
import random
import sys
from pathlib import Path

import pytest

from tests.faults.check import check
from tests.faults.load import mixed
from tests.faults.registry import ALWAYS, IN_THREE_MINUTES, chosen
from tests.faults.runner import run
from tests.faults.stage import open_stage

SECONDS = 180.0


def say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


@pytest.mark.kafka
@pytest.mark.slow(minutes=4)
async def test_nothing_is_lost_doubled_or_out_of_order_whatever_breaks(tmp_path: Path, kafka_bootstrap: str) -> None:
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(10**6))
    say(f"FAULT_SEED={seed}")
    folder = Path(os.environ["RECONECTA_TEST_FOLDER"]) / f"faults-{os.getpid()}"
    folder.mkdir(mode=0o755)
    async with open_stage(folder, kafka_bootstrap) as stage:
        try:
            results = await run(stage, mixed, check, chosen(ALWAYS, ",".join(IN_THREE_MINUTES)), SECONDS, seed, say)
        finally:
            for name, process in stage.house.processes.items():
                say(f"--- {name}\n{process.tail()}")
    assert {each.number for each in results} == set(IN_THREE_MINUTES)
    assert [each for each in results if each.lag is None] == []
    assert [(each.number, wrong) for each in results for wrong in each.wrong] == []
