"""Driver-level statements belong to the session's transaction and its savepoints, and a dead connection is replaced."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from shared.db import Database, driver, execute, id_prefix, lock, new_id, new_ids, rows
from shared.discretion import told
from shared.errors import NotFound, sqlstate_of
from shared.lease import LeaseRow
from shared.session import Driver
from shared.transient import is_transient

Open = Callable[[str], Awaitable[Database]]
ADD = "INSERT INTO lease (name, holder, epoch, expires_at) VALUES ($1, 'x', 1, now())"


async def names(db: Database) -> list[str]:
    async with db.transaction() as session:
        return [row.name for row in await rows(session, "SELECT name FROM lease ORDER BY name")]


async def test_the_first_statement_is_inside_the_transaction(database: Open) -> None:
    db = await database("noc")
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with db.transaction() as session:
            assert await execute(session, ADD, "a") == 1
            raise RuntimeError
    assert await names(db) == []


async def test_a_transaction_may_begin_with_a_statement(database: Open) -> None:
    """Which belongs to it, and to no other; where it fails nothing has begun."""
    db = await database("noc")
    async with db.transaction("SELECT set_config('lock_timeout', '7s', true)") as session:
        assert (await session.execute(text("SHOW lock_timeout"))).scalar() == "7s"
        assert (await rows(session, "SHOW lock_timeout"))[0][0] == "7s"
        await execute(session, ADD, "a")
    with pytest.raises(Exception, match="division by zero") as caught:
        async with db.transaction("SELECT 1 / 0"):
            raise AssertionError("began")
    assert sqlstate_of(caught.value) == "22012"
    async with db.transaction() as session:
        assert (await rows(session, "SHOW lock_timeout"))[0][0] == "0"
        await session.rollback()
        await execute(session, ADD, "b")
    assert await names(db) == ["a", "b"]


async def test_an_error_does_not_repeat_the_values_it_was_given(database: Open) -> None:
    """Its text goes to logs and dead letters."""
    db = await database("noc")
    with pytest.raises(DBAPIError) as caught:
        async with db.transaction() as session:
            await session.execute(text("SELECT CAST(:tax_id AS text) / 2"), {"tax_id": "05012024252421"})
    assert "05012024252421" not in str(caught.value) and "SELECT" in str(caught.value)


async def test_a_savepoint_takes_driver_statements_back(database: Open) -> None:
    db = await database("noc")
    async with db.transaction() as session:
        await execute(session, ADD, "kept before")
        with pytest.raises(RuntimeError):  # noqa: PT012
            async with session.begin_nested():
                await execute(session, ADD, "undone")
                await (await driver(session)).execute("UPDATE lease SET epoch = 9")
                raise RuntimeError
        async with session.begin_nested():
            await execute(session, ADD, "kept inside")
        await execute(session, ADD, "kept after")
    assert await names(db) == ["kept after", "kept before", "kept inside"]
    async with db.transaction() as session:
        assert not await rows(session, "SELECT 1 FROM lease WHERE epoch = 9")


async def test_how_many_rows_were_touched(database: Open) -> None:
    db = await database("noc")
    async with db.transaction() as session:
        for name in "abc":
            await execute(session, ADD, name)
        assert await execute(session, "UPDATE lease SET epoch = 2 WHERE name <= $1", "b") == 2
        assert await execute(session, "DELETE FROM lease WHERE name = 'nobody'") == 0
        assert await execute(session, "SELECT pg_advisory_xact_lock_shared(1)") == 1
        assert await execute(session, "CREATE TEMPORARY TABLE t (n int) ON COMMIT DROP") == 0


async def test_a_statement_that_fails_undoes_the_transaction_and_the_pool_goes_on(database: Open) -> None:
    db = await database("noc")
    with pytest.raises(asyncpg.UniqueViolationError):  # noqa: PT012
        async with db.transaction() as session:
            await execute(session, ADD, "a")
            await execute(session, ADD, "a")
    assert await names(db) == []


async def test_a_connection_that_was_cut_is_replaced(database: Open) -> None:
    db = await database("noc")
    other = Database(db.dsn, service="noc")
    with pytest.raises(Exception) as caught:  # noqa: PT012
        async with db.transaction() as session:
            pid = await (await driver(session)).fetchval("SELECT pg_backend_pid()")
            async with other.transaction() as killer:
                await execute(killer, "SELECT pg_terminate_backend($1)", pid)
            await execute(session, ADD, "a")
    assert is_transient(caught.value)
    for _ in range(3):
        assert await names(db) == []
    await other.close()


async def test_the_log_names_what_the_server_said_whoever_wrapped_it(database: Open) -> None:
    nobody = Database(make_url((await database("noc")).dsn).set(database="nobody").render_as_string(hide_password=False), service="noc")
    for open_session in (nobody.transaction, nobody.look):
        with pytest.raises(Exception, match="nobody") as caught:
            async with open_session() as session:
                await rows(session, "SELECT 1")
        assert told(caught.value) == "InvalidCatalogNameError: 3D000"
    with pytest.raises(DBAPIError) as wrapped:
        async with nobody.transaction() as session:
            await session.execute(text("SELECT 1"))
    assert told(wrapped.value) == "InvalidCatalogNameError: 3D000"
    await nobody.close()


@pytest.mark.parametrize("lost", [asyncpg.ConnectionDoesNotExistError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError])
def test_a_connection_that_is_reset_in_the_middle_of_a_statement_passes(lost: type[Exception]) -> None:
    """A middle box resets it, or a machine that is gone: the driver tells it so, with the reset as its cause."""
    told = lost("connection was closed in the middle of operation")
    told.__cause__ = ConnectionResetError(104, "Connection reset by peer")
    assert is_transient(told)


async def test_a_column_that_a_migration_adds_passes(database: Open) -> None:
    """What a connection has prepared answers other columns now: it fails once, and is prepared anew."""
    db = await database("noc")
    pooled, other = Database(db.dsn, service="noc", pool_size=1), await asyncpg.connect(db.dsn)
    await other.execute("CREATE TABLE grown (a integer)")
    async with pooled.transaction() as session:
        assert await rows(session, "SELECT * FROM grown") == []
    await other.execute("ALTER TABLE grown ADD COLUMN b integer")
    with pytest.raises(asyncpg.InvalidCachedStatementError) as caught:
        async with pooled.transaction() as session:
            await rows(session, "SELECT * FROM grown")
    assert is_transient(caught.value)
    async with pooled.transaction() as session:
        assert await rows(session, "SELECT * FROM grown") == []
    await pooled.close()
    await other.execute("DROP TABLE grown")
    await other.close()


async def test_a_new_connection_knows_what_those_before_it_were_told_of_types(database: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever needs one more connection waits for some ten round trips before its own statement."""
    db, asked, ask = await database("noc"), list[frozenset[int]](), asyncpg.Connection._introspect_types

    async def counted(self: asyncpg.Connection, types: frozenset[int], timeout: Any) -> Any:
        asked.append(types)
        return await ask(self, types, timeout)

    monkeypatch.setattr(asyncpg.Connection, "_introspect_types", counted)
    monkeypatch.setattr(Driver, "told", {})
    async with db.transaction() as one, db.transaction() as other:
        for session in (one, other):
            assert (await rows(session, "SELECT $1::money[] AS them", ["$7.00"]))[0].them == ["$7.00"]
    assert len(asked) == 1


def test_sqlalchemys_session_has_nothing_of_its_own_that_ours_does_not_know() -> None:
    """Ours is made without it. The two of the binds are asked for by nobody here: `bind` is ours."""
    engine = create_async_engine("postgresql+asyncpg://")
    assert set(vars(AsyncSession(engine))) == {"_async_bind", "_async_binds", "_proxied", "sync_session"}


async def test_a_session_that_only_reads_is_not_used_again(database: Open) -> None:
    """The role was read-only for a while; the connections that were opened meanwhile would be so for ever."""
    db = await database("noc")
    pooled, other = Database(db.dsn, service="noc", pool_size=1), await asyncpg.connect(db.dsn)
    name = await other.fetchval("SELECT current_database()")
    await other.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    for open_session in (pooled.transaction, pooled.look):
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError) as caught:
            async with open_session() as session:
                await execute(session, ADD, "a")
        assert is_transient(caught.value)
    await other.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    async with pooled.transaction() as session:
        await execute(session, ADD, "b")
    assert await names(db) == ["b"]
    await other.close()
    await pooled.close()


async def test_whoever_is_cancelled_leaves_no_transaction_open(database: Open) -> None:
    """At whatever step: what is committed afterwards on any of the pool's connections is there for everybody."""
    db = await database("noc")
    pooled, other = Database(db.dsn, service="noc", pool_size=1), await asyncpg.connect(db.dsn)

    async def add(name: str) -> None:
        async with pooled.transaction() as session:
            await rows(session, "SELECT 1 FROM lease")
            await execute(session, ADD, name)

    for steps in range(40):
        task = asyncio.create_task(add(f"cancelled {steps}"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await add(f"kept {steps}")
        assert await other.fetchval("SELECT count(*) FROM lease WHERE name LIKE 'kept%'") == steps + 1
    await other.close()
    await pooled.close()


async def test_nobody_meets_the_dead_connections_of_a_server_that_was_away(database: Open) -> None:
    db = await database("noc")

    async def use() -> int:
        async with db.transaction() as session:
            (row,) = await rows(session, "SELECT pg_backend_pid() AS pid, pg_sleep(0.05)")
            return int(row.pid)

    before = await asyncio.gather(*(use() for _ in range(5)))
    connection = await asyncpg.connect(db.dsn)
    await connection.execute("SELECT pg_terminate_backend(pid, 1000) FROM unnest($1::int[]) AS pid", before)
    await connection.close()
    await asyncio.sleep(0.05)  # the farewells arrive
    after = await asyncio.gather(*(use() for _ in range(5)))
    assert len(set(before)) == 5 and not set(before) & set(after)


async def test_who_locks_a_row_waits_for_its_holder_and_reads_what_that_has_written(database: Open) -> None:
    db = await database("noc")
    async with db.transaction() as session:
        await execute(session, ADD, "a")

    async def read() -> str:
        async with db.transaction() as other:
            return (await lock(other, LeaseRow, "a")).holder

    async with db.transaction() as session:
        (await lock(session, LeaseRow, "a")).holder = "two"
        reading = asyncio.create_task(read())
        done, _ = await asyncio.wait({reading}, timeout=0.3)
        assert not done
    assert await reading == "two"
    with pytest.raises(NotFound):
        async with db.transaction() as session:
            await lock(session, LeaseRow, "b")


def test_ids_of_one_millisecond_have_the_order_in_which_they_were_made() -> None:
    """What one process makes together is listed as it was made, though a millisecond has room for hundreds."""
    made = [each for _ in range(200) for each in [*new_ids(5), new_id()]]
    assert made == sorted(made) and len(set(made)) == 1200
    assert {each.version for each in made} == {7}
    assert len({str(each)[:13] for each in made}) < 1200, "some were of one millisecond"


def test_no_two_statements_count_their_ids_from_one_beginning() -> None:
    """An import's blocks and a run's chunks are written side by side, many in one millisecond."""
    made = [id_prefix() for _ in range(40) if new_id()]
    assert len(set(made)) == 40 and len({each[:13] for each in made}) < 40, "some were of one millisecond"
    assert {UUID(each + f"{number:012x}").version for each in made for number in (0, 9)} == {7}
