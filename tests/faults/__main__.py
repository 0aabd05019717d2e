"""`python -m tests.faults --minutes 30 [--seed N] [--only F1,F2] [--load module:function] [--write]`: breaks the house on purpose.

Keeps what it found in var/faults/<seed>.json; `--write` makes docs/reliability.md of it. Answers 1 when something was lost, doubled, out of
order or left under way, or when a fault's seconds were not kept.
"""

import argparse
import asyncio
import importlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from deploy.kafka import local
from tests.faults.check import check
from tests.faults.load import Load
from tests.faults.moves import small_disk
from tests.faults.page import PAGE, page, verdict
from tests.faults.registry import chosen, faults
from tests.faults.runner import Result, run
from tests.faults.stage import Stage, open_stage

RESULTS = Path("var/faults")


def load_of(name: str) -> Load:
    """`module:function`."""
    module, _, function = name.partition(":")
    found: Load = getattr(importlib.import_module(module), function)
    return found


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def play(options: argparse.Namespace, folder: Path, bootstrap: str, disk: bool) -> bool:
    """Run, write down, and answer whether all of it held."""
    here, absent = faults(broker_of_its_own=True, small_disk=disk)
    wanted = chosen(here, options.only)
    async with open_stage(folder, bootstrap, broker=folder / "kafka") as stage:
        say(f"seed {options.seed}: the house stands, its customers move in")
        began = time.monotonic()
        results = await run(stage, load_of(options.load), check, wanted, options.minutes * 60, options.seed, say)
        minutes, commands = (time.monotonic() - began) / 60, answered(stage)
        kinds = Counter(f"{each.kind} {each.outcome}" for each in stage.counter.commands)
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept = {"seed": options.seed, "minutes": minutes, "commands": commands, "results": [asdict(each) for each in results]}
    (RESULTS / f"{options.seed}.json").write_text(json.dumps(kept, indent=1))
    if options.write:
        PAGE.write_text(page(wanted, absent, results, seed=options.seed, minutes=minutes, commands=commands))
    say(f"{commands}; {len(results)} injections, seed {options.seed}")
    say(", ".join(f"{number} {name}" for name, number in sorted(kinds.items())))
    return all(verdict(each, of(each.number, results)) == "holds" for each in wanted)


def of(number: str, results: list[Result]) -> list[Result]:
    return [each for each in results if each.number == number]


def answered(stage: Stage) -> str:
    """`7,312 commands: 6,900 acknowledged, …`."""
    counts = Counter(str(each.outcome) for each in stage.history.commands())
    return f"{sum(counts.values()):,} commands: {', '.join(f'{number:,} {name}' for name, number in counts.most_common())}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Break the house on purpose, and look whether it mends itself.")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FAULT_SEED") or random.randrange(10**6)))
    parser.add_argument("--only", default="", help="F1,F2: these alone")
    parser.add_argument("--load", default="tests.faults.load:mixed", help="module:function, see tests/faults/load.py")
    parser.add_argument("--write", action="store_true", help="docs/reliability.md")
    parser.add_argument("--keep", action="store_true", help="leave logs and mails behind")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="reconecta-faults-"))
    folder.chmod(0o755)
    try:
        with small_disk(folder / "postgres") as disk:
            held = asyncio.run(play(options, folder, local.start(folder / "kafka"), disk))
    finally:
        local.stop(folder / "kafka")
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
