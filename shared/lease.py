"""Leadership that a frozen process cannot keep: a row with holder, epoch and expiry (docs/adr/0001).

Times are the database's own clock, so that machines need not agree, and it may be set: what lasts longer than any lease was given before
it was set back, and holds nothing. A holder proves its epoch inside the transaction that matters.
LEASE is how long a dead process keeps others from anything that it had claimed: who works longer prolongs its claim (`prolonged`).

# Note [Nobody leads on after a crash of the server]
What one service was brought by another may not be on disk yet (`Database.handover`): a crash takes it back, and numbers that were given to
its rows are given to others. Who stood still meanwhile remembers rows that are no more, and would delete what nobody has. So the table of
the leases is UNLOGGED: a crash of the server empties it, and whoever led has no proof left. He takes his lease anew, under another epoch.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from shared.db import DURABLE, Database, Fetched, MessagingTable, execute, rows, utc

LEASE = timedelta(seconds=5)
FROZEN = "5s"
PROVE = """
SELECT set_config('idle_in_transaction_session_timeout', $4, true) FROM lease WHERE name = $1 AND holder = $2 AND epoch = $3 FOR SHARE
"""
PROVE_AND_DELETE = f"""
WITH lead AS ({PROVE}), gone AS (DELETE FROM {{table}} WHERE {{key}} = ANY($5::bigint[]) AND EXISTS (SELECT FROM lead))
SELECT FROM lead WHERE {{commit}}
"""


def holds(until: str, lease: str = f"'{LEASE.total_seconds():g}s'") -> str:
    """SQL: does a claim until then, given for `lease` (an interval), hold? What would last longer was given before the server's clock was
    set back."""
    return f"({until} BETWEEN clock_timestamp() AND clock_timestamp() + 2 * {lease}::interval)"


@contextlib.asynccontextmanager
async def prolonged(renew: Callable[[], Awaitable[None]], every: timedelta = LEASE / 3) -> AsyncIterator[None]:
    """Renew what this process has claimed, again and again, until the block ends. A renewal that fails is left to the next one."""

    async def keep() -> None:
        while True:
            await asyncio.sleep(every.total_seconds())
            with contextlib.suppress(Exception):
                await renew()

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def prolong(session: AsyncSession, table: str, mine: str, holder: object) -> None:
    """Who claimed these rows is alive: they stay his for another LEASE. `mine` says which rows of `table` (with an `id`) are claimed by $1.
    What is being recorded meanwhile need not stay his: to wait for it could be a deadlock."""
    sql = (
        f"UPDATE {table} AS t SET claimed_until = clock_timestamp() + $2::interval FROM (SELECT id FROM {table} "
        f"WHERE {mine} ORDER BY id FOR UPDATE SKIP LOCKED) AS mine WHERE t.id = mine.id"
    )
    await execute(session, sql, holder, LEASE)


class LeaseRow(MessagingTable, table=True):
    """Who leads what. `epoch` grows with every change of hands. See Note [Nobody leads on after a crash of the server]."""

    __tablename__ = "lease"
    __table_args__ = {"prefixes": ["UNLOGGED"]}
    name: str = Field(primary_key=True)
    holder: str
    epoch: int
    expires_at: datetime = utc()


class Fenced(Exception):
    """Somebody else leads now; what this process was about to commit must not be committed."""


class Lease:
    """One process's claim to lead `name`. Not shared between tasks."""

    def __init__(self, database: Database, name: str, holder: str, duration: timedelta = LEASE) -> None:
        self._database, self.name, self.holder, self.duration = database, name, holder, duration
        self.epoch = 0
        self._last = 0
        self._renew_at = 0.0

    async def held(self) -> bool:
        """Take or renew the lease; False while another holder's has not expired."""
        try:
            found = await self._take()
        except BaseException:
            self.epoch = 0  # whether it was taken is unknown; asking again tells
            raise
        self.epoch = found[0].epoch if found else 0
        self._last = max(self._last, self.epoch)
        return bool(found)

    async def kept(self) -> bool:
        """The same for who asks at every step: the database is asked when a third of the lease has passed, and after its epoch was lost.
        What is committed proves it anyway."""
        now = asyncio.get_running_loop().time()
        if self.epoch and now < self._renew_at:
            return True
        if not await self.held():
            return False
        self._renew_at = now + self.duration.total_seconds() / 3
        return True

    async def _take(self) -> Sequence[Fetched]:
        async with self._database.transaction() as session:
            return await rows(
                session,
                "INSERT INTO lease (name, holder, epoch, expires_at) VALUES ($1, $2, $4, clock_timestamp() + $3::interval) "
                "ON CONFLICT (name) DO UPDATE SET holder = $2, expires_at = clock_timestamp() + $3::interval, "
                "epoch = CASE WHEN lease.holder = $2 AND lease.expires_at > clock_timestamp() THEN lease.epoch "
                "ELSE greatest(lease.epoch + 1, $4) END "
                f"WHERE lease.holder = $2 OR NOT {holds('lease.expires_at', '$3')} RETURNING epoch",
                self.name,
                self.holder,
                self.duration,
                self._last + 1,
            )

    async def prove(self, session: AsyncSession, epoch: int | None = None) -> None:
        """Raise Fenced unless this epoch still leads (it is 0 then); until the transaction ends nobody can take over. A process that
        freezes right after this would keep the row for ever: the database ends such a transaction after FROZEN. `epoch`: under which it
        was begun, for who works beside the task that takes the lease."""
        await self._prove(session, PROVE, epoch=epoch)

    async def delete(self, session: AsyncSession, key: str, ids: Sequence[int], commit: str = DURABLE) -> None:
        """The same, and in one statement with it delete the rows of these ids (`key`: `table.column`). `commit` is DURABLE or NOT_DURABLE:
        the commit does not wait for the disk, and after a crash of the machine they may be there again."""
        table, _, column = key.partition(".")
        await self._prove(session, PROVE_AND_DELETE.format(table=table, key=column, commit=commit), ids)

    async def _prove(self, session: AsyncSession, sql: str, *args: object, epoch: int | None = None) -> None:
        try:
            found = await rows(session, sql, self.name, self.holder, self.epoch if epoch is None else epoch, FROZEN, *args)
        except asyncpg.FeatureNotSupportedError:  # a standby, which has no UNLOGGED table
            found = []
        if not found:
            self.epoch = 0
            raise Fenced(self.name)

    async def release(self) -> None:
        """Let another take over at once, at an orderly stop."""
        async with self._database.transaction() as session:
            await rows(
                session,
                "UPDATE lease SET expires_at = clock_timestamp() WHERE name = $1 AND holder = $2 AND epoch = $3 RETURNING 1",
                self.name,
                self.holder,
                self.epoch,
            )
