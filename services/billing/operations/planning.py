"""How the database is to look up blocks of rows.

# Note [Blocks of a large table]
Imports and runs take a table of a million rows a thousand at a time. A planner that believes a block to be large reads the whole table for
each of them, and the whole work becomes quadratic. So these transactions tell it to go by index.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import rows

SETTINGS = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan")


async def by_index(session: AsyncSession) -> None:
    """Look rows up by index until this transaction ends ([Blocks of a large table])."""
    await rows(session, "SELECT set_config(name, 'off', true) FROM unnest($1::text[]) AS name", list(SETTINGS))
