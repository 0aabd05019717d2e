"""The test clock: a conductor outside the services moves everybody's business time from one due instant to the next.

# Note [When nothing is under way]
An event is always in sight somewhere: in an outbox, in a transport, or in an inbox, since each hand-over writes before it deletes.
So a round in which every service says idle can only be wrong if something moved while the round was going on, and whatever moves
publishes. Two successive idle rounds with the same count of published events in every service prove that nothing is under way.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx
from pydantic import AwareDatetime, BaseModel

from shared.clock import ClockNotSet, SimulatedClock, machine_now
from shared.db import rows
from shared.errors import NotFound
from shared.log import get_logger
from shared.service import Runtime

log = get_logger("simulation")
STUCK_SECONDS = 120.0
QUIET_TIMES = 5
SAY_SECONDS = 60.0  # of machine time: whoever waits is told how far it is
PAUSE_SECONDS = 0.2
BUSY = """SELECT EXISTS (SELECT 1 FROM outbox) AS outbox, EXISTS (SELECT 1 FROM outbox_held) AS held,
EXISTS (SELECT 1 FROM inbox_pending) AS inbox,
EXISTS (SELECT 1 FROM parked_event AS p WHERE reason IN ('retry', 'behind') AND NOT EXISTS (SELECT 1 FROM parked_event AS d
    WHERE d.key = p.key AND (d.reason = 'dead' OR d.reason = 'waiting' AND d.sender = p.sender AND d.id < p.id))) AS parked,
(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM outbox_id_seq) AS published"""


class ServiceState(BaseModel):
    """What the conductor must know of one service. `busy` names what is under way; `next_due` is the next later instant (UTC) with work
    (None, too, while events are under way)."""

    now: AwareDatetime
    next_due: AwareDatetime | None
    busy: list[str]
    published: int


class ClockSetting(BaseModel):
    """Where to move business time."""

    now: AwareDatetime


class SimulationStuck(Exception):
    """Something stays under way; the message names the services and what they are busy with."""


async def state_of(runtime: Runtime) -> ServiceState:
    """Look into a service's database (and its transport's lag): what is under way, and when is the next due instant?"""
    busy = ["transport"] if runtime.lag is not None and await runtime.lag() else []
    async with runtime.database.transaction() as session:
        now = await runtime.clock.now(session)
        context = runtime.job_context(now)
        row = (await rows(session, BUSY))[0]
        busy += [name for name in ("outbox", "held", "inbox", "parked") if getattr(row, name)]
        if busy:  # whoever asks must ask again anyway
            return ServiceState(now=now, next_due=None, busy=busy, published=row.published)
        due = {job.name: await job.next_due(session, context) for job in runtime.jobs}
    busy += [f"job {name}" for name, instant in due.items() if instant is not None and instant <= now]
    later = [instant for instant in due.values() if instant is not None and instant > now]
    return ServiceState(now=now, next_due=min(later, default=None), busy=busy, published=row.published)


async def move(runtime: Runtime, now: datetime) -> None:
    """Set a service's simulated clock. Raises NotFound where business time is real."""
    if not isinstance(runtime.clock, SimulatedClock):
        raise NotFound("El reloj de este servicio es el real.")
    await runtime.clock.set(now)


class End(Protocol):
    """How the conductor reaches one service."""

    name: str

    async def state(self) -> ServiceState: ...

    async def set(self, now: datetime) -> None: ...


class LocalEnd:
    """A service in this process."""

    def __init__(self, runtime: Runtime) -> None:
        self.name, self._runtime = runtime.service.name, runtime

    async def state(self) -> ServiceState:
        return await state_of(self._runtime)

    async def set(self, now: datetime) -> None:
        await move(self._runtime, now)


class HttpEnd:
    """A service in a process of its own, asked at its `/simulation`: again and again, since a worker that has just ended is started again.
    Raises SimulationStuck when it does not answer within `patience` (seconds), or refuses."""

    def __init__(self, name: str, client: httpx.AsyncClient, url: str, patience: float = STUCK_SECONDS) -> None:
        self.name, self._client, self._url, self._patience = name, client, url, patience

    async def state(self) -> ServiceState:
        return ServiceState.model_validate(await self._ask("GET"))

    async def set(self, now: datetime) -> None:
        await self._ask("PUT", {"now": now.isoformat()})

    async def _ask(self, method: str, body: dict[str, str] | None = None) -> Any:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._patience
        while True:
            try:
                answer = await self._client.request(method, self._url, json=body)
                if answer.is_success:
                    return answer.json()
                why = f"{answer.status_code} {answer.text}"
            except httpx.TransportError as error:
                answer, why = None, f"{type(error).__name__} {error}"
            if ClockNotSet().title in why:
                raise ClockNotSet
            if answer is not None and answer.is_client_error:
                raise SimulationStuck(f"{self.name} no deja mover su reloj: {why}")
            if clock() > deadline:
                raise SimulationStuck(f"{self.name} no responde: {why}")
            await asyncio.sleep(PAUSE_SECONDS)


class Conductor:
    """Moves the clocks of all services together. One call at a time."""

    def __init__(self, ends: Sequence[End], stuck_seconds: float = STUCK_SECONDS) -> None:
        self._ends, self._stuck = list(ends), stuck_seconds
        self._lock = asyncio.Lock()

    async def advance(self, to: datetime) -> int:
        """Let business time pass until `to` (aware), stopping at every due instant until all that it starts is done.
        Answers at how many instants it stopped. Raises ValueError when `to` is past already, and SimulationStuck."""
        async with self._lock:
            stops, said = 0, machine_now()
            while True:
                states = await self.settle()
                if (machine_now() - said).total_seconds() > SAY_SECONDS:
                    said = machine_now()
                    log.warning("time passes", now=max(state.now for state in states).isoformat(), to=to.isoformat(), stops=stops)
                if (now := max(state.now for state in states)) > to:
                    raise ValueError(f"business time is {now.isoformat()} already")
                due = min((state.next_due for state in states if state.next_due is not None), default=to)
                target = min(due, to)
                if target > now:
                    await asyncio.gather(*(end.set(target) for end in self._ends))
                    stops += 1
                elif all(state.now == now for state in states):
                    return stops
                else:
                    await asyncio.gather(*(end.set(now) for end in self._ends))

    async def settle(self) -> list[ServiceState]:
        """Wait until nothing is under way anywhere; answer the states. Who is busy is asked until it is not, and then everybody again."""
        asked, patience, pause = self._ends, _Patience(self._stuck), 0.002
        seen: list[int] | None = None
        while True:
            states = await asyncio.gather(*(end.state() for end in asked))
            patience.look(asked, states)
            published = [state.published for state in states]
            busy = [end for end, state in zip(asked, states, strict=True) if state.busy]
            if busy:
                asked, seen = busy, None
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 0.02)
            elif len(asked) < len(self._ends):
                asked = self._ends
            elif seen == published:
                return list(states)
            else:
                seen = published


class _Patience:
    """How long the conductor waits (machine time): the same picture for `stuck` seconds, or whatever the pictures QUIET_TIMES as long while
    nothing is published: what comes and goes and leads to nothing has no end."""

    def __init__(self, stuck: float) -> None:
        self._stuck, self._picture, self._published = stuck, "", dict[str, int]()
        self._changed = self._progress = machine_now()

    def look(self, asked: Sequence[End], states: Sequence[ServiceState]) -> None:
        """Raises SimulationStuck, with what is under way."""
        now, seen = machine_now(), list(zip(asked, states, strict=True))
        picture = "; ".join(f"{end.name}: {', '.join(each.busy)}" for end, each in seen if each.busy)
        published = self._published | {end.name: each.published for end, each in seen}
        if published != self._published:
            self._published, self._progress, self._changed = published, now, now
        if picture != self._picture:
            self._picture, self._changed = picture, now
        if now - self._changed > timedelta(seconds=self._stuck) or now - self._progress > timedelta(seconds=QUIET_TIMES * self._stuck):
            raise SimulationStuck(picture)
