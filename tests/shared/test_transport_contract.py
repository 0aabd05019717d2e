"""What every transport promises, proven on the Courier, on a Courier that shuffles across senders, and on a real Kafka."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import pytest

from shared import parking
from shared.courier import Receiver
from shared.db import Database, execute
from shared.events import Envelope
from shared.outbox import Relay
from shared.routing import FactMissing
from tests.support.transport import HEARERS, TELLERS, Line, Many, Said, Told, Unheard, clean, prepare, until

TRANSPORTS = ["courier", "shuffled", pytest.param("kafka", marks=pytest.mark.kafka)]


@pytest.fixture(params=TRANSPORTS)
async def line(request: pytest.FixtureRequest, database: Callable[[str], Awaitable[Database]]) -> AsyncIterator[Line]:
    """Two senders, two receivers; nothing runs yet."""
    bootstrap = request.getfixturevalue("kafka_bootstrap") if request.param == "kafka" else None
    opened = {name: await database(name) for name in (*TELLERS, *HEARERS)}
    for name in HEARERS:
        await prepare(opened[name])
    made = Line(request.param, opened, bootstrap)
    yield made
    await made.stop()
    for name in HEARERS:
        await clean(opened[name])


def story(people: int, each: int, kind: type[Told] = Told) -> list[Told]:
    """Events of several people, mixed up, each person's in order."""
    left = {f"p{number}": list(range(each)) for number in range(people)}
    told = []
    while left:
        who = random.choice(sorted(left))
        told.append(kind(who=who, number=left[who].pop(0)))
        if not left[who]:
            del left[who]
    return told


async def in_order(line: Line, name: str, sender: str, people: int, each: int) -> None:
    """Everything was handled once, each person's in order."""
    heard = await line.heard(name)
    for number in range(people):
        assert [n for by, who, n in heard if by == sender and who == f"p{number}"] == list(range(each))


async def test_each_sender_s_events_of_a_key_come_once_and_in_order(line: Line) -> None:
    line.start(*TELLERS, *HEARERS)
    told, said = story(7, 30), story(7, 30, Said)
    for at in range(0, len(told), 21):
        await asyncio.gather(line.tell(*told[at : at + 21]), line.tell(*said[at : at + 21]))
    await line.quiet()
    for name in HEARERS:
        await in_order(line, name, "billing", 7, 30)
        await in_order(line, name, "collections", 7, 30)
        assert len(await line.heard(name)) == 420


async def test_sets_and_single_events_of_a_key_keep_their_order(line: Line) -> None:
    line.start("billing", "ticketing")
    kinds = [random.choice([Told, Many]) for _ in range(120)]
    await line.tell(*(kind(who=f"p{number % 3}", number=number // 3) for number, kind in enumerate(kinds)))
    await line.quiet("ticketing")
    await in_order(line, "ticketing", "billing", 3, 40)


async def test_what_nobody_wants_stops_nobody(line: Line) -> None:
    line.start("billing", *HEARERS)
    await line.tell(Unheard(who="p0", number=0), Told(who="p0", number=0), Unheard(who="p0", number=1), Told(who="p0", number=1))
    await line.quiet()
    await in_order(line, "ticketing", "billing", 1, 2)


class Crash(Exception):
    """The process dies here."""


async def test_a_crash_before_the_deletion_sends_twice_and_is_handled_once(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    await line.tell(*story(3, 10))
    sink = line.sink("billing")
    relay = Relay(line.databases["billing"], sink, holder="one")

    async def die(ids: Sequence[int], late: frozenset[str]) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(relay, "_settle", die)
        with pytest.raises(Crash):
            await relay.step()
    await relay.lease.release()
    await sink.close()
    line.start("billing", *HEARERS)
    await line.quiet()
    for name in HEARERS:
        await in_order(line, name, "billing", 3, 10)
        assert max(line.ears[name].calls.values()) == 1


async def test_a_frozen_leader_is_fenced_and_doubles_nothing(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old leader freezes after it has read its rows; the new one sends them and more; then the old one wakes up."""
    await line.tell(*story(3, 10))
    frozen, awake, reached = line.sink("billing"), asyncio.Event(), asyncio.Event()
    send = frozen.send

    async def slowly(batch: Sequence[Envelope], skip: frozenset[str], known: int) -> frozenset[str]:
        reached.set()
        await awake.wait()
        return await send(batch, skip, sys.maxsize)  # no server crashed: its connections are still the same

    monkeypatch.setattr(frozen, "send", slowly)
    old = Relay(line.databases["billing"], frozen, holder="old", batch=20)
    freezing = asyncio.create_task(old.step())
    await reached.wait()
    async with line.databases["billing"].transaction() as session:
        await execute(session, "UPDATE lease SET expires_at = clock_timestamp() - interval '1 s' WHERE name = 'relay/0'")
    line.start("billing", *HEARERS)
    await line.tell(*(Told(who=f"p{number}", number=10) for number in range(3)))
    await line.quiet()
    awake.set()
    assert await freezing is False
    assert old.lease.epoch == 0, "the old leader must learn that it leads no more"
    await line.quiet()
    await in_order(line, "ticketing", "billing", 3, 11)
    await frozen.close()


async def test_copies_change_nothing(line: Line) -> None:
    """Every batch is sent three times."""
    await line.tell(*story(3, 8))
    sink = line.sink("billing")
    relay = Relay(line.databases["billing"], sink, holder="one", batch=7)
    send = sink.send

    class Thrice:
        async def send(self, batch: Sequence[Envelope], skip: frozenset[str], known: int) -> frozenset[str]:
            await send(batch, skip, known)
            await send(batch, skip, known)
            return await send(batch, skip, known)

    relay._sink = Thrice()  # type: ignore[assignment]
    while await relay.step():
        pass
    await sink.close()
    line.start(*HEARERS)
    await line.quiet()
    await in_order(line, "ticketing", "billing", 3, 8)
    assert len(await line.heard("notifier")) == 24


async def test_poison_in_mid_batch_parks_its_key_and_nobody_else(line: Line) -> None:
    line.ears["ticketing"].misbehave = lambda sender, who, number: ValueError("never") if (who, number) == ("p1", 4) else None
    await line.tell(*story(3, 10))
    line.start("billing", *HEARERS)
    await line.quiet()
    assert await line.numbers("ticketing", "billing", "p0") == list(range(10))
    assert await line.numbers("ticketing", "billing", "p2") == list(range(10))
    assert await line.numbers("ticketing", "billing", "p1") == [0, 1, 2, 3]
    assert await line.parked("ticketing") == [("dead", "p1", 4), *(("behind", "p1", number) for number in range(5, 10))]
    await in_order(line, "notifier", "billing", 3, 10)


async def test_a_dead_letter_keeps_the_other_sender_of_its_key_waiting_too(line: Line) -> None:
    line.ears["ticketing"].misbehave = lambda sender, who, number: ValueError("never") if sender == "billing" else None
    line.start(*TELLERS, "ticketing")
    await line.tell(Told(who="p0", number=0))
    await line.quiet("ticketing")
    await line.tell(Said(who="p0", number=0), Said(who="p1", number=0))
    await line.quiet("ticketing")
    assert await line.heard("ticketing") == [("collections", "p1", 0)]


async def test_replaying_a_parked_key_goes_on_in_order(line: Line) -> None:
    broken = True
    line.ears["ticketing"].misbehave = lambda sender, who, number: ValueError("not yet") if broken and (who, number) == ("p1", 2) else None
    line.start("billing", "ticketing")
    await line.tell(*story(2, 6))
    await line.quiet("ticketing")
    assert await line.numbers("ticketing", "billing", "p1") == [0, 1]
    broken = False
    async with line.databases["ticketing"].transaction() as session:
        assert await parking.replay(session, key="p1") == 1
    await line.tell(Told(who="p1", number=6))
    await line.quiet("ticketing")
    await in_order(line, "ticketing", "billing", 1, 6)
    assert await line.numbers("ticketing", "billing", "p1") == list(range(7))
    assert await line.parked("ticketing") == []


async def test_replaying_what_still_fails_parks_it_again(line: Line) -> None:
    line.ears["ticketing"].misbehave = lambda sender, who, number: ValueError("never") if number == 1 else None
    line.start("billing", "ticketing")
    await line.tell(*story(1, 3))
    await line.quiet("ticketing")
    async with line.databases["ticketing"].transaction() as session:
        await parking.replay(session)
    await line.quiet("ticketing")
    assert await line.parked("ticketing") == [("dead", "p0", 1), ("behind", "p0", 2)]


async def test_discarding_a_dead_letter_lets_the_others_go_on(line: Line) -> None:
    line.ears["ticketing"].misbehave = lambda sender, who, number: ValueError("never") if (who, number) == ("p0", 1) else None
    line.start("billing", "ticketing")
    await line.tell(*story(1, 4))
    await line.quiet("ticketing")
    async with line.databases["ticketing"].transaction() as session:
        assert await parking.replay(session, key="p0", discard=True) == 1
    await line.quiet("ticketing")
    assert await line.numbers("ticketing", "billing", "p0") == [0, 2, 3]


@pytest.mark.parametrize("kind", [Told, Many])
async def test_a_key_that_lacks_a_fact_waits_until_it_comes(line: Line, kind: type[Told]) -> None:
    """What billing says of p0 from number 2 on needs collections' number 0; others go on, nothing is a dead letter."""
    line.ears["ticketing"].needs = lambda sender, who, number: (
        ("collections", 0) if (sender, who) == ("billing", "p0") and number >= 2 else None
    )
    line.start(*TELLERS, "ticketing")
    await line.tell(*story(3, 6, kind))
    await line.quiet("ticketing")
    assert await line.numbers("ticketing", "billing", "p0") == [0, 1]
    assert [each[0] for each in await line.parked("ticketing")] == ["waiting", "behind", "behind", "behind"]
    assert await line.numbers("ticketing", "billing", "p1") == list(range(6))
    await line.tell(Said(who="p0", number=0))
    await line.quiet("ticketing")
    assert await line.numbers("ticketing", "billing", "p0") == list(range(6))
    assert await line.parked("ticketing") == []


async def test_no_fact_slips_past_who_waits_for_it(line: Line) -> None:
    """Events and their facts cross, many times: nobody waits for ever."""
    line.ears["ticketing"].needs = lambda sender, who, number: ("collections", number) if sender == "billing" else None
    line.start(*TELLERS, "ticketing")
    for number in range(15):
        tasks = [line.tell(*(kind(who=f"p{who}", number=number) for who in range(8))) for kind in (Told, Said)]
        random.shuffle(tasks)
        await asyncio.gather(*tasks)
    await line.quiet("ticketing")
    assert await line.parked("ticketing") == []
    await in_order(line, "ticketing", "billing", 8, 15)


async def test_what_waits_is_tried_though_nothing_of_its_key_comes(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fact may come with another key."""
    monkeypatch.setattr("shared.worker.WAITING_SECONDS", 0.1)
    come: list[bool] = []
    line.ears["ticketing"].misbehave = lambda sender, who, number: None if come else FactMissing("of another key")
    line.start("billing", "ticketing")
    await line.tell(Told(who="p0", number=0))

    async def waits() -> bool:
        return await line.parked("ticketing") == [("waiting", "p0", 0)]

    await until(waits)
    come.append(True)
    await line.quiet_of("ticketing", 1)


async def test_a_receiver_that_is_down_delays_only_itself(line: Line) -> None:
    up = line.receivers["notifier"]
    away = Database("postgresql://nobody@127.0.0.1:1/nothing", service="notifier")
    line.receivers["notifier"] = Receiver(away, up.types)
    line.start("billing", "ticketing")
    told = story(3, 20)
    await line.tell(*told[:30])
    await line.quiet("ticketing")
    assert len(await line.heard("ticketing")) == 30
    assert (await line.sql("billing", "SELECT count(*) AS n FROM outbox"))[0].n == 0
    line.start("notifier")

    async def keep_telling() -> None:
        for each in told[30:]:
            await line.tell(each)

    line.receivers["notifier"] = up
    await keep_telling()
    await line.quiet()
    for name in HEARERS:
        await in_order(line, name, "billing", 3, 20)
    await away.close()


async def test_a_slow_transaction_elsewhere_delays_nobody(line: Line) -> None:
    line.start(*TELLERS, *HEARERS)
    async with line.databases["collections"].transaction() as slow:
        await line.publish(slow, Said(who="p9", number=0))
        await line.tell(*story(3, 10))
        await line.quiet("ticketing", seconds=20)
        await in_order(line, "ticketing", "billing", 3, 10)
        assert await line.heard("ticketing", "p9") == []
    await line.quiet()
    assert await line.heard("notifier", "p9") == [("collections", "p9", 0)]


async def test_a_transaction_that_commits_late_loses_nothing(line: Line) -> None:
    """Its row has an older number than rows that were sent long ago."""
    line.start("billing", "ticketing")
    async with line.databases["billing"].transaction() as late:
        await line.publish(late, Told(who="late", number=0))
        await line.tell(*story(2, 10))
        await line.quiet_of("ticketing", 20)
    await line.quiet("ticketing")
    assert await line.heard("ticketing", "late") == [("billing", "late", 0)]


async def test_two_relays_and_two_shards_keep_every_key_s_order(line: Line) -> None:
    line.start("billing", "billing", outbox_shards=2)
    line.start("ticketing")
    for _ in range(3):
        told = story(6, 20)
        for at in range(0, len(told), 13):
            await line.tell(*told[at : at + 13])
        await line.quiet("ticketing")
    heard = await line.heard("ticketing")
    for number in range(6):
        assert [n for _, who, n in heard if who == f"p{number}"] == list(range(20)) * 3
    held = await line.sql("billing", "SELECT name, holder FROM lease WHERE name LIKE 'relay/%' ORDER BY name")
    assert [row.name for row in held] == ["relay/0", "relay/1"]


async def test_what_passes_by_itself_is_retried_and_never_a_dead_letter(line: Line) -> None:
    """Six failures of one event: more than a poison is allowed."""
    ears = line.ears["ticketing"]
    ears.misbehave = lambda sender, who, number: (
        ConnectionResetError("gone") if number == 2 and ears.calls[sender, who, number] <= 6 else None
    )
    line.start("billing", "ticketing")
    await line.tell(*story(1, 5))
    await line.quiet("ticketing")
    assert ears.calls["billing", "p0", 2] == 7
    await in_order(line, "ticketing", "billing", 1, 5)
    assert await line.parked("ticketing") == []


async def test_what_never_passes_holds_up_its_key_alone_and_ends_as_a_dead_letter(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try of one event meets what ought to pass by itself; everybody else's connection is well."""
    monkeypatch.setattr("shared.inbox.PATIENCE", timedelta(seconds=3))
    broken, ears = True, line.ears["ticketing"]
    ears.misbehave = lambda sender, who, number: ConnectionResetError("gone") if broken and (who, number) == ("p1", 2) else None
    line.start("billing", "ticketing")
    await line.tell(*story(3, 6))
    await line.quiet_of("ticketing", 14)
    assert await line.numbers("ticketing", "billing", "p0") == await line.numbers("ticketing", "billing", "p2") == list(range(6))
    await line.quiet("ticketing")
    assert await line.parked("ticketing") == [("dead", "p1", 2), *(("behind", "p1", number) for number in range(3, 6))]
    broken = False
    async with line.databases["ticketing"].transaction() as session:
        assert await parking.replay(session) == 1
    await line.quiet("ticketing")
    await in_order(line, "ticketing", "billing", 3, 6)


async def test_bisecting_finds_the_ones_that_fail(line: Line) -> None:
    bad = {("p3", 5), ("p17", 0), ("p40", 9)}
    line.ears["ticketing"].misbehave = lambda sender, who, number: ValueError("never") if (who, number) in bad else None
    await line.tell(*story(50, 10, Many))
    line.start("billing", "ticketing")
    await line.quiet("ticketing")
    dead = {(who, number) for reason, who, number in await line.parked("ticketing") if reason == "dead"}
    assert dead == bad
    healthy = {f"p{number}" for number in range(50)} - {who for who, _ in bad}
    heard = await line.heard("ticketing")
    for who in healthy:
        assert [n for _, by, n in heard if by == who] == list(range(10))


async def test_a_second_worker_joins_and_leaves_in_mid_stream(line: Line) -> None:
    line.start("billing", "ticketing")
    told = story(12, 60)
    second = None
    for at in range(0, len(told), 24):
        await line.tell(*told[at : at + 24])
        if at == 240:
            second = line.start("ticketing")[0]
        if at == 480 and second:
            await line.stop(second)
        await asyncio.sleep(0.05)
    await line.quiet("ticketing")
    await in_order(line, "ticketing", "billing", 12, 60)
    assert len(await line.heard("ticketing")) == 720


async def test_a_worker_that_loses_the_race_is_fenced(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer is held inside a batch while another takes over: only one of them has effects."""
    monkeypatch.setattr("shared.kafka.source.REVOKE_SECONDS", 0.5)
    gate, entered = asyncio.Event(), asyncio.Event()
    first = line.start("ticketing")[0]
    handle = first.inbox.handle

    async def held(*args: object) -> None:
        entered.set()
        await gate.wait()
        await handle(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(first.inbox, "handle", held)
    line.start("billing")
    await line.tell(*story(12, 10))
    async with asyncio.timeout(20):
        await entered.wait()
    if first.courier_inbox:
        async with line.databases["ticketing"].transaction() as session:
            await execute(session, "UPDATE lease SET expires_at = clock_timestamp() - interval '1 s' WHERE name = 'inbox'")
    line.start("ticketing")
    await line.quiet_of("ticketing", 1)
    gate.set()
    await line.tell(*(Told(who=f"p{number}", number=10) for number in range(12)))
    await line.quiet("ticketing")
    await in_order(line, "ticketing", "billing", 12, 11)
    assert len(await line.heard("ticketing")) == 132


@pytest.mark.slow
@pytest.mark.parametrize("line", ["courier", pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True)
async def test_processes_that_are_killed_lose_nothing_and_double_nothing(line: Line) -> None:
    """A sender's and a receiver's worker, each a process of its own, are killed (-9) in the middle of their work, again and again."""
    victims: dict[str, asyncio.subprocess.Process] = {}

    async def spawn(name: str) -> None:
        given = [line.prefix, line.bootstrap or "", f"{name}-1"]
        urls = [line.databases[each].dsn for each in (*TELLERS, *HEARERS)]
        command = [sys.executable, "-m", "tests.support.victim", name, *given, *urls]
        quiet = asyncio.subprocess.DEVNULL
        victims[name] = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=quiet)
        assert (output := victims[name].stdout) is not None
        assert await output.readline() == b"ready\n"

    async def kill(name: str) -> None:
        victims[name].kill()
        await victims[name].wait()

    try:
        await asyncio.gather(spawn("billing"), spawn("ticketing"))
        told = story(10, 90, Many)
        for at in range(0, len(told), 300):
            await line.tell(*told[at : at + 300])
            already = len(await line.heard("ticketing"))
            await asyncio.sleep(random.uniform(0.1, 0.6))
            who = random.choice(["billing", "ticketing"])
            await kill(who)
            await spawn(who)
            assert already <= len(await line.heard("ticketing"))
        await line.quiet("ticketing", seconds=60)
        await in_order(line, "ticketing", "billing", 10, 90)
        assert len(await line.heard("ticketing")) == 900
    finally:
        for name in victims:
            with suppress(ProcessLookupError):
                await kill(name)
