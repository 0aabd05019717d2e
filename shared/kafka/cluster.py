"""What every Kafka client of ours needs: bounded waiting, topic names, topics that exist, and CloudEvents 1.0 in binary mode."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid5

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.events import Envelope
from shared.settings import Settings

T = TypeVar("T")
TIMEOUT_SECONDS = 15.0
MALFORMED = UUID("6f1c3f4e-5a5e-4d0f-9d3b-6a4f1f0b7c11")
Headers = Sequence[tuple[str, bytes]]


async def within(seconds: float, work: Awaitable[T]) -> T:
    """Wait no longer than this, even for what ignores its cancellation: this library can hang for ever when brokers are gone."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        raise TimeoutError(f"Kafka did not answer within {seconds} s")
    return task.result()


def topic_of(settings: Settings, sender: str) -> str:
    """The topic in which a service speaks."""
    return f"{settings.kafka_prefix}{sender}.events"


def client_options(settings: Settings) -> dict[str, Any]:
    """What all clients are told."""
    return {
        "bootstrap_servers": settings.kafka_bootstrap,
        "client_id": f"reconecta-{settings.service}",
        "request_timeout_ms": 10_000,
        "retry_backoff_ms": 100,
        "metadata_max_age_ms": 30_000,
    }


async def ensure_topics(settings: Settings, senders: Iterable[str]) -> dict[str, int]:
    """Make the topics of these services where they are missing; answer how many partitions each has."""
    topics = sorted(topic_of(settings, sender) for sender in senders)
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await within(TIMEOUT_SECONDS, admin.start())
        known = set(await within(TIMEOUT_SECONDS, admin.list_topics()))
        if missing := [topic for topic in topics if topic not in known]:
            await _create(admin, settings, missing)
        return await _partitions(admin, topics)
    finally:
        await within(TIMEOUT_SECONDS, admin.close())


async def _create(admin: AIOKafkaAdminClient, settings: Settings, topics: Sequence[str]) -> None:
    wanted = [NewTopic(topic, settings.kafka_partitions, settings.kafka_replication) for topic in topics]
    answer = await within(TIMEOUT_SECONDS, admin.create_topics(wanted))
    for topic, code, *_ in answer.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise for_code(code)(f"topic {topic}")


async def _partitions(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    """Brokers learn of a new topic a moment after it is made."""
    for _ in range(50):
        found = await within(TIMEOUT_SECONDS, admin.describe_topics(list(topics)))
        counts = {each["topic"]: len(each["partitions"]) for each in found if not each["error_code"]}
        if all(counts.get(topic) for topic in topics):
            return counts
        await asyncio.sleep(0.1)
    raise TimeoutError(f"topics without partitions: {topics}")


def to_headers(event: Envelope) -> Headers:
    """The event's CloudEvents attributes."""
    pairs = [
        ("ce_specversion", "1.0"),
        ("ce_id", str(event.id)),
        ("ce_type", event.type),
        ("ce_source", event.source),
        ("ce_subject", event.subject),
        ("ce_sequence", str(event.sequence)),
        ("ce_time", event.time.astimezone(UTC).isoformat().replace("+00:00", "Z")),
        ("content-type", "application/json"),
    ]
    if event.traceparent:
        pairs.append(("traceparent", event.traceparent))
    return [(name, value.encode()) for name, value in pairs]


def from_record(record: Any) -> tuple[Envelope, str | None]:
    """A Kafka record as an event, and why it is none: then the event holds what there is, for people to look at."""
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    try:
        return _envelope(record, headers), None
    except (KeyError, ValueError) as error:
        detail = f"header {error} is missing" if isinstance(error, KeyError) else str(error)
        return _remains(record, headers), detail


def _envelope(record: Any, headers: Mapping[str, str]) -> Envelope:
    time = datetime.fromisoformat(headers["ce_time"])
    if time.tzinfo is None:
        raise ValueError("ce_time has no offset")
    if record.key is None or record.value is None:
        raise ValueError("the record has no key or no value")
    if not 0 < int(headers["ce_sequence"]) < 2**31:
        raise ValueError("ce_sequence is out of range")
    if b"\x00" in record.key + record.value or any("\x00" in text for text in headers.values()):
        raise ValueError("a NUL is no text")
    return Envelope.model_construct(
        id=UUID(headers["ce_id"]),
        type=headers["ce_type"],
        source=headers["ce_source"],
        subject=headers["ce_subject"],
        sequence=int(headers["ce_sequence"]),
        key=record.key.decode(),
        time=time.astimezone(UTC),
        traceparent=headers.get("traceparent"),
        data=record.value.decode(),
    )


def _remains(record: Any, headers: Mapping[str, str]) -> Envelope:
    """Enough to look at and to discard. Without a key it can keep nobody waiting but itself."""
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return Envelope.model_construct(
        id=uuid5(MALFORMED, place),
        type=_text(headers.get("ce_type", "unknown")),
        source=_text(headers.get("ce_source", "unknown")),
        subject=_text(headers.get("ce_subject", place)),
        sequence=0,
        key=_text(record.key) if record.key else place,
        time=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        traceparent=None,
        data=_text(record.value or b""),
    )


def _text(value: str | bytes) -> str:
    """What PostgreSQL takes as text."""
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else value).replace("\x00", "�")
