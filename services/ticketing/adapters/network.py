"""The network: one port, and the adapters behind it.

A switch's id is the idempotency key: an adapter that has done it answers `done` again and does nothing. `unknown` means exactly that;
nobody guesses. `asked` answers for a switch that may have been done already: what is known of the id, None when the network has never
done it, so that sending it (again) is right.

A restriction leaves a service on: every page that it opens is the payment page. Its release takes that off and leaves on or off what was;
a cut and a reconnection take it off, too.
"""

import asyncio
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.operations.claiming import Claim
from services.ticketing.operations.switches import Answer
from shared.db import Database, execute, rows
from shared.settings import Settings

DONE = Answer("done")
SILENT = Answer("unknown", "El equipo de acceso no contestó a tiempo.")
REFUSED = Answer("refused", "La red rechazó el cambio.")
# One statement; `$5`: does it go by the login's plan? Two at once for one switch: the second meets the first one's effect (its unique
# index), and what it did is unknown.
SWITCH = """
WITH plan AS (
    UPDATE simulated_plan SET used = used + 1 WHERE login = $2::text AND $5::boolean
    RETURNING string_to_array(answers, ',') AS answers, used, slow_ms
), said AS (
    SELECT coalesce((SELECT btrim(answers[least(used, cardinality(answers))]) FROM plan), 'done') AS answer,
        coalesce((SELECT slow_ms FROM plan), 0) AS slow_ms,
        EXISTS (SELECT FROM simulated_call WHERE switch_id = $1::uuid AND effect) AS done
), called AS (
    INSERT INTO simulated_call (switch_id, login, action, answer, effect, called_at)
    SELECT $1::uuid, $2::text, $3::text, answer, answer IN ('done', 'unknown_done', 'slow') AND NOT done, clock_timestamp() FROM said
    RETURNING effect
), changed AS (
    INSERT INTO simulated_service AS s (login, active, restricted, plan)
    SELECT $2::text, $3::text <> 'suspend', $3::text = 'restrict', $4::text FROM called WHERE effect
    ON CONFLICT (login) DO UPDATE SET plan = coalesce(excluded.plan, s.plan),
        active = CASE WHEN $3::text IN ('suspend', 'reconnect') THEN excluded.active ELSE s.active END,
        restricted = CASE WHEN $3::text = 'change' THEN s.restricted ELSE excluded.restricted END
)
SELECT answer, slow_ms, done FROM said
"""


class Network(Protocol):
    """What can switch a service off and on, restrict and release it, and change its plan."""

    async def switch(self, claim: Claim) -> Answer:
        """Do it, or find that it is done."""
        ...

    async def asked(self, claim: Claim) -> Answer | None:
        """What became of it, if the network knows; None when it has never done it."""
        ...


class ConfirmedByTicket:
    """What third parties deliver: the ticket that brought us here is the proof."""

    async def switch(self, claim: Claim) -> Answer:
        return Answer("done", "Confirmado por el ticket.")

    async def asked(self, claim: Claim) -> Answer | None:
        return None


class ByHand:
    """No network is connected: a person switches, and says so."""

    async def switch(self, claim: Claim) -> Answer:
        return Answer("unknown", "Ninguna red está conectada: cambie el servicio a mano y confirme aquí el resultado.", by_hand=True)

    async def asked(self, claim: Claim) -> Answer | None:
        return None


class SimulatedNetwork:
    """A network of tables: it keeps what is on, remembers ids for ever, and fails as `simulated_plan` says."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def switch(self, claim: Claim) -> Answer:
        async with self._database.look() as session:
            said = (await rows(session, SWITCH, claim.id, claim.login, claim.action, claim.plan, True))[0]
        await asyncio.sleep(_takes(said.answer, said.slow_ms))
        if said.answer.startswith("unknown"):
            return SILENT
        return REFUSED if said.answer == "refused" and not said.done else DONE

    async def asked(self, claim: Claim) -> Answer | None:
        async with self._database.transaction() as session:
            answer, seconds = await _next_answer(session, claim.login)
            silent = answer.startswith("unknown")
            if silent:
                await execute(session, "UPDATE simulated_plan SET used = used + 1 WHERE login = $1", claim.login)
            done = bool(await rows(session, "SELECT 1 FROM simulated_call WHERE switch_id = $1 AND effect", claim.id))
        await asyncio.sleep(seconds)
        if silent:
            return SILENT
        return DONE if done else None


class SimulatedProvider(ConfirmedByTicket):
    """Third parties where the network is simulated: what the ticket confirms is so in its tables, too."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def switch(self, claim: Claim) -> Answer:
        async with self._database.look() as session:
            await rows(session, SWITCH, claim.id, claim.login, claim.action, claim.plan, False)
        return await super().switch(claim)


async def _next_answer(session: AsyncSession, login: str) -> tuple[str, float]:
    """What the plan says to the next call for a login, and after how many seconds."""
    found = await rows(session, "SELECT answers, used, slow_ms FROM simulated_plan WHERE login = $1 FOR UPDATE", login)
    if not found:
        return "done", 0.0
    answers = found[0].answers.split(",")
    answer: str = answers[min(found[0].used, len(answers) - 1)].strip()
    return answer, _takes(answer, found[0].slow_ms)


def _takes(answer: str, slow_ms: int) -> float:
    """So many seconds until the network says this."""
    return slow_ms / 1000 if answer == "slow" or answer.startswith("unknown") else 0.0


def network_for(claim: Claim, settings: Settings, database: Database) -> Network:
    """Who does this switch."""
    if claim.adapter == "manual":
        return SimulatedProvider(database) if settings.network == "simulated" else ConfirmedByTicket()
    return SimulatedNetwork(database) if settings.network == "simulated" else ByHand()
