"""What a relay holds for a receiver that is down, and what the Courier brings: nothing that the receiver does not want, in order."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from shared.courier import Courier, Receiver
from shared.db import Database, execute, rows
from shared.envelopes import to_envelope
from shared.events import Envelope
from shared.outbox import Outgoing as Out
from shared.outbox import Relay, publish_many
from shared.parking import EVENT
from tests.support.transport import NOW, Told, Unheard, envelope

Open = Callable[[str], Awaitable[Database]]
DEAF = "ticketing"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Away:
    """One receiver, of one type of event, that is down until `back`."""

    def __init__(self) -> None:
        self.back = self.broken = False
        self.asked = 0
        self.brought: list[int] = []

    async def send(self, batch: Sequence[Envelope], skip: frozenset[str], known: int) -> frozenset[str]:
        if self.broken:
            raise ConnectionResetError
        return frozenset({DEAF})

    async def send_to(self, receiver: str, batch: Sequence[Envelope], known: int) -> None:
        self.asked += 1
        if not self.back:
            raise ConnectionResetError
        self.brought += [each.sequence for each in batch]

    def types_of(self, receiver: str) -> frozenset[str]:
        return frozenset({Told.TYPE})

    async def close(self) -> None:
        """Nothing is open."""


async def tell(db: Database, *kinds: type[Told]) -> None:
    async with db.transaction() as session:
        await publish_many(session, [Out(kind(who="p", number=n), "p", n) for n, kind in enumerate(kinds, 1)], now=NOW)


async def seen(db: Database, sql: str) -> list[Any]:
    async with db.transaction() as session:
        return [row[0] for row in await rows(session, sql)]


async def test_what_a_receiver_that_is_down_wants_is_held_and_nothing_else(database: Open) -> None:
    db = await database("billing")
    relay = Relay(db, Away(), holder="one")
    await tell(db, Told, Unheard, Told)
    await relay.step()
    assert await seen(db, "SELECT type FROM outbox") == []
    assert await seen(db, "SELECT type FROM outbox_held ORDER BY id") == [Told.TYPE, Told.TYPE]


async def test_what_a_transport_does_not_take_stays(database: Open) -> None:
    """A row is deleted once it is brought, never before."""
    db, sink = await database("billing"), Away()
    sink.broken = True
    relay = Relay(db, sink, holder="one")
    await tell(db, Told, Told)
    with pytest.raises(ConnectionResetError):
        await relay.step()
    assert len(await seen(db, "SELECT id FROM outbox")) == 2
    sink.broken = False
    await relay.step()
    assert len(await seen(db, "SELECT id FROM outbox_held")) == 2


@pytest.mark.parametrize("count", [1, 3])
async def test_who_publishes_wakes_the_relay_once_it_is_committed(database: Open, count: int) -> None:
    db = await database("billing")
    bell = db.wakeup.bell("relay")
    async with db.transaction() as session:
        await publish_many(session, [Out(Told(who="p", number=n), "p", n) for n in range(1, count + 1)], now=NOW)
        assert not bell.is_set()
    assert bell.is_set()


async def test_what_is_held_goes_in_order_and_only_once_it_is_taken(database: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.outbox.AWAY_SECONDS", 0.0)
    db, sink = await database("billing"), Away()
    relay = Relay(db, sink, holder="one", batch=2)
    await tell(db, *[Told] * 5)
    while await relay.step():
        pass
    assert not await relay.redeliver()
    assert len(await seen(db, "SELECT id FROM outbox_held")) == 5
    sink.back = True
    while await relay.redeliver():
        pass
    assert sink.brought == [1, 2, 3, 4, 5]
    assert await seen(db, "SELECT id FROM outbox_held") == []


async def test_who_is_down_is_left_alone_for_a_while(database: Open) -> None:
    db, sink = await database("billing"), Away()
    relay = Relay(db, sink, holder="one")
    await tell(db, Told)
    await relay.step()
    for _ in range(3):
        await relay.redeliver()
    assert sink.asked == 1


async def test_who_leads_no_more_leaves_what_is_held_to_its_successor(database: Open) -> None:
    db, sink = await database("billing"), Away()
    relay, successor = Relay(db, sink, holder="one"), Relay(db, sink, holder="two")
    await tell(db, Told)
    await relay.step()
    async with db.transaction() as session:
        await execute(session, "UPDATE lease SET expires_at = clock_timestamp()")
    await successor.step()
    sink.back = True
    assert not await relay.redeliver()
    assert len(await seen(db, "SELECT id FROM outbox_held")) == 1
    await successor.redeliver()
    assert await seen(db, "SELECT id FROM outbox_held") == []


async def test_what_was_brought_before_a_crash_of_the_server_is_brought_once_more(database: Open) -> None:
    """It may not have been on disk. The same relay leads again before its redelivery has ended."""
    db = await database("billing")

    class Crashing(Away):
        async def send_to(self, receiver: str, batch: Sequence[Envelope], known: int) -> None:
            await super().send_to(receiver, batch, known)
            async with db.transaction() as session:
                await execute(session, "TRUNCATE lease")  # as the server does when it recovers
            relay.lease.epoch = 0  # whose step met the crash
            await relay.step()

    sink = Crashing()
    relay = Relay(db, sink, holder="one")
    await tell(db, Told)
    await relay.step()
    sink.back = True
    assert not await relay.redeliver()
    assert len(await seen(db, "SELECT id FROM outbox_held")) == 1


async def test_what_a_server_forgot_after_it_was_read_is_not_sent(database: Open) -> None:
    """Its commit was not on disk, and the process stood still until the server was back: nothing of it may be told."""
    db, ticketing = await database("billing"), await database("ticketing")
    courier = Courier({DEAF: Receiver(ticketing, frozenset({Told.TYPE}))})

    class Standing:
        crashes = False

        async def send(self, batch: Sequence[Envelope], skip: frozenset[str], known: int) -> frozenset[str]:
            if self.crashes:
                await seen(db, "TRUNCATE outbox, lease")
                await ticketing.engine.dispose()
            return await courier.send(batch, skip, known)

    sink = Standing()
    relay = Relay(db, sink, holder="one")  # type: ignore[arg-type] # it is never asked for more
    await tell(db, Told)
    while await relay.step():
        pass
    assert len(await seen(ticketing, "SELECT seq FROM inbox_pending")) == 1
    sink.crashes = True
    await tell(db, Told)
    while await relay.step():
        pass
    assert len(await seen(ticketing, "SELECT seq FROM inbox_pending")) == 1


async def test_who_leads_no_more_deletes_nothing(database: Open) -> None:
    """Its successor has not sent what this one believes to have sent: rows go with the proof only, also outside a transaction."""
    db = await database("billing")
    relay, successor = (Relay(db, Courier({}), holder=holder) for holder in ("one", "two"))
    await relay.step()
    async with db.transaction() as session:
        await execute(session, "UPDATE lease SET expires_at = clock_timestamp()")
    await successor.step()
    await tell(db, Told)
    assert not await relay.step()
    assert relay.lease.epoch == 0
    assert len(await seen(db, "SELECT id FROM outbox")) == 1
    await successor.step()
    assert await seen(db, "SELECT id FROM outbox") == []


async def test_what_one_receiver_got_stays_held_for_another(database: Open) -> None:
    class Two(Away):
        """Two receivers that are down, of which one comes back."""

        async def send(self, batch: Sequence[Envelope], skip: frozenset[str], known: int) -> frozenset[str]:
            return frozenset({DEAF, "notifier"})

        async def send_to(self, receiver: str, batch: Sequence[Envelope], known: int) -> None:
            if receiver != DEAF:
                raise ConnectionResetError

    db = await database("billing")
    relay = Relay(db, Two(), holder="one")
    await tell(db, Told, Told)
    await relay.step()
    await relay.redeliver()
    assert await seen(db, "SELECT receiver FROM outbox_held") == ["notifier", "notifier"]


async def test_a_key_is_one_shards_whatever_it_is_about(database: Open) -> None:
    """The order is the key's: two of its aggregates in two shards could overtake each other."""
    db = await database("billing")
    relays = [Relay(db, Courier({}), holder="one", shard=shard, shards=2) for shard in (0, 1)]
    async with db.transaction() as session:
        await publish_many(session, [Out(Told(who="p", number=n), f"invoice/{n}", 1) for n in range(20)], now=NOW)
    left = [20]
    for relay in relays:
        await relay.step()
        left.append(len(await seen(db, "SELECT id FROM outbox")))
    assert left in ([20, 20, 0], [20, 0, 0])


async def test_the_courier_brings_an_event_as_it_was_told_and_wakes_who_handles_it(database: Open) -> None:
    ticketing = await database("ticketing")
    told = envelope(Told(who="p", number=1), "billing").model_copy(update={"traceparent": TRACE})
    bell = ticketing.wakeup.bell("inbox")
    await Courier({DEAF: Receiver(ticketing, frozenset({Told.TYPE}))}).send([told], frozenset(), sys.maxsize)
    assert bell.is_set()
    async with ticketing.transaction() as session:
        assert [to_envelope(row) for row in await rows(session, f"SELECT {EVENT} FROM inbox_pending")] == [told]


async def test_the_courier_brings_only_what_is_wanted(database: Open) -> None:
    billing, ticketing = await database("billing"), await database("ticketing")
    relay = Relay(billing, Courier({DEAF: Receiver(ticketing, frozenset({Told.TYPE}))}), holder="one")
    await tell(billing, Unheard, Told)
    while await relay.step():
        pass
    assert await seen(ticketing, "SELECT type FROM inbox_pending") == [Told.TYPE]
