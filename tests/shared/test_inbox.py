"""The inbox by itself: what two processes do at once, what counts as passing by itself, and what a dead letter says."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared import parking
from shared.clock import SystemClock, machine_now
from shared.courier import Courier, CourierInbox, Receiver
from shared.db import Database, execute, find_one_log, rows
from shared.inbox import STUMBLES, Arrival, Inbox
from shared.lease import Fenced, Lease
from shared.routing import Context, EventRouter, FactMissing
from shared.transient import is_transient
from tests.support.service import operator
from tests.support.transport import Ears, Said, Told, clean, envelope, prepare

Open = Callable[[str], Awaitable[Database]]
# How what is brought will be committed, in a column that nobody reads here.
NOTE = """CREATE FUNCTION noting() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.traceparent := current_setting('synchronous_commit'); RETURN NEW; END $$"""


async def settle(session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
    """No transport."""


def arrival(event: Told, sender: str) -> Arrival:
    return Arrival(envelope(event, sender), None)


async def test_a_fact_that_comes_while_its_event_is_set_waiting_is_not_missed(database: Open) -> None:
    """Two processes: one is about to set the event waiting, having looked in vain; the other handles the fact just then."""
    db = await database("ticketing")
    reached, gate = asyncio.Event(), asyncio.Event()
    facts: list[int] = []
    handled: list[int] = []
    looks = 0
    router = EventRouter()

    @router.on(Said)
    async def fact(ctx: Context, event: Said) -> None:
        facts.append(event.number)

    @router.on(Told)
    async def needs(ctx: Context, event: Told) -> None:
        nonlocal looks
        looks += 1
        missing = not facts
        if looks == 2:  # the look before it is set waiting
            reached.set()
            await gate.wait()
        if missing:
            raise FactMissing("no fact yet")
        handled.append(event.number)

    one, two = (Inbox(db, router, operator(), SystemClock()) for _ in range(2))
    waiting = asyncio.create_task(one.handle([arrival(Told(who="p", number=1), "billing")], settle))
    async with asyncio.timeout(10):
        await reached.wait()
    telling = asyncio.create_task(two.handle([arrival(Said(who="p", number=0), "collections")], settle))
    await asyncio.sleep(0.5)
    gate.set()
    async with asyncio.timeout(10):
        await asyncio.gather(waiting, telling)
    assert handled == [1]
    async with db.transaction() as session:
        assert not await rows(session, "SELECT 1 FROM parked_event")


async def test_a_dead_letter_says_what_failed_and_where_and_how_often(database: Open) -> None:
    db = await database("ticketing")
    await prepare(db)
    router, tried = EventRouter(), list[Told]()

    @router.on(Told)
    async def fail(ctx: Context, event: Told) -> None:
        tried.append(event)
        raise ValueError("el total no cuadra")

    inbox = Inbox(db, router, operator(), SystemClock())
    given = arrival(Told(who="p", number=1), "billing")
    await inbox.handle([Arrival(given.envelope, None, origin="billing.events/3/17")], settle)
    async with db.transaction() as session:
        found = (await rows(session, "SELECT reason, detail, attempts FROM parked_event"))[0]
    assert (found.reason, found.attempts, len(tried)) == ("dead", 3, 3)
    assert found.detail.startswith("ValueError: el total no cuadra [")
    assert "test_inbox.py" in found.detail
    assert found.detail.endswith("[billing.events/3/17]")
    await clean(db)


async def test_nothing_of_a_key_goes_on_while_a_person_has_to_look_at_it(database: Open) -> None:
    """Not even the dead letter itself, though it would succeed by now, nor what the other sender told."""
    db = await database("ticketing")
    await prepare(db)
    ears = Ears(misbehave=lambda sender, who, number: ValueError("not yet") if number == 0 else None)
    inbox = Inbox(db, ears.router(), operator(), SystemClock())
    await inbox.handle([arrival(Told(who="p", number=0), "billing")], settle)
    await inbox.handle([arrival(Told(who="p", number=1), "billing"), arrival(Said(who="p", number=2), "collections")], settle)
    ears.misbehave = lambda sender, who, number: None
    assert not await inbox.release()
    async with db.transaction() as session:
        assert [row.reason for row in await rows(session, "SELECT reason FROM parked_event ORDER BY id")] == ["dead", "behind", "behind"]
        assert not await rows(session, "SELECT 1 FROM heard")
    await clean(db)


async def test_a_dead_letter_is_one_however_often_it_comes_and_its_transport_goes_on(database: Open) -> None:
    db = await database("ticketing")
    inbox = Inbox(db, Ears().router(), operator(), SystemClock())
    given = Arrival(envelope(Told(who="p", number=1), "billing"), "three", fault="no JSON")

    async def note(session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        sql = "INSERT INTO consumed_offset (topic, partition, next_offset) VALUES ($1, 0, 1) ON CONFLICT (topic, partition) DO UPDATE "
        await execute(session, f"{sql}SET next_offset = consumed_offset.next_offset + 1", arrivals[0].mark)

    for _ in range(2):
        await inbox.handle([given], note)
    async with db.transaction() as session:
        assert [row.reason for row in await rows(session, "SELECT reason FROM parked_event")] == ["dead"]
        assert [tuple(row) for row in await rows(session, "SELECT topic, next_offset FROM consumed_offset")] == [("three", 2)]


async def test_what_is_over_does_not_count_as_a_stumble(database: Open) -> None:
    """Only what happens so often in a row is looked into: after a batch that passed, and after one that another was faster with, what
    passes by itself is waited for like the first time."""
    db = await database("ticketing")
    await prepare(db)
    ears = Ears(misbehave=lambda sender, who, number: ConnectionResetError() if number else None)
    inbox = Inbox(db, ears.router(), operator(), SystemClock())

    async def fenced(session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        raise Fenced("another")

    for _ in range(STUMBLES):
        with pytest.raises(ConnectionResetError):
            await inbox.handle([arrival(Told(who="p", number=1), "billing")], settle)
        with pytest.raises(Fenced):
            await inbox.handle([arrival(Told(who="p", number=0), "billing")], fenced)
        await inbox.handle([arrival(Told(who="p", number=0), "billing")], settle)
    for _ in range(STUMBLES):
        with pytest.raises(Fenced):
            await inbox.handle([arrival(Told(who="p", number=0), "billing")], fenced)
    with pytest.raises(ConnectionResetError):
        await inbox.handle([arrival(Told(who="p", number=1), "billing")], settle)
    async with db.transaction() as session:
        assert not await rows(session, "SELECT 1 FROM parked_event")
    await clean(db)


async def test_a_copy_of_what_is_handled_is_not_set_aside(database: Open) -> None:
    """The database stumbles, and what comes is here already: to set it aside would be to handle it twice."""
    db = await database("ticketing")
    await prepare(db)
    inbox = Inbox(db, Ears().router(), operator(), SystemClock())
    given, times = arrival(Told(who="p", number=1), "billing"), list[int]()

    async def stumbles(session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        times.append(len(times))
        if len(times) == 1:
            raise ConnectionResetError

    await inbox.handle([given], settle)
    inbox.stumbles = STUMBLES
    await inbox.handle([given], stumbles)
    await inbox.release()
    async with db.transaction() as session:
        assert not await rows(session, "SELECT 1 FROM parked_event")
        assert len(await rows(session, "SELECT 1 FROM heard")) == 1
    await clean(db)


async def test_patience_counts_from_the_first_try(database: Open) -> None:
    """Every try that fails may not begin it anew: it would never end."""
    db = await database("ticketing")
    given, error = arrival(Told(who="p", number=1), "billing").envelope, ConnectionResetError()
    reasons = []
    async with db.transaction() as session:
        await parking.set_aside(session, given, error)
        await execute(session, "UPDATE parked_event SET parked_at = parked_at - interval '10 minutes'")
        [row] = await rows(session, "SELECT id FROM parked_event")
    for patience in (timedelta(hours=1), timedelta(minutes=5)):
        await parking.mark_stuck(db, row.id, error, patience)
        async with db.transaction() as session:
            reasons += [each.reason for each in await rows(session, "SELECT reason FROM parked_event")]
    assert reasons == ["retry", "dead"]


async def test_what_is_replayed_has_all_its_patience_again_and_nothing_else_is(database: Open) -> None:
    db, error = await database("ticketing"), ConnectionResetError()
    async with db.transaction() as session:
        for who in ("p", "p1"):
            await parking.bury(session, arrival(Told(who=who, number=1), "billing").envelope, error)
        await execute(session, "UPDATE parked_event SET parked_at = parked_at - interval '10 minutes'")
        assert await parking.replay(session, key="p") == 1
        [row] = await rows(session, "SELECT id FROM parked_event WHERE reason = 'retry'")
    await parking.mark_stuck(db, row.id, error, timedelta(minutes=5))
    async with db.transaction() as session:
        assert [each.reason for each in await rows(session, "SELECT reason FROM parked_event ORDER BY key")] == ["retry", "dead"]


async def test_what_is_set_aside_is_tried_once_a_look(database: Open) -> None:
    db = await database("ticketing")
    await prepare(db)
    ears = Ears(misbehave=lambda sender, who, number: ConnectionResetError())
    async with db.transaction() as session:
        await parking.set_aside(session, arrival(Told(who="p", number=1), "billing").envelope, ConnectionResetError())
    async with asyncio.timeout(10):
        assert not await Inbox(db, ears.router(), operator(), SystemClock()).release()
    assert sum(ears.calls.values()) == 1
    await clean(db)


async def test_each_that_waits_has_its_turn_however_many_wait(database: Open) -> None:
    """Those that were tried least come first: a hundred that wait for ever keep nobody from being tried."""
    db = await database("ticketing")
    await prepare(db)
    ears = Ears(needs=lambda sender, who, number: ("collections", 0) if sender == "billing" else None)
    inbox = Inbox(db, ears.router(), operator(), SystemClock())
    await inbox.handle([arrival(Told(who=f"p{number}", number=1), "billing") for number in range(120)], settle)
    for _ in range(2):
        await inbox.try_waiting()
    async with db.transaction() as session:
        found = await rows(session, "SELECT min(attempts) AS least, count(*) AS n FROM parked_event WHERE reason = 'waiting'")
    assert (found[0].n, found[0].least) == (120, 2)
    await clean(db)


async def test_who_waits_for_a_fact_keeps_back_its_own_sender_only(database: Open) -> None:
    """What the other service tells of the same customer may be the very fact."""
    db = await database("ticketing")
    await prepare(db)
    ears = Ears(needs=lambda sender, who, number: ("collections", 9) if (sender, number) == ("billing", 0) else None)
    inbox = Inbox(db, ears.router(), operator(), SystemClock())
    told = [arrival(Told(who="p", number=number), "billing") for number in (0, 1)]
    await inbox.handle([*told, arrival(Said(who="p", number=0), "collections")], settle)
    async with db.transaction() as session:
        heard = await rows(session, "SELECT sender, number FROM heard")
        parked = await rows(session, "SELECT sender, reason FROM parked_event ORDER BY id")
    assert [(row.sender, row.number) for row in heard] == [("collections", 0)]
    assert [(row.sender, row.reason) for row in parked] == [("billing", "waiting"), ("billing", "behind")]
    await clean(db)


async def test_a_fact_that_was_dead_wakes_who_waits_for_it(database: Open) -> None:
    """At once when it is replayed, and not at the next look at everything that waits."""
    db = await database("ticketing")
    await prepare(db)
    ears = Ears(needs=lambda sender, who, number: ("collections", 0) if sender == "billing" else None)
    ears.misbehave = lambda sender, who, number: ValueError("not yet") if sender == "collections" else None
    inbox = Inbox(db, ears.router(), operator(), SystemClock())
    await inbox.handle([arrival(Told(who="p", number=1), "billing")], settle)
    await inbox.handle([arrival(Said(who="p", number=0), "collections")], settle)
    ears.misbehave = lambda sender, who, number: None
    async with db.transaction() as session:
        assert await parking.replay(session, key="p") == 1
    await inbox.release()
    async with db.transaction() as session:
        heard = await rows(session, "SELECT sender FROM heard ORDER BY at")
    assert [row.sender for row in heard] == ["collections", "billing"]
    await clean(db)


async def test_who_leads_no_more_handles_nothing(database: Open) -> None:
    db = await database("ticketing")
    await prepare(db)
    router = Ears().router()
    first, second = (CourierInbox(Inbox(db, router, operator(), SystemClock()), Lease(db, "inbox", holder)) for holder in ("one", "two"))
    await first.step()
    async with db.transaction() as session:
        await execute(session, "UPDATE lease SET expires_at = clock_timestamp()")
    await second.step()
    await Courier({"ticketing": Receiver(db, router.types)}).send([envelope(Told(who="p", number=1), "billing")], frozenset(), sys.maxsize)
    with pytest.raises(Fenced):
        await first.step()
    async with db.transaction() as session:
        assert not await rows(session, "SELECT 1 FROM heard") and len(await rows(session, "SELECT 1 FROM inbox_pending")) == 1
    await second.step()
    async with db.transaction() as session:
        assert len(await rows(session, "SELECT 1 FROM heard")) == 1 and not await rows(session, "SELECT 1 FROM inbox_pending")
    await clean(db)


@pytest.mark.parametrize("where", ["one server", "two servers", "one of them away"])
async def test_only_on_one_server_nobody_waits_for_the_disk_between_services(
    database: Open, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One log keeps the order: what came before is there again after a power cut if what came of it is. Two would not."""
    db, router, heard = await database("ticketing"), EventRouter(), list[str]()
    other = await database("billing") if where != "one of them away" else Database("postgresql://x@127.0.0.1:1/x")
    if where == "two servers":
        monkeypatch.setattr("shared.db.SERVER", "SELECT 7, clock_timestamp()")  # each of which started at another instant

    @router.on(Told)
    async def hear(ctx: Context, event: Told) -> None:
        heard.extend(row.now for row in await rows(ctx.session, "SELECT current_setting('synchronous_commit') AS now"))

    await find_one_log([db, other])
    async with db.transaction() as session:
        await execute(session, NOTE)
        await execute(session, "CREATE TRIGGER noting BEFORE INSERT ON inbox_pending FOR EACH ROW EXECUTE FUNCTION noting()")
    await Courier({"ticketing": Receiver(db, router.types)}).send([envelope(Told(who="p", number=1), "billing")], frozenset(), sys.maxsize)
    async with db.transaction() as session:
        heard += [row.traceparent for row in await rows(session, "SELECT traceparent FROM inbox_pending")]
        await execute(session, "DROP FUNCTION noting CASCADE")
    await CourierInbox(Inbox(db, router, operator(), SystemClock()), Lease(db, "inbox", "one")).step()
    assert heard == ["off" if where == "one server" else "on"] * 2
    await other.close()


async def test_what_is_brought_meanwhile_under_a_lower_number_is_not_taken_for_handled(database: Open) -> None:
    """Numbers are handed out before commits: a sender that was faster to write may be slower to commit."""
    db = await database("ticketing")
    await prepare(db)
    router = Ears().router()
    courier = Courier({"ticketing": Receiver(db, router.types)})

    class Slow(CourierInbox):
        async def oldest(self, session: AsyncSession) -> list[Arrival]:
            found = await super().oldest(session)
            if len(found) == 1 and found[0].envelope.key == "fast":
                await courier.send([envelope(Told(who="slow", number=1), "billing")], frozenset(), sys.maxsize)
            return found

    inbox = Slow(Inbox(db, router, operator(), SystemClock()), Lease(db, "inbox", "one"))
    await courier.send([envelope(Told(who="fast", number=1), "billing")], frozenset(), sys.maxsize)
    async with db.transaction() as session:
        await execute(session, "UPDATE inbox_pending SET seq = seq + 100")
    for _ in range(2):
        await inbox.step()
    async with db.transaction() as session:
        assert [row.who for row in await rows(session, "SELECT who FROM heard ORDER BY at")] == ["fast", "slow"]
    await clean(db)


@pytest.mark.parametrize("needs", [False, True])
async def test_no_effect_is_dated_before_its_cause(database: Open, needs: bool) -> None:
    """Processes are moved to a new instant one after another: the event of one may reach another that still stands at the old one."""
    db = await database("ticketing")
    router, dated = EventRouter(), list[datetime]()

    @router.on(Told)
    async def hear(ctx: Context, event: Told) -> None:
        if needs and len(dated) < 2:
            dated.append(ctx.now)
            raise FactMissing("something of another sender")
        dated.append(ctx.now)

    inbox = Inbox(db, router, operator(), SystemClock())
    given = arrival(Told(who="p", number=1), "billing").envelope
    later = machine_now() + timedelta(hours=1)
    await inbox.handle([Arrival(given.model_copy(update={"time": later}), None)], settle)
    await inbox.try_waiting()
    assert set(dated) == {later}


class Coded(Exception):
    """A driver's error with a code."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


PASSING = ("40001", "40P01", "57014", "53300", "08006", "55P03", "25P03", "25006", "3D000", "28P01")


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError(), OSError("Multiple exceptions"), *map(Coded, PASSING)])
def test_what_passes_by_itself(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error", [ValueError(), KeyError("x"), FileNotFoundError(2, "no", "plantilla.typ"), *map(Coded, ("23505", "22001", "42P01"))]
)
def test_what_does_not_pass_by_itself(error: Exception) -> None:
    assert not is_transient(error)
