"""A worker in a process of its own, made to be killed: `python -m tests.support.victim SERVICE PREFIX BOOTSTRAP INSTANCE URL…`.

It hears what `tests.support.transport` tells and writes it down slowly, so that a kill finds it in the middle of a batch.
"""

import asyncio
import sys
import time

from sqlalchemy import MetaData

from shared.clock import SystemClock
from shared.courier import Courier, Receiver
from shared.db import Database
from shared.kafka import KafkaSink
from shared.outbox import Sink
from shared.routing import EventRouter
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.worker import Worker
from tests.support.service import operator
from tests.support.transport import HEARERS, TELLERS, Ears


def slow(sender: str, who: str, number: int) -> None:
    """Take a moment; the event loop stands still as it would in a long computation."""
    time.sleep(0.002)


async def main(name: str, prefix: str, bootstrap: str, instance: str, urls: dict[str, str]) -> None:
    databases = {each: Database(url, service=each) for each, url in urls.items()}
    settings = Settings(
        service=name,
        database_url=urls[name],
        transport="kafka" if bootstrap else "courier",
        kafka_bootstrap=bootstrap,
        kafka_prefix=prefix,
        kafka_partitions=4,
        kafka_instance=instance,
    )
    ears = Ears(misbehave=slow)
    router = ears.router() if name in HEARERS else EventRouter()
    runtime = Runtime(Service(name, name, router, MetaData()), settings, databases[name], SystemClock(), operator(), {})
    types = Ears().router().types
    sink: Sink = KafkaSink(settings) if bootstrap else Courier({each: Receiver(databases[each], types) for each in HEARERS})
    worker = Worker(runtime, sink)
    worker.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    given = sys.argv[1:]
    addresses = dict(zip((*TELLERS, *HEARERS), given[4:], strict=True))
    asyncio.run(main(given[0], given[1], given[2], given[3], addresses))
