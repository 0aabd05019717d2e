"""Databases for one world after another."""

from collections.abc import Mapping

import asyncpg

from tests.support.database import EMPTY


async def empty(databases: Mapping[str, str]) -> None:
    """As clean as they were before the world."""
    for address in databases.values():
        connection = await asyncpg.connect(address)
        try:
            await connection.execute(EMPTY)
        finally:
            await connection.close()
