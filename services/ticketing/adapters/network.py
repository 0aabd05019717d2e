"""The network: one port, and the adapters behind it.

A switch's id is the idempotency key: an adapter that has done it answers `done` again and does nothing. `unknown` means exactly that;
nobody guesses. `asked` answers for a switch that may have been done already: what is known of the id, None when the network has never
done it, so that sending it (again) is right.
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


class Network(Protocol):
    """What can switch a service off and on."""

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
        async with self._database.transaction() as session:
            answer, slow_ms = await _next_answer(session, claim.login, use=True)
            done = await _done_before(session, claim)
            effect = answer in ("done", "unknown_done", "slow") and not done
            if effect:
                await _set(session, claim.login, active=claim.action == "reconnect")
            await execute(
                session,
                "INSERT INTO simulated_call (switch_id, login, action, answer, effect, called_at) "
                "VALUES ($1, $2, $3, $4, $5, clock_timestamp())",
                claim.id,
                claim.login,
                claim.action,
                answer,
                effect,
            )
        await asyncio.sleep(slow_ms / 1000)
        if answer.startswith("unknown"):
            return SILENT
        return REFUSED if answer == "refused" and not done else DONE

    async def asked(self, claim: Claim) -> Answer | None:
        async with self._database.transaction() as session:
            answer, slow_ms = await _next_answer(session, claim.login, use=False)
            silent = answer.startswith("unknown")
            if silent:
                await _next_answer(session, claim.login, use=True)
            done = await _done_before(session, claim)
        await asyncio.sleep(slow_ms / 1000)
        if silent:
            return SILENT
        return DONE if done else None


async def _next_answer(session: AsyncSession, login: str, *, use: bool) -> tuple[str, int]:
    """What the plan says to the next call for a login, and after how many milliseconds."""
    found = await rows(session, "SELECT answers, used, slow_ms FROM simulated_plan WHERE login = $1 FOR UPDATE", login)
    if not found:
        return "done", 0
    answers = found[0].answers.split(",")
    answer: str = answers[min(found[0].used, len(answers) - 1)].strip()
    if use:
        await execute(session, "UPDATE simulated_plan SET used = used + 1 WHERE login = $1", login)
    return answer, found[0].slow_ms if answer == "slow" or answer.startswith("unknown") else 0


async def _done_before(session: AsyncSession, claim: Claim) -> bool:
    return bool(await rows(session, "SELECT 1 FROM simulated_call WHERE switch_id = $1 AND effect", claim.id))


async def _set(session: AsyncSession, login: str, *, active: bool) -> None:
    await execute(
        session,
        "INSERT INTO simulated_service (login, active) VALUES ($1, $2) ON CONFLICT (login) DO UPDATE SET active = excluded.active",
        login,
        active,
    )


def network_for(claim: Claim, settings: Settings, database: Database) -> Network:
    """Who does this switch."""
    if claim.adapter == "manual":
        return ConfirmedByTicket()
    return SimulatedNetwork(database) if settings.network == "simulated" else ByHand()
