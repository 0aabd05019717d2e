"""F7, F8, F12: what Kafka brings comes three times and in disorder, or is no event at all; and Kafka is away."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import ConsumerRecord

from deploy.kafka import local
from services.migrate import SERVICES
from shared.db import new_id
from shared.kafka.cluster import from_record
from tests.faults.fault import Fault, Injected
from tests.faults.stage import Stage

COPIES = 3
DOWN_SECONDS = (3, 10, 30)
LARGE, SMALL, UNREAD, ASIDE_SECONDS = 10_000_000, 1_000_000, "poison", 60.0
HEARERS = ("collections", "ticketing", "noc", "notifier")  # of billing's topic
READERS = ("collections", "ticketing", "notifier")  # of its payments
DEAD_IDS = "SELECT event_id::text AS id FROM parked_event WHERE reason = 'dead'"
LAST = 400  # records of each partition that are brought again


async def told(stage: Stage, last: int | None = None) -> list[ConsumerRecord]:
    """The records in the five topics (the last so many of each partition), in the order of each partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=stage.bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=32_000_000)
    await consumer.start()
    try:
        parts = [TopicPartition(f"{stage.prefix}{name}.events", number) for name in SERVICES for number in range(2)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        for each in parts:
            consumer.seek(each, max(0, ends[each] - last) if last is not None else 0)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(each) < ends[each] for each in parts]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
        return found
    finally:
        await consumer.stop()


async def send_again(stage: Stage, records: Sequence[ConsumerRecord]) -> None:
    """Bring these records once more, as they were, in the order given."""
    producer = AIOKafkaProducer(bootstrap_servers=stage.bootstrap, linger_ms=20)
    await producer.start()
    try:
        sent = [
            await producer.send(each.topic, each.value, key=each.key, partition=each.partition, headers=list(each.headers))
            for each in records
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def bring_three_times(stage: Stage, chance: random.Random) -> Injected:
    """What was told lately comes three times more, mixed across keys, while new events come too."""
    records = await told(stage, LAST)
    copies = [each for each in records if from_record(each)[1] is None and len(each.value) < SMALL] * COPIES
    chance.shuffle(copies)
    await send_again(stage, copies)
    return Injected(f"{len(copies)} deliveries again", times=len(copies))


async def stop_broker(stage: Stage, chance: random.Random) -> Injected:
    """The broker is stopped or killed, and comes back with its data."""
    assert stage.broker is not None
    seconds, kill = chance.choice(DOWN_SECONDS), chance.random() < 0.5
    await asyncio.to_thread(local.stop, stage.broker, kill=kill)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(local.start, stage.broker)
    return Injected(f"Kafka {'killed' if kill else 'stopped'}, away for {seconds} s")


async def bring_poison(stage: Stage, chance: random.Random) -> Injected:
    """Between good events: one that no model reads, one without headers and key, and one of ten megabytes. A person looks, tries the first
    once more, and then gives them all up; what waited behind them goes on by itself."""
    (row,) = await stage.look("collections", "SELECT id::text AS id FROM account ORDER BY random() LIMIT 1")
    customer, large = row["id"], f"{UNREAD}-{new_id()}"
    topic = f"{stage.prefix}billing.events"
    await _let_large_records_in(stage, topic)
    producer = AIOKafkaProducer(bootstrap_servers=stage.bootstrap, max_request_size=2 * LARGE)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b'{"nothing": "of it"}', key=customer.encode(), headers=_headers(large))
        nameless = await producer.send_and_wait(topic, b"\x00\xff")
        await producer.send_and_wait(topic, b"x" * LARGE, key=large.encode(), headers=_headers(large))
    finally:
        await producer.stop()
    place = f"{topic}/{nameless.partition}/{nameless.offset}"
    poison = {service: {place, customer, large} if service in READERS else {place} for service in HEARERS}
    wrong = await _set_aside(stage, poison)
    for service in READERS:
        await stage.house.post(f"/{service}/dead-letters/{customer}/replay", {})
    wrong += await _set_aside(stage, poison)
    for service, keys in poison.items():
        stage.strangers.update(row["id"] for row in await stage.look(service, DEAD_IDS))
        for key in sorted(keys):
            await stage.house.post(f"/{service}/dead-letters/{quote(key)}/discard", {})
    return Injected("three poisoned records", times=3, wrong=wrong)


async def _set_aside(stage: Stage, poison: Mapping[str, set[str]]) -> list[str]:
    """Wait until every hearer has set aside what is poison to it; what is set aside besides is wrong."""
    deadline = time.monotonic() + ASIDE_SECONDS
    while True:
        aside = {service: await _letters(stage, service) for service in poison}
        if all(keys <= aside[service] for service, keys in poison.items()):
            return [f"{service} set {each} aside, which is no poison" for service, keys in poison.items() for each in aside[service] - keys]
        if time.monotonic() > deadline:
            return [f"the poison is not set aside after {ASIDE_SECONDS:.0f} s: {aside}"]
        await asyncio.sleep(0.1)


async def _letters(stage: Stage, service: str) -> set[str]:
    return {row["key"] for row in await stage.look(service, "SELECT key FROM parked_event WHERE reason = 'dead'")}


def _headers(subject: str) -> list[tuple[str, bytes]]:
    said = {"ce_specversion": "1.0", "ce_id": str(new_id()), "ce_type": "billing.payment_reported.v1", "ce_source": "billing"}
    said |= {"ce_subject": subject, "ce_sequence": "1", "ce_time": "2026-03-01T00:00:00Z"}
    return [(name, value.encode()) for name, value in said.items()]


async def _let_large_records_in(stage: Stage, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.bootstrap)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(2 * LARGE)})])
    finally:
        await admin.close()


AWAY = Fault("F8", "Kafka is away", "the one broker is stopped or `kill -9`ed for 3, 10 or 30 s, and comes back", stop_broker, 30)
FAULTS = (
    Fault(
        "F7",
        "deliveries repeated and shuffled",
        "the last events of each partition are brought three times more, shuffled, among new ones",
        bring_three_times,
        10,
    ),
    Fault(
        "F12",
        "poison",
        "among good events one of a customer that no model reads, one without headers and key, one of 10 MB; a person replays and discards",
        bring_poison,
        10,
    ),
)
