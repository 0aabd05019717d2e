"""Sentences about a service's tables that hold at any time, each with the query that finds the rows that break it."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import rows


async def broken(session: AsyncSession, checks: Mapping[str, str]) -> list[str]:
    """The sentences that do not hold, each with some of the rows that break it; empty when all is well."""
    found = []
    for sentence, sql in checks.items():
        if breaking := await rows(session, f"{sql} LIMIT 5"):
            found.append(f"not so: {sentence} ({', '.join(str(row[0]) for row in breaking)})")
    return found
