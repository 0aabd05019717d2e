"""The part of a service that nobody calls: relay, inbox, timers and jobs, each a loop that works while there is work and then sleeps."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from shared import idempotency, inbox
from shared.clock import ClockNotSet
from shared.courier import CourierInbox
from shared.db import rows
from shared.discretion import told
from shared.inbox import Inbox
from shared.jobs import Job
from shared.kafka import KafkaSource
from shared.lease import Fenced, Lease
from shared.log import get_logger
from shared.loop import give_way
from shared.outbox import Relay, Sink
from shared.service import Runtime

log = get_logger("worker")
POLL_SECONDS = 1.0
RETRY_SECONDS = 0.5
PACE_SECONDS = 0.02  # while rings keep coming a loop looks no more often than this: a burst of commits is one look
GIVE_WAY_SECONDS = 2.0
WAITING_SECONDS = 5.0
IDLE_SECONDS = 600.0  # a loop that the lookout wakes looks by itself, too, but hardly ever
LOOK = """SELECT EXISTS (SELECT 1 FROM outbox_held) AS redelivery, EXISTS (SELECT 1 FROM parked_event WHERE reason <> 'dead') AS parked"""


class Worker:
    """Runs a service's loops in this process. Any number of processes may run one; leases and row locks share the work out.

    What arrives comes over the transport that the settings name: from the Courier's inbox, or from Kafka; `sink` leads out over the same
    one. `alone`: no other service works in this process, so there is nobody to let go first.
    """

    def __init__(self, runtime: Runtime, sink: Sink, *, alone: bool = False) -> None:
        self.runtime = runtime
        self._sink, self._alone = sink, alone
        self._tasks: list[asyncio.Task[None]] = []
        self.inbox = Inbox(runtime.database, runtime.service.events, runtime.operator, runtime.clock)
        shards, on_kafka = runtime.settings.outbox_shards, runtime.settings.transport == "kafka"
        self._relays = [Relay(runtime.database, sink, holder=runtime.holder, shard=n, shards=shards) for n in range(shards)]
        lease, batch = Lease(runtime.database, "inbox", runtime.holder), runtime.service.inbox_batch
        self.courier_inbox = None if on_kafka else CourierInbox(self.inbox, lease, batch)
        self._source = KafkaSource(runtime.settings, self.inbox, batch=batch) if on_kafka else None
        self._waiting_at = 0.0
        self._look = {name: self._bell(name) for name in ("redelivery", "parked", *(job.name for job in runtime.jobs))}

    def start(self) -> None:
        """Start the loops; they run until `stop`. Who is named by a ring looks at once; for everything else one lookout looks, on one
        connection, and wakes the loop that has something to do."""
        loops = [
            self._loop(f"relay {number}", relay.step, self._bell("relay"), POLL_SECONDS, self._pace("relay"))
            for number, relay in enumerate(self._relays)
        ]
        if self.courier_inbox is not None:
            loops.append(self._loop("inbox", self.courier_inbox.step, self._bell("inbox"), POLL_SECONDS, self._pace("inbox")))
        if self._source is not None and self.runtime.service.events.types:
            loops.append(self._loop("kafka", self._source.step, self._bell("kafka"), POLL_SECONDS))
        loops.append(self._loop("lookout", self._lookout, self._bell("lookout"), POLL_SECONDS, PACE_SECONDS))
        loops.append(self._loop("redelivery", self._redeliver, self._look["redelivery"], IDLE_SECONDS, POLL_SECONDS))
        loops.append(self._loop("parked", self._release, self._look["parked"]))
        loops.append(self._loop("housekeeping", self._housekeep, self._bell("housekeeping")))
        loops += [self._job_loop(job) for job in self.runtime.jobs]
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def stop(self) -> None:
        """End the loops at once (what they were doing is rolled back) and hand leadership over."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._source is not None:
            await self._source.close()
        await self._sink.close()
        leases = [relay.lease for relay in self._relays] + ([self.courier_inbox.lease] if self.courier_inbox else [])
        for lease in leases:
            with contextlib.suppress(Exception):
                await lease.release()

    def _bell(self, loop: str) -> asyncio.Event:
        return self.runtime.database.wakeup.bell(loop)

    def _pace(self, loop: str) -> float:
        """Simulated time waits for everybody: there nobody takes his time."""
        return self.runtime.service.paces.get(loop, 0.0) if self.runtime.settings.clock == "system" else 0.0

    async def _lookout(self) -> bool:
        """Wake the loops that have something to do; the jobs' own look decides, this one only saves them from looking in vain."""
        async with self.runtime.database.look() as session:
            now = await self.runtime.clock.now(session)
            context = self.runtime.job_context(now)
            found = (await rows(session, LOOK))[0]
            for name in ("redelivery", "parked"):
                if getattr(found, name):
                    self._look[name].set()
            for job in self.runtime.jobs:
                due = await job.next_due(session, context)
                if due is not None and due <= now:
                    self._look[job.name].set()
        return False

    async def _redeliver(self) -> bool:
        return any([await relay.redeliver() for relay in self._relays])

    async def _release(self) -> bool:
        """Parked events that may go on, and now and then those that still wait."""
        await self.inbox.release()
        now = asyncio.get_running_loop().time()
        if now >= self._waiting_at:
            self._waiting_at = now + WAITING_SECONDS
            await self.inbox.try_waiting()
        return False

    async def _housekeep(self) -> bool:
        """Claims and keys that are too old to matter."""
        async with self.runtime.database.transaction() as session:
            more = await inbox.forget(session)
            await idempotency.prune(session)
        return more > 0

    async def _loop(
        self, name: str, step: Callable[[], Awaitable[bool]], bell: asyncio.Event, poll: float = IDLE_SECONDS, pace: float = 0.0
    ) -> None:
        """Step while there is more to do, then wait for the bell, or for the slow poll behind it; look no more often than at this pace, and
        with one let others go first between two steps, or before each."""
        clock, more = asyncio.get_running_loop().time, False
        while True:
            if pace and not self._alone and (more or name in self.runtime.service.last):
                await give_way(GIVE_WAY_SECONDS)
            bell.clear()
            looked_at, more = clock(), False
            try:
                if more := await step():
                    continue
                wait = poll
            except (Fenced, ClockNotSet):  # another process leads; nobody has set the test clock yet
                wait = POLL_SECONDS
            except Exception as error:  # noqa: BLE001 - a loop outlives whatever its step met
                log.warning("step failed", service=self.runtime.service.name, loop=name, error=type(error).__name__, detail=told(error))
                wait = RETRY_SECONDS
            await sleep_until_rung(bell, wait)
            if pace:
                await asyncio.sleep(looked_at + pace - clock())

    async def _job_loop(self, job: Job) -> None:
        async def step() -> bool:
            async with self.runtime.database.look() as session:
                now = await self.runtime.clock.now(session)
                context = self.runtime.job_context(now)
                due = await job.next_due(session, context)
            return due is not None and due <= now and await job.run(context) > 0

        await self._loop(job.name, step, self._look[job.name], pace=self._pace(job.name))


async def sleep_until_rung(bell: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until the next ring."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await bell.wait()
