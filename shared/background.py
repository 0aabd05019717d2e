"""Work that must not be felt: connections of its own whose server processes give way to those that people wait for."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import event

from shared.db import STATEMENT_SECONDS, Database
from shared.loop import NICENESS


@asynccontextmanager
async def in_the_background(database: Database, *, patience: int = STATEMENT_SECONDS) -> AsyncIterator[Database]:
    """The same database through connections that are closed at the end; a statement may take `patience` seconds. Where the server runs on
    this machine and is ours (the embedded one), the processes behind them get the processor last; elsewhere they are like any others."""
    quiet = Database(database.dsn, service=database.service, pool_size=2, wakeup=database.wakeup, patience=patience)
    event.listen(quiet.engine.sync_engine, "connect", _give_way)
    try:
        yield quiet
    finally:
        await quiet.engine.dispose()


def _give_way(connection: Any, _record: object) -> None:
    pid = connection.driver_connection.get_server_pid()
    with suppress(OSError):
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"postgres: "):  # another machine's number may be anybody's here
            os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid) + NICENESS)
