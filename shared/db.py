"""One way to talk to a service's PostgreSQL: transactions, row locks, and driver-level SQL where the ORM would cost too much.

# Note [Blocks of a large table]
Imports, billing runs and reviews take a table of a million rows some thousand at a time. A planner that believes a block to be large, or
the table as empty as it was when it last looked, reads the whole table for each block, and the work becomes quadratic. So these begin with
BY_INDEX, and their statements have one plan at any size: they begin with the block's own keys and look up everything else by its primary
key. They are not planned anew: told to, PostgreSQL would also plan every check of a foreign key, half the time of a block.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy import CHAR, CheckConstraint, Column, DateTime, Numeric, Text, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from shared.errors import NotFound, sqlstate_of
from shared.session import Driver, Session
from shared.wakeup import ANYBODY, Wakeup

Model = TypeVar("Model", bound=SQLModel)

STATEMENT_SECONDS = 60
SERVER = "SELECT system_identifier, pg_postmaster_start_time() FROM pg_control_system()"
# See Note [Blocks of a large table]
BY_INDEX = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off; SET LOCAL work_mem = '32MB'"
# Conditions that always hold, to be part of a statement: the transaction's commit waits for the disk, as usual, or does not.
DURABLE, NOT_DURABLE = "true", "(SELECT set_config('synchronous_commit', 'off', true)) = 'off'"
IDLE_TRANSACTION_TIMEOUT = "60s"
LAST, LAST_LOCK = [0], threading.Lock()  # the id that was made last


@asynccontextmanager
async def _committed(session: Session, wakeup: Wakeup, first: str = "") -> AsyncIterator[AsyncSession]:
    try:
        if first:
            await session.plain(first)
        yield session
        await session.commit()
    except BaseException as error:
        # Whoever is cancelled cannot know what the server has begun; a session that only reads may do so for ever: nobody gets it again.
        again = isinstance(error, Exception) and sqlstate_of(error) != "25006"
        ended = session.close() if again else session.invalidate()
        await asyncio.shield(asyncio.create_task(ended))
        raise
    if loops := session.info.pop("ring", None):
        wakeup.ring(loops)


class MessagingTable(SQLModel, registry=registry()):
    """Base of the tables that every service's database has: outbox, inbox, timers, idempotency, audit."""


class Database:
    """One service's database: a pool, and transactions that commit at their end or not at all. `patience`: seconds after which the server
    ends a statement."""

    def __init__(
        self,
        url: str,
        *,
        service: str = "",
        pool_size: int = 10,
        wakeup: Wakeup | None = None,
        patience: int = STATEMENT_SECONDS,
    ) -> None:
        self.url = make_url(url).set(drivername="postgresql+asyncpg")
        self.service = service
        self.wakeup = wakeup or Wakeup()
        settings = {
            "application_name": f"reconecta {service}".strip(),
            "timezone": "UTC",
            "statement_timeout": f"{patience}s",
            "idle_in_transaction_session_timeout": IDLE_TRANSACTION_TIMEOUT,
        }
        self.engine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=0,  # what overflows is opened and closed again for each command, with every statement prepared anew
            pool_use_lifo=True,  # few connections with warm caches rather than all of them in turn
            pool_timeout=15,
            hide_parameters=True,  # an error's text goes to logs and dead letters; customers' data must not
            connect_args={"connection_class": Driver, "server_settings": settings, "command_timeout": patience + 30, "timeout": 10},
        )
        event.listen(self.engine.sync_engine, "checkout", _alive)
        self.handover = DURABLE  # the condition for commits of which only the next service learns; see `find_one_log`
        self._looking = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def dsn(self) -> str:
        """The address as libpq and bare asyncpg want it."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def transaction(self, first: str = "") -> AbstractAsyncContextManager[AsyncSession]:
        """Open a session; commit when the block ends well, roll back when it raises. After a commit that called `ring` the workers wake.
        `first` is a statement without parameters that goes to the server with BEGIN, in one round trip."""
        return _committed(Session(self.engine), self.wakeup, first)

    def look(self) -> AbstractAsyncContextManager[AsyncSession]:
        """The same for what is one statement, or only looks: each statement is its own transaction, which saves two round trips."""
        return _committed(Session(self._looking, begins=False), self.wakeup)

    async def close(self) -> None:
        await self.wakeup.close()
        await self.engine.dispose()


async def find_one_log(databases: Sequence[Database]) -> None:
    """Find out whether all these lie on one PostgreSQL server (not while one of them is away), and make their `handover` NOT_DURABLE then:
    there whatever one service leaves for another stands in one log, in the order in which it happened. So a commit need not wait for the
    disk that only the next service learns of: whoever answers a request, or calls somebody outside, waits for everything before it
    (docs/adr/0021)."""

    async def server(database: Database) -> tuple[Any, ...]:
        async with asyncio.timeout(5), database.look() as session:
            return tuple((await rows(session, SERVER))[0])

    found = await asyncio.gather(*map(server, databases), return_exceptions=True)
    one_log = len(set(found)) == 1 and not isinstance(found[0], BaseException)
    for each in databases:
        each.handover = NOT_DURABLE if one_log else DURABLE


def _alive(adapted: Any, _record: Any, _fairy: Any) -> None:
    """Whoever takes a connection out of the pool whose server has hung up gets a new one, and so does everybody after him: when a server
    has been away all of them are dead, and nobody needs to find that out with one failure each."""
    if adapted.driver_connection.is_closed():
        raise InvalidatePoolError


def ring(session: AsyncSession, *loops: str) -> None:
    """This transaction leaves work behind: once it is committed wake these of the workers' loops (`relay`, `inbox`, a job by its name),
    or whoever may find out whose work it is."""
    session.info.setdefault("ring", set()).update(loops or ANYBODY)


class Fetched(asyncpg.Record):  # type: ignore[misc] # the driver has no types
    """A row as the driver read it: by name (`row.total`), by place, or unpacked."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the statement answered no column {name}") from None


async def rows(session: AsyncSession, sql: str, *args: Any) -> Sequence[Fetched]:
    """Run driver-level SQL (`$1`, `$2`, asyncpg's types) in the session's transaction and fetch its rows. Raises the driver's errors."""
    found: Sequence[Fetched] = await (await driver(session)).fetch(sql, *args, record_class=Fetched)
    return found


async def execute(session: AsyncSession, sql: str, *args: Any) -> int:
    """Run driver-level SQL inside the session's transaction; answer how many rows it touched. Raises the driver's own errors."""
    count = (await (await driver(session)).execute(sql, *args)).rpartition(" ")[2]
    return int(count) if count.isdigit() else 0


async def driver(session: AsyncSession) -> asyncpg.Connection:
    """The asyncpg connection of the session's transaction, for COPY and for statements that are run very often: a third of the cost."""
    if isinstance(session, Session) and (plain := await session.plain()) is not None:
        return plain
    known = session.info.get("driver")
    if known is None or known[0] is not _innermost(session):  # a new savepoint is made when the session is asked for its connection
        connection = (await session.connection()).sync_connection
        assert connection is not None
        pooled = connection.connection
        adapted: Any = pooled.dbapi_connection
        if adapted._transaction is None:  # SQLAlchemy sends BEGIN with its own first statement, and this one goes past it
            try:
                await adapted._start_transaction()
            except BaseException:  # the server may have begun it all the same; what came next would be a savepoint and never committed
                connection.invalidate()
                raise
        known = session.info["driver"] = (_innermost(session), pooled.driver_connection)
    return known[1]


class ReadAgain(Exception):
    """What was read may be no more: a server that was away meanwhile has forgotten what it had not yet written down."""


async def as_old_as(session: AsyncSession, known: int) -> None:
    """Raise ReadAgain unless the session's connection was open when the process had opened `known`: no crash of the server since."""
    if (await driver(session)).number > known:
        raise ReadAgain


def _innermost(session: AsyncSession) -> object:
    return session.sync_session.get_nested_transaction() or session.sync_session.get_transaction()


async def lock(session: AsyncSession, model: type[Model], key: Any) -> Model:
    """Read a row as it is now and keep others from changing it until the commit. Raises NotFound."""
    found = await session.get(model, key, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound(f"No existe {model.__name__} {key}.")
    return found


def new_id() -> UUID:
    """A time-ordered id (version 7), made here because PostgreSQL 15 has none."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[UUID]:
    """As many time-ordered ids, for whose lots the system is asked once. Those that this process makes in one millisecond have the order in
    which they were made, too: what came together is listed as it came."""
    at, drawn = int(time.time() * 1000) << 80, os.urandom(10 * count)
    return [_version_7(at | int.from_bytes(drawn[place : place + 10])) for place in range(0, 10 * count, 10)]


def id_prefix() -> str:
    """The first 24 characters of time-ordered ids whose last 12 a statement counts itself. By lot alone: the next one after the last would
    begin as that does, and of two statements of one millisecond the second would count the first one's ids again."""
    drawn = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10))
    return str(UUID(int=_marked(drawn)))[:24]


def _marked(given: int) -> int:
    """These 128 bits with the marks of version 7."""
    return given & ~(0xF << 76 | 0x3 << 62) | (0x7 << 76 | 0x2 << 62)


def _version_7(given: int) -> UUID:
    """These 128 bits as an id, 48 for its millisecond, the others drawn by lot but for the marks; or the next one after the last, where
    both are of one millisecond and it would stand before that."""
    marked = _marked(given)
    with LAST_LOCK:
        if LAST[0] >> 80 == marked >> 80 and marked <= LAST[0]:
            marked = LAST[0] + 1
        LAST[0] = marked
    return asyncpg.pgproto.pgproto.UUID(marked.to_bytes(16))  # type: ignore[no-any-return] # as those that are read: cheaper to write


def utc(*, nullable: bool = False, index: bool = False) -> Any:
    """A column for an instant: timestamptz, always aware, stored in UTC."""
    column: Column[datetime] = Column(DateTime(timezone=True), nullable=nullable, index=index)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def money_column(*, nullable: bool = False) -> Any:
    """A column for an amount: NUMERIC(18,4); its currency stands in a column beside it."""
    column: Column[Any] = Column(Numeric(18, 4), nullable=nullable)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def currency_column() -> Any:
    """The currency (ISO 4217) of the amounts beside it."""
    return Field(sa_column=Column(CHAR(3), nullable=False))


def period_column(*, nullable: bool = False) -> Any:
    """A month, written `2026-03`."""
    column: Column[str] = Column(CHAR(7), nullable=nullable)
    return Field(default=None, sa_column=column) if nullable else Field(sa_column=column)


def sorted_text() -> Any:
    """Text that is searched by prefix and paged by value: compared byte by byte, whatever the database's locale is."""
    return Field(sa_column=Column(Text(collation="C"), nullable=False))


def one_of(column: str, states: type[StrEnum], name: str) -> CheckConstraint:
    """The column holds one of the states' values."""
    values = ", ".join(f"'{each.value}'" for each in states)
    return CheckConstraint(f"{column} IN ({values})", name=name)
