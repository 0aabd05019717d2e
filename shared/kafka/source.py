"""Events in: a consumer of the group `<service>` that believes the offsets in PostgreSQL and no others.

# Note [Two owners of one partition]
During a rebalance two processes can believe to own a partition. Each batch moves the stored offset from where the last commit left it, in
the transaction of its effects; so whoever comes second is fenced, abandons its batch and looks again. Kafka's generations are not trusted.

# Note [What was fetched before a seek]
A client that is told where to go on may still bring what it had fetched before, from further on. So records must begin where the last ones
ended; else we look again. A hole that is there a second time is the log's own (its retention, or somebody compacts the topic).

# Note [Another log in the topic's place]
A topic that was deleted and made anew counts from nought, and may have more records than we had consumed of the old one. Who consumed that
knows when its last record was written: a log whose oldest record is younger is another one, and is read from its start.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.discretion import told
from shared.inbox import BATCH, Arrival, Inbox
from shared.kafka import offsets
from shared.kafka.cluster import TIMEOUT_SECONDS, client_options, ensure_topics, from_record, topic_of, within
from shared.kafka.offsets import Mark, Partition
from shared.lease import Fenced
from shared.log import get_logger
from shared.settings import Settings

log = get_logger("kafka source")
POLL_MS = 500
REVOKE_SECONDS = 10.0
ADVISE_SECONDS = 5.0
STUCK_SECONDS = 60.0
CLOSE_SECONDS = 5.0
FOREVER = 2**63
GONE, ANOTHER = "records are gone that were never consumed", "another log in the topic's place: from its start"


def end_this_process() -> None:
    """Ask for an orderly stop; whoever started the process starts it anew."""
    os.kill(os.getpid(), signal.SIGTERM)


class KafkaSource(ConsumerRebalanceListener):  # type: ignore[misc]
    """Consumes what one service listens to and hands it to its inbox, one transaction per batch."""

    def __init__(self, settings: Settings, inbox: Inbox, *, batch: int = BATCH, give_up: Callable[[], None] = end_this_process) -> None:
        self._settings, self._inbox, self._batch, self._give_up = settings, inbox, batch, give_up
        self._topics = [topic_of(settings, sender) for sender in sorted(inbox.router.senders)]
        self._consumer: AIOKafkaConsumer | None = None
        self._next: dict[Partition, int] = {}
        self._seen: dict[Partition, int] = {}  # when the last record that we consumed was written (Kafka's milliseconds)
        self._idle = asyncio.Event()
        self._idle.set()
        self._rebalancing = self._lost = False
        self._moved_at = self._advised_at = self._checked_at = 0.0
        self._asked_at: float | None = None  # since when the group owes us an assignment
        self._stuck_before = False
        self._hole: tuple[Partition, int, int] | None = None

    async def step(self) -> bool:
        """Fetch and handle one batch; waits up to POLL_MS for one. Always True: the next step waits by itself."""
        consumer = self._consumer or await self._build()
        if self._lost:
            await self._look_again(consumer)
        if await self._is_stuck(consumer):
            await self._rebuild()
            return True
        found = await within(TIMEOUT_SECONDS, consumer.getmany(timeout_ms=POLL_MS, max_records=self._batch))
        if not found or self._rebalancing:  # what was fetched for partitions that are being revoked is fetched again by its next owner
            return True
        self._moved_at, self._stuck_before = asyncio.get_running_loop().time(), False
        self._idle.clear()
        try:
            await self._handle(found)
        finally:
            self._idle.set()
        await self._advise(consumer)
        return True

    async def close(self) -> None:
        """Leave the group; its partitions go to the others at once."""
        consumer, self._consumer, self._next = self._consumer, None, {}
        if consumer is None:
            return
        await self._advise(consumer, at_once=True)
        with contextlib.suppress(Exception):
            await within(CLOSE_SECONDS, consumer.stop())
            return
        with contextlib.suppress(Exception):
            await within(CLOSE_SECONDS, consumer._client.close())

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Finish the batch under way, or abandon it: if it commits later than the next owner, it is fenced."""
        self._rebalancing = True
        with contextlib.suppress(TimeoutError):
            await within(REVOKE_SECONDS, self._idle.wait())
        self._next.clear()
        self._asked_at = asyncio.get_running_loop().time()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Go on where PostgreSQL says."""
        self._asked_at, self._moved_at = None, asyncio.get_running_loop().time()
        try:
            if self._consumer is not None and assigned:
                await self._seek(self._consumer, list(assigned))
        except Exception as error:  # noqa: BLE001 - the next step looks again, before it fetches anything
            log.warning("could not read the stored offsets", service=self._settings.service, error=told(error))
            self._lost = True
        finally:
            self._rebalancing = False

    async def _build(self) -> AIOKafkaConsumer:
        await ensure_topics(self._settings, self._inbox.router.senders)
        consumer = AIOKafkaConsumer(
            **client_options(self._settings),
            group_id=f"{self._settings.kafka_prefix}{self._settings.service}",
            group_instance_id=self._settings.kafka_member,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=self._settings.kafka_session_seconds * 1000,
            heartbeat_interval_ms=min(3000, self._settings.kafka_session_seconds * 1000 // 4),
            rebalance_timeout_ms=max(30, self._settings.kafka_session_seconds) * 1000,
            max_poll_records=self._batch,
        )
        self._consumer, self._lost, self._rebalancing = consumer, False, True
        self._asked_at = self._moved_at = self._checked_at = asyncio.get_running_loop().time()
        try:
            await within(TIMEOUT_SECONDS, consumer.start())
            consumer.subscribe(self._topics, listener=self)  # a start that waits for the group could wait long
        except BaseException:
            await self.close()
            raise
        return consumer

    async def _handle(self, found: Mapping[TopicPartition, Sequence[Any]]) -> None:
        arrivals: list[Arrival] = []
        reached: dict[Partition, int] = {}
        for each, records in found.items():
            partition = (each.topic, each.partition)
            if partition not in self._next or not self._continues(partition, records[0].offset):
                self._lost = True
                return
            position = self._next[partition]
            for record in records:
                envelope, fault = from_record(record)
                if fault and envelope.type != "unknown" and envelope.type not in self._inbox.router.types:
                    fault = None  # it is not for us, whatever is wrong with it
                origin = f"{record.topic}/{record.partition}/{record.offset}"
                arrivals.append(Arrival(envelope, Mark(partition, position, record.offset + 1), fault, origin))
                position = record.offset + 1
            reached[partition] = position
        try:
            await self._inbox.handle(arrivals, self._settle)
        except Fenced as fenced:
            log.info("batch abandoned, another consumer was faster", service=self._settings.service, detail=str(fenced)[:200])
            self._lost = True
            return
        except BaseException:
            self._lost = True
            raise
        self._next.update({partition: offset for partition, offset in reached.items() if partition in self._next})
        self._seen.update({(each.topic, each.partition): records[-1].timestamp for each, records in found.items()})

    def _continues(self, partition: Partition, offset: int) -> bool:
        """See Note [What was fetched before a seek]."""
        hole = (partition, self._next[partition], offset)
        if offset == self._next[partition] or (offset > self._next[partition] and hole == self._hole):
            return True
        log.warning("records do not begin where the last ones ended", service=self._settings.service, at=hole[1], begin=offset)
        self._hole = hole
        return False

    async def _settle(self, session: AsyncSession, arrivals: Sequence[Arrival]) -> None:
        await offsets.advance(session, [each.mark for each in arrivals])

    async def _look_again(self, consumer: AIOKafkaConsumer) -> None:
        self._lost = False
        try:
            if assigned := list(consumer.assignment()):
                await self._seek(consumer, assigned)
        except BaseException:
            self._lost = True
            raise

    async def _seek(self, consumer: AIOKafkaConsumer, assigned: Sequence[TopicPartition]) -> None:
        """Continue each partition at its stored offset, or at its beginning where there is none or the topic has no such record."""
        first = await within(TIMEOUT_SECONDS, consumer.beginning_offsets(assigned))
        ends = await within(TIMEOUT_SECONDS, consumer.end_offsets(assigned))
        oldest = await within(TIMEOUT_SECONDS, consumer.offsets_for_times(dict.fromkeys(assigned, 0)))
        async with self._inbox.database.transaction() as session:
            found = await offsets.begin(session, {(each.topic, each.partition): first[each] for each in assigned})
            gone = {}
            for each in assigned:
                at = found[(each.topic, each.partition)]
                newer = oldest[each] is not None and oldest[each].timestamp > self._seen.get((each.topic, each.partition), FOREVER)
                if not first[each] <= at <= ends[each] or (newer and at > first[each]):  # Note [Another log in the topic's place]
                    what = GONE if at < first[each] else ANOTHER
                    log.error(what, topic=each.topic, partition=each.partition, offset=at, first=first[each], end=ends[each])
                    gone[(each.topic, each.partition)] = first[each]
            await offsets.reset(session, gone)
        for each in assigned:
            offset = (found | gone)[(each.topic, each.partition)]
            consumer.seek(each, offset)
            self._next[(each.topic, each.partition)] = offset

    async def _advise(self, consumer: AIOKafkaConsumer, *, at_once: bool = False) -> None:
        """Tell Kafka how far we are, for those who look at its lag; nobody here believes it (after a rebalance it is refused: normal)."""
        now = asyncio.get_running_loop().time()
        if not at_once and now - self._advised_at < ADVISE_SECONDS:
            return
        self._advised_at = now
        with contextlib.suppress(KafkaError, IllegalStateError, TimeoutError, ValueError):
            mine = consumer.assignment()
            reached = {TopicPartition(*partition): offset for partition, offset in self._next.items()}
            if advice := {each: offset for each, offset in reached.items() if each in mine}:
                await within(CLOSE_SECONDS, consumer.commit(advice))

    async def _is_stuck(self, consumer: AIOKafkaConsumer) -> bool:
        """No answer from the group, or events that wait without anything moving, for STUCK_SECONDS."""
        now = asyncio.get_running_loop().time()
        if self._asked_at is not None:
            return now - self._asked_at > STUCK_SECONDS
        if now - max(self._moved_at, self._checked_at) < STUCK_SECONDS:
            return False
        self._checked_at = now
        ends = await within(TIMEOUT_SECONDS, consumer.end_offsets(list(consumer.assignment())))
        return any(end > self._next.get((each.topic, each.partition), end) for each, end in ends.items())

    async def _rebuild(self) -> None:
        log.error("consumer is stuck", service=self._settings.service, second=self._stuck_before)
        await self.close()
        if self._stuck_before:
            self._give_up()
        self._stuck_before = True
