"""What the clock starts: a service's jobs, and what they are given."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import Database
from shared.operator import Operator
from shared.settings import Settings


@dataclass(frozen=True)
class JobContext:
    """What a job gets. `now` is business time (UTC); `resources` are the adapters that the service built, by name."""

    database: Database
    now: datetime
    operator: Operator
    settings: Settings
    resources: Mapping[str, Any]
    began: float = field(default_factory=time.monotonic)

    def instant(self) -> datetime:
        """Business time as it is by now: on the real clock what a slow peer took must not look earlier than it was."""
        if self.settings.clock == "simulated":
            return self.now
        return self.now + timedelta(seconds=time.monotonic() - self.began)


@dataclass(frozen=True)
class Job:
    """What the clock starts. `next_due` answers the earliest business instant at which there is work (work under way counts as due,
    None is nothing); `run` does what is due at the context's instant, in transactions of its own, and answers how much it did.
    Both must bear running twice and beside another process."""

    name: str
    next_due: Callable[[AsyncSession, JobContext], Awaitable[datetime | None]]
    run: Callable[[JobContext], Awaitable[int]]
