"""How many events wait in Kafka for a service: every event that was sent is either consumed or counted here."""

import asyncio
import contextlib
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.db import Database
from shared.kafka import offsets
from shared.kafka.cluster import TIMEOUT_SECONDS, client_options, ensure_topics, topic_of, within
from shared.settings import Settings

REFRESH_SECONDS = 60.0


class KafkaLag:
    """Counts for any process of the service, also for one that consumes nothing: the ends of the topics minus the stored offsets."""

    def __init__(self, settings: Settings, database: Database, senders: Iterable[str]) -> None:
        self._settings, self._database, self._senders = settings, database, sorted(senders)
        self._consumer: AIOKafkaConsumer | None = None
        self._partitions: list[TopicPartition] = []
        self._refresh_at = 0.0
        self._one = asyncio.Lock()

    async def __call__(self) -> int:
        """The number of events. Raises when Kafka does not answer: then nobody may believe that there are none."""
        if not self._senders:
            return 0
        async with self._one:
            try:
                consumer = await self._ready()
                # The ends first: what is consumed in between is not counted, what is sent in between still is with its sender.
                first = await within(TIMEOUT_SECONDS, consumer.beginning_offsets(self._partitions))
                ends = await within(TIMEOUT_SECONDS, consumer.end_offsets(self._partitions))
            except BaseException:
                await self.close()
                raise
        async with self._database.transaction() as session:
            done = await offsets.stored(session, {each.topic for each in self._partitions})
        total = 0
        for each in self._partitions:
            stored = done.get((each.topic, each.partition), 0)
            if not first[each] <= stored <= ends[each]:
                stored = first[each]  # the topic is another one, or has lost something: the consumer begins anew
            total += ends[each] - stored
        return total

    async def close(self) -> None:
        """End the client; the next count makes a new one."""
        consumer, self._consumer, self._refresh_at = self._consumer, None, 0.0
        if consumer is not None:
            with contextlib.suppress(Exception):
                await within(TIMEOUT_SECONDS, consumer.stop())

    async def _ready(self) -> AIOKafkaConsumer:
        now = asyncio.get_running_loop().time()
        if now >= self._refresh_at:
            counts = await ensure_topics(self._settings, self._senders)
            self._partitions = [
                TopicPartition(topic, number)
                for topic in (topic_of(self._settings, sender) for sender in self._senders)
                for number in range(counts[topic])
            ]
            self._refresh_at = now + REFRESH_SECONDS
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(**client_options(self._settings))
            await within(TIMEOUT_SECONDS, self._consumer.start())
        return self._consumer
