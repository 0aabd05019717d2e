"""What grows with every event and command goes again when its time is over, and not before: a claim that is forgotten early is a copy
handled twice, a key that is forgotten early a command done twice."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlalchemy import MetaData

from shared import idempotency
from shared.clock import SystemClock
from shared.courier import Courier
from shared.db import Database, execute, rows
from shared.idempotency import Command
from shared.inbox import Arrival, Inbox
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.worker import Worker
from tests.shared.test_inbox import settle
from tests.support.service import operator
from tests.support.transport import Ears, Told, clean, envelope, prepare

Open = Callable[[str], Awaitable[Database]]
DAY = timedelta(days=1)


def worker(db: Database) -> Worker:
    """Only its housekeeping is run here."""
    service = Service("noc", "", Ears().router(), MetaData())
    runtime = Runtime(service, Settings(service="noc", database_url=db.dsn), db, SystemClock(), operator(), {})
    return Worker(runtime, Courier({}))


async def count(db: Database, table: str) -> int:
    async with db.transaction() as session:
        return int((await rows(session, f"SELECT count(*) AS n FROM {table}"))[0].n)


async def age(db: Database, column: str, by: timedelta) -> None:
    table, _, name = column.partition(".")
    async with db.transaction() as session:
        await execute(session, f"UPDATE {table} SET {name} = {name} - $1::interval", by)


async def test_a_claim_is_kept_until_no_transport_brings_its_event_again(database: Open) -> None:
    db = await database("noc")
    await prepare(db)
    inbox = Inbox(db, Ears().router(), operator(), SystemClock())
    arrival = Arrival(envelope(Told(who="p", number=1), "billing"), None)
    await inbox.handle([arrival], settle)
    await age(db, "inbox.claimed_at", 59 * DAY)
    await worker(db)._housekeep()
    await inbox.handle([arrival], settle)
    assert await count(db, "heard") == 1
    await age(db, "inbox.claimed_at", 2 * DAY)
    await worker(db)._housekeep()
    assert await count(db, "inbox") == 0
    await clean(db)


async def test_what_is_too_much_for_one_look_is_not_left_for_the_next_poll(database: Open) -> None:
    db = await database("noc")
    async with db.transaction() as session:
        sql = "INSERT INTO inbox SELECT gen_random_uuid(), 'billing', clock_timestamp() - interval '61 days' FROM generate_series(1, 5001)"
        await execute(session, sql)
    housekeeper = worker(db)
    while await housekeeper._housekeep():
        pass
    assert await count(db, "inbox") == 0


async def test_a_key_is_kept_as_long_as_is_promised(database: Open) -> None:
    db = await database("noc")
    command = Command("ana.martinez", "POST /days", "k-1", "same")
    insert = (
        "INSERT INTO idempotency_key (principal, route, key, fingerprint, status, headers, body, created_at) "
        "VALUES ($1, $2, $3, $4, 201, '{}', '', clock_timestamp() - $5::interval)"
    )
    async with db.transaction() as session:
        age_of_it = 29 * DAY
        await execute(session, insert, command.principal, command.route, command.key, command.fingerprint, age_of_it)
    await worker(db)._housekeep()
    async with db.transaction() as session:
        found = await idempotency.recall(session, command)
    assert found is not None and found.status == 201
    await age(db, "idempotency_key.created_at", 2 * DAY)
    await worker(db)._housekeep()
    async with db.transaction() as session:
        assert await idempotency.recall(session, command) is None


async def test_the_same_key_on_another_route_is_another_command(database: Open) -> None:
    db = await database("noc")
    async with db.transaction() as session:
        await execute(
            session,
            "INSERT INTO idempotency_key (principal, route, key, fingerprint, status, headers, body, created_at) "
            "VALUES ('ana', 'POST /days', 'k-1', 'same', 201, '{}', '', clock_timestamp())",
        )
    async with db.transaction() as session:
        assert await idempotency.recall(session, Command("ana", "POST /nights", "k-1", "same")) is None
        assert await idempotency.recall(session, Command("ana", "POST /days", "k-1", "same")) is not None
