"""What is Kafka's alone: headers, records that are no events, brokers that die, offsets that rule, and the lag that counts everything."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import MetaData

from deploy.kafka import local
from shared.clock import SystemClock
from shared.db import Database, execute
from shared.inbox import Arrival, Inbox
from shared.kafka import KafkaLag, KafkaSink, KafkaSource, ensure_topics, from_record, offsets, to_headers, topic_of
from shared.kafka.cluster import client_options, within
from shared.kafka.offsets import Mark
from shared.lease import Fenced
from shared.routing import EventRouter
from shared.service import Service
from tests.support.service import operator, serve
from tests.support.transport import HEARERS, TELLERS, Line, Said, Told, clean, envelope, prepare, until

Open = Callable[[str], Awaitable[Database]]


def record(headers: Sequence[tuple[str, bytes]], value: bytes | None = b"{}", key: bytes | None = b"k", offset: int = 7) -> Any:
    return SimpleNamespace(topic="t", partition=2, offset=offset, timestamp=1_772_000_000_000, headers=headers, key=key, value=value)


def test_headers_carry_the_whole_envelope() -> None:
    event = envelope(Told(who="Ñandú", number=1), "billing").model_copy(update={"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"})
    found, fault = from_record(record(to_headers(event), event.data.encode(), event.key.encode()))
    assert fault is None
    assert found == event


def test_the_headers_are_those_of_the_golden_samples() -> None:
    sample = json.loads(Path("tests/contracts/golden/billing.invoice_paid.v1.json").read_text())
    event, fault = from_record(record([(name, value.encode()) for name, value in sample["headers"].items()], b"{}", b"k"))
    assert fault is None
    assert {name: value.decode() for name, value in to_headers(event)} == sample["headers"]


WHOLE = dict(to_headers(envelope(Told(who="a", number=1), "billing")))


@pytest.mark.parametrize(
    "change",
    [
        {"ce_id": None},
        {"ce_id": b"17"},
        {"ce_type": None},
        {"ce_source": None},
        {"ce_sequence": b"one"},
        {"ce_sequence": b"99999999999"},
        {"ce_time": b"2026-03-01T00:00:00"},
        {"ce_time": b"soon"},
        {"ce_subject": b"a\x00b"},
    ],
)
def test_a_record_that_is_no_event_says_why_and_keeps_its_key(change: dict[str, bytes | None]) -> None:
    headers = [(name, value) for name, value in (WHOLE | change).items() if value is not None]
    found, fault = from_record(record(headers))
    assert fault
    assert found.key == "k"
    again, _ = from_record(record(headers))
    assert again.id == found.id, "a second copy is the same dead letter"


def test_without_a_key_it_keeps_nobody_but_itself_waiting() -> None:
    found, fault = from_record(record([], None, None))
    assert fault
    assert found.key == "t/2/7"


async def test_waiting_ends_even_for_what_ignores_its_cancellation() -> None:
    allowed = asyncio.Event()
    asyncio.get_running_loop().call_later(20, allowed.set)

    async def stubborn() -> None:
        while not allowed.is_set():
            with suppress(asyncio.CancelledError):
                await allowed.wait()

    with pytest.raises(TimeoutError):
        await within(0.1, stubborn())
    assert not allowed.is_set(), "it was not waited for"
    allowed.set()


async def test_only_the_partition_that_lost_its_records_begins_anew(database: Open) -> None:
    db = await database("ticketing")
    async with db.transaction() as session:
        await offsets.begin(session, {("told", 0): 7, ("told", 1): 8, ("said", 0): 9})
        await offsets.reset(session, {("told", 0): 0})
        found = await offsets.stored(session, ["told", "said"])
        await execute(session, "DELETE FROM consumed_offset")
    assert found == {("told", 0): 0, ("told", 1): 8, ("said", 0): 9}


async def test_only_who_continues_where_the_last_commit_ended_may_commit(database: Open) -> None:
    """Two consumers believe to own a partition; the batch of the second one is older than what the first has committed."""
    db = await database("ticketing")
    one, two = ("t", 0), ("t", 1)
    async with db.transaction() as session:
        assert await offsets.begin(session, {one: 5, two: 0}) == {one: 5, two: 0}
    async with db.transaction() as session:
        await offsets.advance(session, [Mark(one, 5, 6), Mark(two, 0, 3), Mark(one, 6, 9)])
    for stale in ([Mark(one, 5, 7)], [Mark(two, 3, 4), Mark(one, 8, 10)], [Mark(("t", 2), 0, 1)]):
        with pytest.raises(Fenced):
            async with db.transaction() as session:
                await offsets.advance(session, stale)
    async with db.transaction() as session:
        assert await offsets.begin(session, {one: 0, two: 0}) == {one: 9, two: 3}


@pytest.fixture
async def line(kafka_bootstrap: str, database: Open) -> AsyncIterator[Line]:
    opened = {name: await database(name) for name in (*TELLERS, *HEARERS)}
    for name in HEARERS:
        await prepare(opened[name])
    made = Line("kafka", opened, kafka_bootstrap)
    yield made
    await made.stop()
    for name in HEARERS:
        await clean(opened[name])


async def send_raw(line: Line, *records: tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]) -> None:
    """Bring (key, value, headers) into billing's topic, as some other program might."""
    await ensure_topics(line.settings("billing"), ["billing"])
    producer = AIOKafkaProducer(bootstrap_servers=line.bootstrap)
    await producer.start()
    for key, value, headers in records:
        await producer.send_and_wait(topic_of(line.settings("billing"), "billing"), value, key=key, headers=headers)
    await producer.stop()


def headers_of(event: Told, **change: bytes) -> list[tuple[str, bytes]]:
    return list((dict(to_headers(envelope(event, "billing"))) | change).items())


@pytest.mark.kafka
async def test_what_is_no_event_becomes_a_dead_letter_and_stops_nobody(line: Line) -> None:
    good = Told(who="p0", number=0)
    await send_raw(
        line,
        (b"p1", b"{}", []),
        (b"p2", b"not json", headers_of(Told(who="p2", number=0))),
        (b"p0", good.model_dump_json().encode(), headers_of(good)),
        (b"p3", b"\xff\xfe\x00", headers_of(Told(who="p3", number=0))),
        (None, b"{}", [("ce_type", b"elsewhere.happened.v1")]),
        (b"p4", b"whatever", headers_of(Told(who="p4", number=0), ce_type=b"billing.unheard.v1")),
    )
    line.start("ticketing")
    await line.quiet("ticketing")
    assert await line.heard("ticketing") == [("billing", "p0", 0)]
    found = await line.sql("ticketing", "SELECT reason, key, detail FROM parked_event ORDER BY key")
    assert [(row.reason, row.key) for row in found] == [("dead", "p1"), ("dead", "p2"), ("dead", "p3")]
    assert all(f"[{line.prefix}billing.events/" in row.detail for row in found), "where it was"


@pytest.mark.kafka
async def test_topics_are_made_once_and_keep_their_partitions(line: Line) -> None:
    settings = line.settings("billing", kafka_partitions=3)
    found = await asyncio.gather(*(ensure_topics(settings, ["billing", "noc"]) for _ in range(3)))
    assert {tuple(sorted(each.values())) for each in found} == {(3, 3)}
    assert set((await ensure_topics(line.settings("billing", kafka_partitions=5), ["billing"])).values()) == {3}


@pytest.mark.kafka
async def test_the_stored_offset_rules_over_kafka_s_own(line: Line) -> None:
    """Kafka is told that all was consumed; what PostgreSQL has not, is handled all the same."""
    first = line.start("billing", "ticketing")[1]
    await line.tell(Told(who="p0", number=0))
    await line.quiet("ticketing")
    await line.stop(first)
    await line.tell(Told(who="p0", number=1), Told(who="p1", number=0))
    topic = topic_of(line.settings("billing"), "billing")

    async def sent() -> bool:
        return not (await line.sql("billing", "SELECT count(*) AS n FROM outbox"))[0].n

    await until(sent)
    liar = AIOKafkaConsumer(bootstrap_servers=line.bootstrap, group_id=f"{line.prefix}ticketing", enable_auto_commit=False)
    await liar.start()
    partitions = [TopicPartition(topic, number) for number in range(4)]
    liar.assign(partitions)
    await liar.commit(await liar.end_offsets(partitions))
    await liar.stop()
    line.start("ticketing")
    await line.quiet("ticketing")
    assert sorted(await line.heard("ticketing")) == [("billing", "p0", 0), ("billing", "p0", 1), ("billing", "p1", 0)]


@pytest.mark.kafka
async def test_who_is_fenced_goes_on_where_the_other_stopped(line: Line) -> None:
    """Another process has handled the next event of the partition; nothing tells this one but its own commit that fails."""
    line.start("billing", "ticketing")
    await line.tell(Told(who="p0", number=0))
    await line.quiet("ticketing")
    await line.sql("ticketing", "UPDATE consumed_offset SET next_offset = next_offset + 1 WHERE next_offset > 0 RETURNING 1")
    await line.tell(Told(who="p0", number=1), Told(who="p0", number=2))
    await line.quiet("ticketing")
    assert await line.heard("ticketing") == [("billing", "p0", 0), ("billing", "p0", 2)]


async def test_what_came_of_a_partition_that_was_not_begun_is_fetched_again(database: Open) -> None:
    """Its offset is not known yet: to pass over its records would lose them."""
    line = Line("kafka", {"ticketing": await database("ticketing")}, "127.0.0.1:1")
    source, known, unknown = KafkaSource(line.settings("ticketing"), _inbox(line)), TopicPartition("t", 0), TopicPartition("t", 1)
    async with line.databases["ticketing"].transaction() as session:
        source._next |= await offsets.begin(session, {("t", 0): 7})
    await source._handle({unknown: [record([])], known: [record([])]})
    assert source._lost and source._next == {("t", 0): 7}


async def test_what_was_fetched_before_a_seek_is_not_taken_for_what_comes_next(database: Open) -> None:
    """From further on it would lose what lies between, from further back it comes out of turn. A hole that stays is the log's."""
    line = Line("kafka", {"ticketing": await database("ticketing")}, "127.0.0.1:1")
    source, mine = KafkaSource(line.settings("ticketing"), _inbox(line)), TopicPartition("t", 0)
    async with line.databases["ticketing"].transaction() as session:
        source._next |= await offsets.begin(session, {("t", 0): 7})
    for offset in (9, 5, 5, 9):
        source._lost = False
        await source._handle({mine: [record([], offset=offset)]})
        assert source._lost and source._next == {("t", 0): 7}
    source._lost = False
    await source._handle({mine: [record([], offset=9)]})
    assert not source._lost and source._next == {("t", 0): 10}


async def test_offsets_move_with_the_effects_or_not_at_all(database: Open) -> None:
    line = Line("kafka", {"ticketing": await database("ticketing")}, "127.0.0.1:1")
    source, db = KafkaSource(line.settings("ticketing"), _inbox(line)), line.databases["ticketing"]
    async with db.transaction() as session:
        await offsets.begin(session, {("t", 0): 7})
    with pytest.raises(RuntimeError):  # noqa: PT012
        async with db.transaction() as session:
            await source._settle(session, [Arrival(envelope(Told(who="a", number=1), "billing"), Mark(("t", 0), 7, 8))])
            raise RuntimeError
    async with db.transaction() as session:
        assert await offsets.stored(session, ["t"]) == {("t", 0): 7}


async def test_who_loses_its_partitions_ends_its_batch_first_and_knows_nothing_of_them_any_more(database: Open) -> None:
    """And what was fetched for them meanwhile is left to their next owner."""
    line = Line("kafka", {"ticketing": await database("ticketing")}, "127.0.0.1:1")
    source, brought = KafkaSource(line.settings("ticketing"), _inbox(line)), list[int]()

    class Client:
        """A consumer that has something for us."""

        async def getmany(self, **options: Any) -> Any:
            brought.append(len(brought))
            return {TopicPartition("t", 0): [record([])]}

    source._consumer, source._next = cast("Any", Client()), {("t", 0): 7}
    source._moved_at = source._checked_at = asyncio.get_running_loop().time()
    source._idle.clear()
    revoked = asyncio.create_task(source.on_partitions_revoked([]))
    await asyncio.sleep(0.05)
    assert not revoked.done() and source._next == {("t", 0): 7}, "the batch is under way"
    assert await source.step() and brought
    assert source._next == {("t", 0): 7} and not source._lost, "nothing of what came meanwhile was looked at"
    source._idle.set()
    await revoked
    assert source._next == {}


async def test_one_batch_of_a_partition_at_a_time(database: Open) -> None:
    """The next one is not sent before the one before it is acknowledged."""
    line = Line("kafka", {"billing": await database("billing")}, "127.0.0.1:1")
    under_way = list[asyncio.Future[None]]()

    class Batch:
        """Room for one record."""

        full = False

        def append(self, **record: Any) -> bool:
            self.full, there_was_room = True, not self.full
            return there_was_room

    class Producer:
        """Acknowledges when the test says so."""

        create_batch = Batch

        async def send_batch(self, *batch: Any, **options: Any) -> asyncio.Future[None]:
            under_way.append(asyncio.get_running_loop().create_future())
            return under_way[-1]

    events = [envelope(Told(who="a", number=number), "billing") for number in range(3)]
    sending = asyncio.create_task(KafkaSink(line.settings("billing"))._in_turn(cast("Any", Producer()), 0, events))
    for sent in (1, 2, 3):
        await asyncio.sleep(0.02)
        assert len(under_way) == sent
        assert not sending.done()
        under_way[-1].set_result(None)
    await sending


@pytest.mark.kafka
async def test_a_topic_that_lost_what_we_stored_begins_anew(line: Line) -> None:
    """As after it was deleted and made again: the stored offset points behind its end."""
    await ensure_topics(line.settings("ticketing"), TELLERS)
    topic = topic_of(line.settings("billing"), "billing")
    async with line.databases["ticketing"].transaction() as session:
        sql = "INSERT INTO consumed_offset (topic, partition, next_offset) SELECT $1, n, 1000 FROM generate_series(0, 3) AS n"
        await execute(session, sql, topic)
    line.start("billing", "ticketing")
    await line.tell(Told(who="p0", number=0))
    await line.quiet("ticketing")
    assert await line.heard("ticketing") == [("billing", "p0", 0)]


@pytest.mark.kafka
@pytest.mark.slow
async def test_a_topic_that_is_made_anew_while_it_is_read_is_read_from_its_beginning(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when more is brought into it at once than the old one had: its records are not taken for those that were read before."""
    for module in ("source", "sink"):  # clients find it out when they ask the cluster what there is: usually every half a minute
        monkeypatch.setattr(f"shared.kafka.{module}.client_options", lambda given: client_options(given) | {"metadata_max_age_ms": 1000})
    line.start("billing", "ticketing")
    await line.tell(*(Told(who="p0", number=number) for number in range(3)))
    await line.quiet("ticketing")
    admin = AIOKafkaAdminClient(bootstrap_servers=line.bootstrap)
    await admin.start()
    await admin.delete_topics([topic_of(line.settings("billing"), "billing")])
    await admin.close()
    await line.tell(*(Told(who="p0", number=number) for number in range(3, 40)))
    await line.quiet("ticketing")
    assert await line.heard("ticketing") == [("billing", "p0", number) for number in range(40)]


@pytest.mark.kafka
async def test_the_lag_counts_every_event_that_is_not_handled(line: Line) -> None:
    lag = KafkaLag(line.settings("ticketing"), line.databases["ticketing"], ["billing", "collections"])
    assert await lag() == 0
    workers = line.start(*TELLERS)
    await line.tell(*(Told(who=f"p{number}", number=0) for number in range(5)))
    await line.tell(Said(who="p0", number=0))

    async def all_there() -> bool:
        return await lag() == 6

    await until(all_there)
    line.start("ticketing")
    await line.quiet("ticketing")
    assert await lag() == 0
    await line.stop(*workers)
    await lag.close()


async def test_a_lag_that_cannot_be_counted_is_an_error_and_not_zero(database: Open) -> None:
    db = await database("ticketing")
    line = Line("kafka", {"ticketing": db}, "127.0.0.1:1")
    lag = KafkaLag(line.settings("ticketing"), db, ["billing"])
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        await lag()


async def test_without_a_broker_all_other_gauges_are_told(database: Open) -> None:
    """That is when somebody looks at them."""
    async with serve(Service("noc", "", EventRouter(), MetaData()), await database("noc"), datetime(2026, 3, 1, 6, tzinfo=UTC)) as served:
        line = Line("kafka", {"noc": served.runtime.database}, "127.0.0.1:1")
        served.runtime.lag = KafkaLag(line.settings("noc"), served.runtime.database, ["billing"])
        answer = await served.as_("admin").get("/metrics")
    assert answer.status_code == 200
    assert 'reconecta_inbox_lag_events{service="noc"} NaN' in answer.text
    assert 'reconecta_outbox_events{service="noc"} 0.0' in answer.text


async def test_without_a_broker_a_sink_says_so_within_bounds(database: Open) -> None:
    line = Line("kafka", {"billing": await database("billing")}, "127.0.0.1:1")
    sink = KafkaSink(line.settings("billing"))
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        await sink.send([envelope(Told(who="a", number=0), "billing")])
    await sink.close()


@pytest.mark.kafka
async def test_a_producer_that_fails_is_thrown_away(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = KafkaSink(line.settings("billing"))
    await sink.send([envelope(Told(who="a", number=0), "billing")])
    broken = sink._producer
    assert broken is not None

    async def fail(*args: Any, **options: Any) -> None:
        raise RuntimeError("out of order sequence number")

    monkeypatch.setattr(broken, "send_batch", fail)
    with pytest.raises(RuntimeError):
        await sink.send([envelope(Told(who="a", number=1), "billing")])
    await sink.send([envelope(Told(who="a", number=1), "billing")])
    assert sink._producer is not broken
    await sink.close()


@pytest.mark.kafka
async def test_a_consumer_without_an_assignment_is_rebuilt_and_the_second_time_gives_up(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.kafka.source.STUCK_SECONDS", 0.2)
    monkeypatch.setattr("shared.kafka.source.POLL_MS", 50)
    ended: list[bool] = []
    source = KafkaSource(line.settings("ticketing"), _inbox(line), give_up=lambda: ended.append(True))

    async def never(*args: Any) -> None:
        """The group never answers."""

    monkeypatch.setattr(source, "on_partitions_assigned", never)
    await source.step()
    first = source._consumer
    async with asyncio.timeout(60):
        while not ended:
            await source.step()
    assert source._consumer is not first
    await source.close()


def _inbox(line: Line) -> Inbox:
    return Inbox(line.databases["ticketing"], line.ears["ticketing"].router(), operator(), SystemClock())


@pytest.mark.kafka
@pytest.mark.slow
async def test_a_broker_that_dies_and_comes_back_costs_time_and_no_event(database: Open, tmp_path: Path) -> None:
    """A broker of this test's own is killed (-9) twice in mid-stream; nobody restarts anything of ours."""
    if reason := local.missing():
        pytest.skip(f"no Kafka of our own: {reason}")
    folder = tmp_path / "kafka"
    bootstrap = await asyncio.to_thread(local.start, folder)
    opened = {name: await database(name) for name in (*TELLERS, *HEARERS)}
    await prepare(opened["ticketing"])
    line = Line("kafka", opened, bootstrap)
    try:
        line.start("billing", "ticketing")
        for number in range(90):
            await line.tell(*(Told(who=f"p{who}", number=number) for who in range(5)))
            await asyncio.sleep(0.02)
            if number in (30, 60):
                await asyncio.to_thread(local.stop, folder, kill=True)
                await asyncio.sleep(0.5)
                assert await asyncio.to_thread(local.start, folder) == bootstrap
        await line.quiet("ticketing", seconds=90)
        for who in range(5):
            assert await line.numbers("ticketing", "billing", f"p{who}") == list(range(90))
    finally:
        await line.stop()
        await asyncio.to_thread(local.stop, folder, kill=True)
        await clean(opened["ticketing"])
