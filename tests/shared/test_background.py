"""Long work gives way: its server process alone, and it leaves nothing behind."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from shared.background import in_the_background
from shared.db import Database, rows
from shared.loop import NICENESS


async def server_process(database: Database) -> int:
    async with database.transaction() as session:
        pid: int = (await rows(session, "SELECT pg_backend_pid() AS pid"))[0].pid
    return pid


async def test_only_the_server_process_of_the_long_work_gives_way_and_ends_with_it(
    database: Callable[[str], Awaitable[Database]],
) -> None:
    opened = await database("billing")
    usual = await server_process(opened)
    if not Path(f"/proc/{usual}").exists():
        pytest.skip("the server runs on another machine")
    usually = os.getpriority(os.PRIO_PROCESS, usual)
    async with in_the_background(opened) as quiet:
        behind = await server_process(quiet)
        assert os.getpriority(os.PRIO_PROCESS, behind) == min(19, usually + NICENESS) > usually
    assert os.getpriority(os.PRIO_PROCESS, await server_process(opened)) == usually
    async with asyncio.timeout(10):
        while Path(f"/proc/{behind}").exists():
            await asyncio.sleep(0.02)
