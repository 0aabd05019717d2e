"""How the database is to look up blocks of rows.

# Note [Blocks of a large table]
Imports and runs take a table of a million rows some thousand at a time. A planner that believes a block to be large, or the table as empty
as it was when it last looked, reads the whole table for each block, and the work becomes quadratic. So these transactions tell it to go by
index, and their statements have one plan at any size: they begin with the block's own keys and look up everything else by its primary key.
They are not planned anew: told to, PostgreSQL would also plan every single check of a foreign key, half the time of a block.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import rows

SETTINGS = {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_seqscan": "off", "work_mem": "32MB"}


async def by_index(session: AsyncSession) -> None:
    """Look rows up by index until this transaction ends ([Blocks of a large table])."""
    sql = "SELECT set_config(name, value, true) FROM unnest($1::text[], $2::text[]) AS t(name, value)"
    await rows(session, sql, list(SETTINGS), list(SETTINGS.values()))
