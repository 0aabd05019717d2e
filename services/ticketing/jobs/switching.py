"""Call the network for what is queued: claimed in one transaction, called outside any, answered in another.

# Note [A dead access server delays nobody]
Some slots work side by side; each claims one switch, calls and records. A claim leaves out access nodes that have calls enough under way,
and a slot that finds nothing looks again as long as another is still calling, so what is queued meanwhile does not wait for the slowest.
"""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.adapters.network import SILENT, network_for
from services.ticketing.operations.switches import Answer, Claim, claim_switch, record_answer
from services.ticketing.queries.switches import next_switch_due
from shared.clock import machine_now
from shared.jobs import Job, JobContext
from shared.log import get_logger

log = get_logger("ticketing.switching")
SLOTS = 6
CALL_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 0.05


@dataclass
class _Crew:
    """The slots of one run: how many are calling, and how much is done."""

    context: JobContext
    call_seconds: float
    calling: int = 0
    done: int = 0

    def now(self) -> datetime:
        """Business time, also while a run lasts long."""
        return machine_now() if self.context.settings.clock == "system" else self.context.now


async def next_due(session: AsyncSession, context: JobContext) -> datetime | None:
    """What is queued or being called is due now, what got no answer at its next attempt."""
    return await next_switch_due(session, context.now)


async def run(context: JobContext, call_seconds: float = CALL_SECONDS) -> int:
    """Call the network until nothing is due. Answers how many calls were recorded."""
    crew = _Crew(context, call_seconds)
    results = await asyncio.gather(*(_work(crew) for _ in range(SLOTS)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return crew.done


async def _work(crew: _Crew) -> None:
    """One slot: claim, call, record, until nothing is due and nobody is calling."""
    while True:
        holder = secrets.token_hex(8)
        async with crew.context.database.transaction() as session:
            claim = await claim_switch(session, holder=holder, now=crew.now())
        if claim is None:
            if not crew.calling:
                return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            continue
        crew.calling += 1
        try:
            answer = await _call(crew, claim)
            async with crew.context.database.transaction() as session:
                kept = await record_answer(session, claim=claim, answer=answer, operator=crew.context.operator, now=crew.now())
        finally:
            crew.calling -= 1
        crew.done += 1
        log.info("switched", switch=str(claim.id), action=claim.action, outcome=answer.outcome, kept=kept)


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
        log.warning("network failed", switch=str(claim.id), error=type(error).__name__)
        return Answer("unknown", f"La llamada a la red falló ({type(error).__name__}).")


JOB = Job("switching", next_due, run)
