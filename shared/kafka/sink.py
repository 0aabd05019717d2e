"""Events out: an idempotent producer that is thrown away at its first error, because the outbox can always send again.

# Note [One after another]
Of each partition one batch of records is under way at a time, and the next is not even built before it is acknowledged. Else a batch that
is refused would be overtaken by its successor before anybody could stop it: a broker that knows nothing yet of a new producer takes
whatever number its first batch has, the producer's own numbers notwithstanding.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from shared.discretion import told
from shared.events import Envelope
from shared.kafka.cluster import client_options, ensure_topics, to_headers, topic_of, within
from shared.log import get_logger
from shared.settings import Settings

log = get_logger("kafka sink")
SEND_SECONDS = 20.0
CLOSE_SECONDS = 3.0
PARTITIONED = DefaultPartitioner()  # the Java client's choice, so that everybody finds a key in the same partition
BATCH_BYTES = 256 * 1024


class KafkaSink:
    """Brings a service's events into its topic. Who wants them is the receivers' own affair: nobody is ever late here."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = topic_of(settings, settings.service)
        self._producer: AIOKafkaProducer | None = None
        self._making = asyncio.Lock()

    async def send(self, batch: Sequence[Envelope], skip: frozenset[str] = frozenset(), known: int = 0) -> frozenset[str]:
        """Bring the batch, in its order, into the topic; returns once every event is acknowledged. Raises when one may not be: then the
        whole batch is sent again by a new producer, and receivers know the copies by their ids."""
        producer = await self._ready()
        try:
            await within(SEND_SECONDS, self._send(producer, batch))
        except BaseException as error:
            log.warning("producer thrown away", service=self._settings.service, error=told(error))
            await self._drop(producer)
            raise
        return frozenset()

    async def _send(self, producer: AIOKafkaProducer, batch: Sequence[Envelope]) -> None:
        partitions = sorted(await within(SEND_SECONDS, producer.partitions_for(self._topic)))
        shares: defaultdict[int, list[Envelope]] = defaultdict(list)
        for event in batch:
            shares[PARTITIONED(event.key.encode(), partitions, partitions)].append(event)
        results = await asyncio.gather(*(self._in_turn(producer, *each) for each in shares.items()), return_exceptions=True)
        if failed := next((each for each in results if isinstance(each, BaseException)), None):
            raise failed

    async def _in_turn(self, producer: AIOKafkaProducer, partition: int, events: Sequence[Envelope]) -> None:
        """See Note [One after another]."""
        records = producer.create_batch()
        for event in events:
            while not records.append(key=event.key.encode(), value=event.data.encode(), headers=to_headers(event), timestamp=None):
                await (await producer.send_batch(records, self._topic, partition=partition))
                records = producer.create_batch()
        await (await producer.send_batch(records, self._topic, partition=partition))

    async def send_to(self, receiver: str, batch: Sequence[Envelope], known: int) -> None:
        """What a Courier had held for a receiver goes to everybody; the others know it already."""
        await self.send(batch)

    def types_of(self, receiver: str) -> frozenset[str]:
        """Nothing is ever held."""
        return frozenset()

    async def close(self) -> None:
        """End the producer; what was not acknowledged stays in the outbox."""
        if self._producer is not None:
            await self._drop(self._producer)

    async def _ready(self) -> AIOKafkaProducer:
        async with self._making:
            if self._producer is None:
                await ensure_topics(self._settings, [self._settings.service])
                producer = AIOKafkaProducer(
                    **client_options(self._settings),
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=BATCH_BYTES,
                )
                try:
                    await within(SEND_SECONDS, producer.start())
                except BaseException:
                    await _end(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _drop(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
        await _end(producer)


async def _end(producer: AIOKafkaProducer) -> None:
    """Stop it, or cut its connections where stopping hangs."""
    with contextlib.suppress(Exception):
        await within(CLOSE_SECONDS, producer.stop())
        return
    for close in (producer._sender.close, producer.client.close):
        with contextlib.suppress(Exception):
            await within(CLOSE_SECONDS, close())
