"""Judge a running installation under somebody else's load: `python -m tests.support.history COMMAND`.

    install          before the load: the witness goes into the five databases
    gather FOLDER    after it, when everything has settled: what there is goes into FOLDER/evidence.json
    judge FOLDER     with FOLDER/commands.jsonl (one Attempt a line, see commands.py), if there is one; 1 when something may not be
    remove           the witness leaves

The databases are BILLING_DATABASE_URL … (their owners or a superuser), as the services read them; RECONECTA_MAILDIR and
RECONECTA_OPERATOR_FOLDER as they do. Business time is the simulated clock's where there is one.
"""

import argparse
import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path

import asyncpg

from services.migrate import SERVICES
from shared.clock import machine_now
from shared.operator import load_operator
from tests.support.history.checker import violations
from tests.support.history.commands import FILE, History
from tests.support.history.evidence import Evidence, gather
from tests.support.history.witness import install, remove

OPERATOR = "deploy/operators/vip_isp"


def addresses() -> dict[str, str]:
    """Where the five databases are."""
    return {service: os.environ[f"{service.upper()}_DATABASE_URL"] for service in SERVICES}


async def business_time(address: str) -> datetime:
    """What the installation takes for now."""
    connection = await asyncpg.connect(address.replace("+asyncpg", ""), timeout=10)
    try:
        found = await connection.fetchval("SELECT now FROM simulated_clock")
        return found if isinstance(found, datetime) else machine_now()
    finally:
        await connection.close()


async def collect(folder: Path) -> None:
    """Keep what there is."""
    databases, maildir = addresses(), os.environ.get("RECONECTA_MAILDIR")
    documents = load_operator(Path(os.environ.get("RECONECTA_OPERATOR_FOLDER", OPERATOR)))
    now = await business_time(databases["billing"])
    evidence = await gather(databases, operator=documents, now=now, maildir=Path(maildir) if maildir else None)
    evidence.save(folder)


def judge(folder: Path) -> int:
    """Say what may not be."""
    history = History.load(folder) if (folder / FILE).exists() else None
    found = violations(history, Evidence.load(folder))
    for each in found:
        sys.stdout.write(f"{each}\n")
    sys.stdout.write(f"{len(found)} violations\n")
    return 1 if found else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.history", description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("install", "remove", "gather", "judge"):
        added = commands.add_parser(name)
        if name in ("gather", "judge"):
            added.add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    if given.command == "judge":
        return judge(given.folder)
    work = {"install": lambda: install(addresses()), "remove": lambda: remove(addresses()), "gather": lambda: collect(given.folder)}
    asyncio.run(work[given.command]())
    return 0


if __name__ == "__main__":
    sys.exit(main())
