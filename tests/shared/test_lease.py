"""Leadership passes on when it expires, and whoever led before can commit nothing any more."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from shared.db import DURABLE, NOT_DURABLE, Database, execute, rows
from shared.lease import Fenced, Lease, prolonged

Open = Callable[[str], Awaitable[Database]]


async def expire(database: Database) -> None:
    async with database.transaction() as session:
        await execute(session, "UPDATE lease SET expires_at = clock_timestamp() - interval '1 s'")


async def test_one_leads_and_the_other_does_not(database: Open) -> None:
    db = await database("noc")
    one, two = Lease(db, "x", "one"), Lease(db, "x", "two")
    assert await one.held()
    assert not await two.held()
    assert await one.held()
    assert (one.epoch, two.epoch) == (1, 0)


async def test_an_expired_lease_passes_on_and_its_epoch_grows(database: Open) -> None:
    db = await database("noc")
    one, two = Lease(db, "x", "one"), Lease(db, "x", "two")
    await one.held()
    await expire(db)
    assert await two.held()
    assert two.epoch == 2
    async with db.transaction() as session:
        await two.prove(session)
    with pytest.raises(Fenced):
        async with db.transaction() as session:
            await one.prove(session)


async def test_a_crash_of_the_server_ends_every_lease(database: Open) -> None:
    """It empties what is UNLOGGED. Who led may lead again, but has no proof for what he remembers of before."""
    db = await database("noc")
    one = Lease(db, "x", "one")
    await one.held()
    async with db.transaction() as session:
        [table] = await rows(session, "SELECT relpersistence::text FROM pg_class WHERE relname = 'lease'")
        assert table.relpersistence == "u"
        await execute(session, "TRUNCATE lease")  # as the server does when it recovers
    before = one.epoch
    assert await one.held()
    with pytest.raises(Fenced):
        async with db.transaction() as session:
            await one.prove(session, before)
    assert await one.held()
    async with db.transaction() as session:
        await one.prove(session)


async def test_an_epoch_from_before_a_crash_does_not_come_back_by_way_of_another(database: Open) -> None:
    db = await database("noc")
    one, two, three = (Lease(db, "x", each) for each in ("one", "two", "three"))
    await two.held()
    await two.release()
    await one.held()
    before = one.epoch
    async with db.transaction() as session:
        await execute(session, "TRUNCATE lease")
    await three.held()
    await three.release()
    assert await one.held() and one.epoch > before


async def test_a_lease_from_before_the_clock_was_set_back_keeps_nobody_waiting(database: Open) -> None:
    """The machine ran an hour ahead when its leader died; its clock is right again, and no lease lasts an hour."""
    db = await database("noc")
    dead, next_one = Lease(db, "x", "dead"), Lease(db, "x", "next")
    await dead.held()
    async with db.transaction() as session:
        await execute(session, "UPDATE lease SET expires_at = expires_at + interval '1 hour'")
    assert await next_one.held()
    assert next_one.epoch == 2
    with pytest.raises(Fenced):
        async with db.transaction() as session:
            await dead.prove(session)


async def test_who_leads_while_the_clock_is_set_back_still_leads(database: Open) -> None:
    db = await database("noc")
    one = Lease(db, "x", "one")
    await one.held()
    async with db.transaction() as session:
        await execute(session, "UPDATE lease SET expires_at = expires_at + interval '1 hour'")
        await one.prove(session)
    assert await one.held()
    assert one.epoch == 1
    assert not await Lease(db, "x", "two").held()


async def test_coming_back_to_one_s_own_expired_lease_is_a_new_epoch(database: Open) -> None:
    """In between somebody else may have led and let go."""
    db = await database("noc")
    one = Lease(db, "x", "one")
    await one.held()
    await expire(db)
    assert await one.held()
    assert one.epoch == 2


async def test_an_old_epoch_proves_nothing_even_for_the_same_holder(database: Open) -> None:
    """What it was about to commit when it lost the lease stays fenced when it leads again."""
    db = await database("noc")
    before, again = Lease(db, "x", "one"), Lease(db, "x", "one")
    await before.held()
    await expire(db)
    assert await again.held()
    with pytest.raises(Fenced):
        async with db.transaction() as session:
            await before.prove(session)


async def test_who_led_before_gives_up_nothing_of_its_successor_s(database: Open) -> None:
    """Nor of itself, where it leads again."""
    db = await database("noc")
    before, again = Lease(db, "x", "one"), Lease(db, "x", "one")
    await before.held()
    await expire(db)
    await again.held()
    await before.release()
    assert not await Lease(db, "x", "two").held()


async def test_a_lease_is_renewed_long_before_it_ends(database: Open) -> None:
    db = await database("noc")
    lease, ends = Lease(db, "x", "one", timedelta(seconds=3)), "SELECT expires_at FROM lease"
    await lease.kept()
    async with db.transaction() as session:
        first = (await rows(session, ends))[0].expires_at
    await asyncio.sleep(1.1)
    await lease.kept()
    async with db.transaction() as session:
        assert (await rows(session, ends))[0].expires_at > first


async def test_a_released_lease_is_free_at_once(database: Open) -> None:
    db = await database("noc")
    one, two = Lease(db, "x", "one"), Lease(db, "x", "two")
    await one.held()
    await one.release()
    assert await two.held()


async def test_nobody_takes_a_lease_before_it_ends(database: Open) -> None:
    db = await database("noc")
    one, two = Lease(db, "x", "one", timedelta(milliseconds=1500)), Lease(db, "x", "two")
    await one.held()
    assert not await two.held()
    async with db.transaction() as session:
        await one.prove(session)


async def test_who_does_not_know_whether_it_leads_does_not_lead() -> None:
    """The answer got lost: what it held before is no proof."""
    one = Lease(Database("postgresql://nobody@127.0.0.1:1/nothing"), "x", "one")
    one.epoch = 3
    with pytest.raises(OSError):
        await one.held()
    assert one.epoch == 0


@pytest.mark.parametrize(("commit", "waits"), [(DURABLE, "on"), (NOT_DURABLE, "off")])
async def test_a_deletion_waits_for_the_disk_unless_its_caller_can_do_it_again(database: Open, commit: str, waits: str) -> None:
    """What is handled stays handled, also where the machine loses its power after the commit."""
    db = await database("noc")
    one = Lease(db, "x", "one")
    await one.held()
    async with db.transaction() as session:
        await one.delete(session, "inbox_pending.seq", [1], commit)
        [said] = await rows(session, "SELECT current_setting('synchronous_commit') AS waits")
    assert said.waits == waits


async def test_nobody_takes_over_between_the_proof_and_the_commit(database: Open) -> None:
    db = await database("noc")
    one, two = Lease(db, "x", "one"), Lease(db, "x", "two")
    await one.held()
    await expire(db)
    async with db.transaction() as session:
        await one.prove(session)
        taking = asyncio.create_task(two.held())
        await asyncio.sleep(0.1)
        assert not taking.done()
    assert await taking


async def test_a_leader_that_freezes_after_its_proof_is_ended_by_the_database(database: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.lease.FROZEN", "300ms")
    db = await database("noc")
    one, two = Lease(db, "x", "one", timedelta(seconds=1)), Lease(db, "x", "two")
    await one.held()
    with pytest.raises(Exception, match=r"idle-in-transaction|connection"):  # noqa: PT012
        async with db.transaction() as session:
            await one.prove(session)
            await expire_elsewhere(db, two)
            await rows(session, "SELECT 1")
    async with asyncio.timeout(10):
        while not await two.held():
            await asyncio.sleep(0.05)


async def expire_elsewhere(db: Database, other: Lease) -> None:
    """Wait until the database has given the lease to another."""
    async with asyncio.timeout(10):
        while not await other.held():
            await asyncio.sleep(0.05)


async def test_a_claim_is_prolonged_while_its_holder_works_and_no_longer() -> None:
    renewals: list[int] = []

    async def renew() -> None:
        renewals.append(len(renewals))
        raise ConnectionError("the next one will do")

    async with asyncio.timeout(5), prolonged(renew, every=timedelta(milliseconds=1)):
        while len(renewals) < 3:
            await asyncio.sleep(0.001)
    ended = len(renewals)
    await asyncio.sleep(0.01)
    assert len(renewals) == ended
