"""A session that costs what is done with it: the driver's connection first, SQLAlchemy's only where somebody asks for objects.

# Note [What no release promises]
This leans on what SQLAlchemy and asyncpg keep for themselves; where an upgrade changes it a test of tests/shared/test_db.py fails. A
session has nothing of its own but what stands here (test_sqlalchemys_session_…). A connection begins by `_start_transaction`, which is one
`execute` of the driver's (test_the_first_statement_…, test_a_transaction_may_begin_…). A `Connection` can be made on one that has begun
(test_a_savepoint_…). The driver asks what types are by `_introspect_types` (test_a_new_connection_knows_…).
"""

import asyncio
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import asyncpg
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session as SyncSession
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

BUILT_IN = 10_000  # types of smaller numbers are PostgreSQL's own, the same on every server


class Driver(asyncpg.Connection):  # type: ignore[misc] # the driver has no types
    """A connection whose next statement (BEGIN) takes another one with it, one round trip for two; and which knows what the connections of
    this process before it were told of PostgreSQL's own types. The driver asks on each what `uuid[]` is, and so on: 50 ms in which whoever
    needs one more connection waits."""

    first = ""
    opened: ClassVar[int] = 0  # by this process so far
    told: ClassVar[dict[frozenset[int], Any]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        Driver.opened += 1
        self.number = Driver.opened

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """As ever."""
        if self.first:
            query, self.first = f"{query} {self.first}", ""
        done: str = await super().execute(query, *args, timeout=timeout)
        return done

    async def _introspect_types(self, typeoids: Iterable[int], timeout: Any) -> tuple[Any, Any]:
        """The rows that tell of these types, and the statement that found them (a name says that it is not in the way of others)."""
        types = frozenset(typeoids)
        if types in self.told:
            return self.told[types], SimpleNamespace(name="none")
        found, statement = await super()._introspect_types(types, timeout)
        if max(types) < BUILT_IN:
            self.told[types] = found
        return found, statement


class Session(AsyncSession):
    """A session that is SQLAlchemy's only from the moment on at which somebody asks for more than driver-level SQL: to open and commit one
    costs as much as six statements. `begins`: what is done is one transaction, else each driver-level statement is its own."""

    def __init__(self, engine: AsyncEngine, *, begins: bool = True) -> None:
        self._engine, self._begins = engine, begins
        self._info: dict[Any, Any] = {}
        self._pooled: PoolProxiedConnection | None = None
        self._driver: Driver | None = None
        self._whole: SyncSession | None = None

    @property
    def info(self) -> dict[Any, Any]:
        """What goes with this session."""
        return self._info

    @property  # type: ignore[misc] # which may not be changed here
    def bind(self) -> AsyncEngine:
        """Where its connection comes from."""
        return self._engine

    @property
    def sync_session(self) -> SyncSession:  # type: ignore[override] # SQLAlchemy sets it once and for all
        """Made when it is first asked for, in the transaction that is open."""
        if self._whole is None:
            engine = self._engine.sync_engine
            bind = engine if self._pooled is None else Connection(engine, connection=self._pooled)
            self._whole = SyncSession(bind=bind, expire_on_commit=False)
        return self._whole

    _proxied = sync_session

    async def plain(self, first: str = "") -> asyncpg.Connection | None:
        """The driver's connection, in a transaction if that is wanted; None once the session is SQLAlchemy's. `first`: a statement without
        parameters that begins it."""
        if self._whole is not None:
            return None
        if self._driver is None:
            self._driver = await self._opened(first)
        return self._driver

    async def _opened(self, first: str) -> Driver:
        if self._pooled is None:
            self._pooled = await greenlet_spawn(self._engine.sync_engine.raw_connection)
        adapted: Any = self._pooled.dbapi_connection
        driver: Driver = adapted.driver_connection
        if self._begins and adapted._transaction is None:
            driver.first = first
            try:
                await adapted._start_transaction()
            except BaseException:  # the server may have begun it all the same
                await asyncio.shield(asyncio.create_task(self.invalidate()))
                raise
        return driver

    async def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Write what the session's objects have changed; costs nothing when there are none."""
        if (whole := self._whole) is not None and (whole.new or whole.dirty or whole.deleted):
            await super().flush(objects)

    async def commit(self) -> None:
        """Commit, and give the connection back."""
        self._driver = None
        if self._whole is not None:
            await super().commit()
        if self._pooled is not None:
            adapted: Any = self._pooled.dbapi_connection
            await greenlet_spawn(adapted.commit)  # nothing is left where SQLAlchemy did it
        for each in (self._whole, self._pooled):
            if each is not None:
                each.close()  # nothing is open any more: there is nothing to wait for

    async def rollback(self) -> None:
        """Undo what was done so far; whoever goes on begins anew."""
        self._driver = None
        if self._whole is not None:
            await super().rollback()
        if self._pooled is not None:
            adapted: Any = self._pooled.dbapi_connection
            await greenlet_spawn(adapted.rollback)

    async def close(self) -> None:
        """Roll back, and give the connection back."""
        self._driver = None
        if self._whole is not None:
            await super().close()
        if self._pooled is not None:
            await greenlet_spawn(self._pooled.close)

    async def invalidate(self) -> None:
        """Nobody gets this connection again."""
        self._driver = None
        if self._whole is not None:
            await super().invalidate()
        if self._pooled is not None and self._pooled.is_valid:
            await greenlet_spawn(self._pooled.invalidate)
