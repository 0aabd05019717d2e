"""How the database is to look up blocks of rows.

# Note [Blocks of a large table]
Imports and runs take a table of a million rows a thousand at a time. A planner that believes a block to be large, or the table as empty as
it was when it last looked, reads the whole table for each block, and the work becomes quadratic. So these transactions tell it to go by
index and to plan anew for every block; where it must not join at all, the look-up is a scalar subquery.

# Note [Foreign keys have plans, too]
Told to plan anew, PostgreSQL also plans every single check of a foreign key anew: for a chunk of invoices that was half of its time. The
billing run, whose statements have one plan at any size once they go by index, leaves planning as it is.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import rows

SETTINGS = {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_seqscan": "off", "work_mem": "32MB"}
ANEW = {"plan_cache_mode": "force_custom_plan"}


async def by_index(session: AsyncSession, *, anew: bool = True) -> None:
    """Look rows up by index until this transaction ends ([Blocks of a large table]); without `anew` cached plans are good enough."""
    settings = SETTINGS | (ANEW if anew else {})
    sql = "SELECT set_config(name, value, true) FROM unnest($1::text[], $2::text[]) AS t(name, value)"
    await rows(session, sql, list(settings), list(settings.values()))
