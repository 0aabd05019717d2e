"""Call the network for what is queued: claimed in one transaction, called outside any, answered in another."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.adapters.network import SILENT, network_for
from services.ticketing.operations.claiming import IN_TURN, PER_NODE, Claim, claim_switches, note_nodes, renew_claims
from services.ticketing.operations.switches import Answer, record_answers
from services.ticketing.queries.switches import next_switch_due
from shared.clock import machine_now
from shared.discretion import told
from shared.jobs import Job, JobContext
from shared.lease import prolonged
from shared.log import get_logger
from shared.transient import is_transient

log = get_logger("ticketing.switching")
NAME = "switching"
SLOTS = 48
SILENT_SLOTS = 16
UNRECORDED = 500
CALL_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 1.0
RECORD_SECONDS = 0.1  # answers are recorded no more often than this: the customer has its service already

Answered = tuple[Claim, Answer]


@dataclass
class _Crew:
    """One run: the calls under way, all claims that are not recorded yet, and how much is done. A call that is answered frees its slot:
    the network does not wait for our writing."""

    context: JobContext
    call_seconds: float
    bell: asyncio.Event
    calls: dict[Claim, asyncio.Task[None]] = field(default_factory=dict)
    answers: asyncio.Queue[Answered] = field(default_factory=asyncio.Queue)
    claims: set[Claim] = field(default_factory=set)
    full: bool = False  # there may be more that is due than there were slots
    recorded: asyncio.Event = field(default_factory=asyncio.Event)
    done: int = 0

    def now(self) -> datetime:
        """Business time, also while a run lasts long."""
        return machine_now() if self.context.settings.clock == "system" else self.context.now

    def crowded(self) -> bool:
        """May something that is due wait for one of these claims to end?"""
        return self.full or any(count >= PER_NODE for count in Counter(each.node for each in self.claims).values())

    async def renew(self) -> None:
        """Stay the holder of what is being called."""
        if self.claims:
            async with self.context.database.transaction() as session:
                await renew_claims(session, holders={each.holder for each in self.claims})


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """What is being called is due now, what is queued or got no answer at its next attempt."""
    return await next_switch_due(session, context.now)


async def run(context: JobContext, call_seconds: float = CALL_SECONDS) -> int:
    """Call the network until nothing is due. Answers how many calls were recorded."""
    crew = _Crew(context, call_seconds, context.database.wakeup.bell(NAME))
    recorder = asyncio.create_task(_record_all(crew))
    try:
        async with prolonged(crew.renew):
            await _claim_all(crew, recorder)
    finally:
        tasks = [recorder, *crew.calls.values()]
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return crew.done


async def _claim_all(crew: _Crew, recorder: asyncio.Task[None]) -> None:
    """Claim whenever something is queued, or makes room for others by its end, until nothing is under way."""
    while True:
        crew.bell.clear()
        crew.recorded.clear()
        for claim in await _claim(crew):
            crew.claims.add(claim)
            crew.calls[claim] = asyncio.create_task(_call_and_tell(crew, claim))
        if crew.claims:
            await _something_happens(crew, recorder)
        if not crew.claims and not crew.bell.is_set():
            return


async def _something_happens(crew: _Crew, recorder: asyncio.Task[None]) -> None:
    """Until the bell rings, or everything is recorded. Raises what the recorder raised."""
    rung, over = asyncio.ensure_future(crew.bell.wait()), asyncio.ensure_future(crew.recorded.wait())
    await asyncio.wait({recorder, rung, over}, timeout=LOOK_AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    rung.cancel()
    over.cancel()
    if recorder.done():
        recorder.result()


async def _claim(crew: _Crew) -> list[Claim]:
    silent = sum(each.silent for each in crew.calls)
    free, free_silent = min(SLOTS - len(crew.calls) + silent, UNRECORDED - len(crew.claims)), SILENT_SLOTS - silent
    free = max(0, free)
    async with crew.context.database.transaction(IN_TURN) as session:
        found = await claim_switches(session, holder=secrets.token_hex(8), limit=free, silent_limit=free_silent, now=crew.now())
    crew.full = sum(not each.silent for each in found) == free
    return found


async def _call_and_tell(crew: _Crew, claim: Claim) -> None:
    crew.answers.put_nowait((claim, await _call(crew, claim)))
    del crew.calls[claim]
    if crew.full:
        crew.bell.set()


async def _call(crew: _Crew, claim: Claim) -> Answer:
    """Ask or call the network, outside any transaction. What fails or takes too long is unknown, never failed."""
    network = network_for(claim, crew.context.settings, crew.context.database)
    try:
        async with asyncio.timeout(crew.call_seconds):
            known = await network.asked(claim) if claim.again else None
            return known if known is not None else await network.switch(claim)
    except TimeoutError:
        return SILENT
    except Exception as error:  # noqa: BLE001 - whatever an adapter meets, nobody knows what the network did
        log.warning("network failed", switch=str(claim.id), error=type(error).__name__, detail=told(error))
        return Answer("unknown", f"La llamada a la red falló ({type(error).__name__}).")


async def _record_all(crew: _Crew) -> None:
    """Record answers as they come, together what came meanwhile."""
    clock, recorded_at = asyncio.get_running_loop().time, 0.0
    while True:
        answered = [await crew.answers.get()]
        if crew.context.settings.clock == "system":
            await asyncio.sleep(recorded_at + RECORD_SECONDS - clock())
        recorded_at = clock()
        while not crew.answers.empty():
            answered.append(crew.answers.get_nowait())
        await _record(crew, answered)
        if crew.crowded():
            crew.bell.set()
        for claim, answer in answered:
            crew.claims.remove(claim)
            log.info("switched", switch=str(claim.id), action=claim.action, outcome=answer.outcome)
        crew.done += len(answered)
        if not crew.claims:
            crew.recorded.set()


async def _record(crew: _Crew, answered: Sequence[Answered]) -> None:
    """Keep what the network said, together, or where that fails each by itself: the lease of what cannot be kept runs out."""
    try:
        await _keep(crew, answered)
    except Exception as error:
        if is_transient(error):
            raise
        for each in answered:
            try:
                await _keep(crew, [each])
            except Exception as own:
                if is_transient(own):
                    raise
                log.error("answer could not be kept", switch=str(each[0].id), error=type(own).__name__, exc_info=True)
    unknown = [claim for claim, answer in answered if answer.outcome == "unknown" and not answer.by_hand]
    silent = {each.node: any(other.silent for other in unknown if other.node == each.node) for each in unknown}
    heard = {claim.node for claim, answer in answered if answer.outcome != "unknown" and claim.silent}
    if silent or heard:
        async with crew.context.database.transaction() as session:
            await note_nodes(session, answered=heard, silent=silent, now=crew.now())


async def _keep(crew: _Crew, answered: Sequence[Answered]) -> None:
    async with crew.context.database.transaction() as session:
        await record_answers(session, answered=answered, operator=crew.context.operator, now=crew.now())


JOB = Job(NAME, next_due, run)
