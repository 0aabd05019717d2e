"""`python -m tests.faults --minutes 30 [--seed N] [--only F1,F2] [--load module:function]`: see docs/reliability.md, which it writes."""

import argparse
import asyncio
import importlib
import json
import os
import random
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from deploy.kafka import local
from tests.faults.check import check
from tests.faults.load import Load
from tests.faults.registry import chosen
from tests.faults.runner import Result, run
from tests.faults.stage import open_stage

RESULTS = Path("var/faults")


def load_of(name: str) -> Load:
    """`module:function`."""
    module, _, function = name.partition(":")
    found: Load = getattr(importlib.import_module(module), function)
    return found


async def play(options: argparse.Namespace, folder: Path, bootstrap: str) -> list[Result]:
    async with open_stage(folder, bootstrap) as stage:
        say(f"seed {options.seed}; the house stands, its customers move in")
        return await run(stage, load_of(options.load), check, chosen(options.only), options.minutes * 60, options.seed, say)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="Break the house on purpose, and look whether it mends itself.")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("FAULT_SEED") or random.randrange(10**6)))
    parser.add_argument("--only", help="F1,F2: these alone")
    parser.add_argument("--load", default="tests.faults.load:mixed", help="module:function")
    parser.add_argument("--keep", action="store_true", help="leave logs and mails behind")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="reconecta-faults-"))
    folder.chmod(0o755)
    try:
        bootstrap = local.start(folder / "kafka")
        results = asyncio.run(play(options, folder, bootstrap))
    finally:
        local.stop(folder / "kafka")
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{options.seed}.json").write_text(json.dumps([asdict(each) for each in results], indent=1))
    return 1 if any(each.wrong or each.lag is None for each in results) else 0


if __name__ == "__main__":
    sys.exit(main())
