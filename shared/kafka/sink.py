"""Events out: an idempotent producer that is thrown away at its first error, because the outbox can always send again."""

import asyncio
import contextlib
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from shared.events import Envelope
from shared.kafka.cluster import client_options, ensure_topics, to_headers, topic_of, within
from shared.log import get_logger
from shared.settings import Settings

log = get_logger("kafka sink")
SEND_SECONDS = 20.0
CLOSE_SECONDS = 3.0
LINGER_MS = 0  # a relay's batch is handed over in one go, before the client looks: it is one batch per partition anyway
BATCH_BYTES = 256 * 1024


class KafkaSink:
    """Brings a service's events into its topic. Who wants them is the receivers' own affair: nobody is ever late here."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = topic_of(settings, settings.service)
        self._producer: AIOKafkaProducer | None = None
        self._making = asyncio.Lock()

    async def send(self, batch: Sequence[Envelope], skip: frozenset[str] = frozenset()) -> frozenset[str]:
        """Bring the batch, in its order, into the topic; returns once every event is acknowledged. Raises when one may not be: then the
        whole batch is sent again by a new producer, and receivers know the copies by their ids."""
        producer = await self._ready()
        try:
            await within(SEND_SECONDS, self._send(producer, batch))
        except BaseException as error:
            log.warning("producer thrown away", service=self._settings.service, error=type(error).__name__)
            await self._drop(producer)
            raise
        return frozenset()

    async def _send(self, producer: AIOKafkaProducer, batch: Sequence[Envelope]) -> None:
        sent = [await producer.send(self._topic, event.data.encode(), key=event.key.encode(), headers=to_headers(event)) for event in batch]
        results = await asyncio.gather(*sent, return_exceptions=True)
        if failed := next((each for each in results if isinstance(each, BaseException)), None):
            raise failed

    async def send_to(self, receiver: str, batch: Sequence[Envelope]) -> None:
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
                    linger_ms=LINGER_MS,
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
