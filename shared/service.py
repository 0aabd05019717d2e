"""A service as its `app.py` declares it, and with everything that it runs on."""

import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession

from shared import inbox
from shared.auditing import audit_job
from shared.clock import Clock
from shared.db import Database
from shared.invariants import NOTHING, Sentences
from shared.jobs import Job, JobContext
from shared.operator import Operator
from shared.routing import EventRouter
from shared.settings import Settings
from shared.timers import TimerRouter, timer_job


@dataclass(frozen=True)
class Service:
    """A service as its `app.py` wires it. `paces`: these loops (`relay`, `inbox`, a job by its name) look no more often than every so many
    seconds (machine time), for nobody waits for them: what comes meanwhile is done together, and those who are waited for go first. Where
    there is more than that, and other services in the process, they wait between two steps until it has time to spare, GIVE_WAY_SECONDS at
    most; those that go `last` wait so before the first one, too. `inbox_batch`: so many events at most in one transaction of the inbox; few
    where one of them takes milliseconds."""

    name: str
    description: str
    events: EventRouter
    tables: MetaData
    routers: tuple[APIRouter, ...] = ()
    timers: TimerRouter = field(default_factory=TimerRouter)
    jobs: tuple[Job, ...] = ()
    sentences: Sentences = NOTHING
    resources: Callable[[Settings, Operator], Mapping[str, Any]] = lambda settings, operator: {}
    metrics: Callable[[AsyncSession], Awaitable[Mapping[tuple[str, str], float]]] | None = None
    paces: Mapping[str, float] = field(default_factory=dict)
    last: frozenset[str] = frozenset()
    inbox_batch: int = inbox.BATCH


@dataclass
class Runtime:
    """A service with everything that it runs on. `lag` counts events that the transport holds for it (None: the inbox holds them)."""

    service: Service
    settings: Settings
    database: Database
    clock: Clock
    operator: Operator
    resources: Mapping[str, Any]
    lag: Callable[[], Awaitable[int]] | None = None
    holder: str = field(default_factory=lambda: f"{os.getpid()}-{secrets.token_hex(4)}")

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The service's jobs, the one that fires its timers, and the one that audits its database."""
        return (timer_job(self.service.timers), *self.service.jobs, audit_job(self.service.sentences))

    def job_context(self, now: datetime) -> JobContext:
        return JobContext(self.database, now, self.operator, self.settings, self.resources)
