"""W1: stored events go out to subscribers, from the queued row to the row with the answer; beside bare posts to the same receiver.

`python -m tests.bench.w1_webhooks` is the receiver: a process of its own that answers 204 to everything.
"""

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.notifier.adapters.posting import Poster
from services.notifier.app import SERVICE
from services.notifier.jobs import webhooks
from services.notifier.operations.posts import AT_ONCE, enlist
from services.notifier.rules.addresses import networks
from services.notifier.rules.webhooks import cloud_event
from shared.db import Database, rows
from tests.bench.data import empty, envelopes
from tests.bench.runner import Bench, Measure, rate
from tests.support.service import serve

NOW = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
LOOPBACK = ["127.0.0.0/8"]
MANY = 50  # subscriptions
ANSWER = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"
UNSENT = "SELECT count(*) AS n FROM webhook_post WHERE state <> 'DELIVERED'"


async def prepare(bench: Bench) -> Measure:
    database = await bench.database("notifier")
    count = bench.count(4_000)
    receiver = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, stdout=asyncio.subprocess.PIPE)
    bench.afterwards(receiver.kill)
    assert receiver.stdout is not None
    url = f"http://127.0.0.1:{int(await receiver.stdout.readline())}/"
    at_once = AT_ONCE * min(MANY, webhooks.LANES)
    return Measure(
        "W1",
        "events to subscribers, one worker",
        "posts/s",
        {
            "1 subscription": lambda: _sent(database, url, 1, count),
            f"{MANY} subscriptions": lambda: _sent(database, url, MANY, count),
            f"bare, {AT_ONCE} at once": lambda: _bare(url, AT_ONCE, count),
            f"bare, {at_once} at once": lambda: _bare(url, at_once, count),
        },
    )


async def _sent(database: Database, url: str, subscriptions: int, count: int) -> float:
    """Posts a second of the job, once every event stands there."""
    await empty(database, "webhook_attempt", "webhook_post", "webhook_event", "webhook", "idempotency_key", "audit_entry")
    service = replace(SERVICE, resources=lambda own, documents: {**SERVICE.resources(own, documents), "webhooks": _patient()})
    async with serve(service, database, NOW, webhook_networks=LOOPBACK) as served:
        for number in range(subscriptions):
            answer = await served.as_("admin").post("/webhooks", json={"url": f"{url}{number}", "types": ["*"]})
            answer.raise_for_status()
        async with database.transaction() as session:
            await enlist(session, envelopes(count // subscriptions), NOW)

        async def drain() -> None:
            while await webhooks.run(served.runtime.job_context(NOW)):
                pass

        found = await rate(count // subscriptions * subscriptions, drain())
        async with database.transaction() as session:
            assert (await rows(session, UNSENT))[0].n == 0
        return found


async def _bare(url: str, at_once: int, count: int) -> float:
    """The same bodies over the same kind of connections, unsigned and not written down."""
    poster = _patient()
    bodies = iter([cloud_event(each) for each in envelopes(count)])

    async def lane() -> None:
        async with poster.open() as line:
            for body in bodies:
                answer = await line.post(url, {"content-type": "application/json"}, body)
                assert answer.taken, answer.detail

    return await rate(count, asyncio.gather(*(lane() for _ in range(at_once))))


def _patient() -> Poster:
    """What a busy machine delays is slow, and not missed."""
    return Poster(networks(LOOPBACK), seconds=60)


class _Receiver(asyncio.Protocol):
    """Takes bodies by their length, and thanks."""

    def __init__(self) -> None:
        self._read = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            lengths = [line for line in self._read[:end].lower().split(b"\r\n") if line.startswith(b"content-length:")]
            size = end + 4 + int(lengths[0].split(b":")[1])
            if len(self._read) < size:
                return
            self._read = self._read[size:]
            self._transport.write(ANSWER)


async def receive() -> None:
    """Tell the port, and answer until somebody ends it."""
    server = await asyncio.get_running_loop().create_server(_Receiver, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(receive())
