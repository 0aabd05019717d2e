"""Who looks after which customers (VIP-4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import PortfolioChange
from services.collections.operations.happenings import tell_all
from services.collections.operations.looking import look_soon
from services.collections.rules.wording import listed
from shared.auth import Principal
from shared.db import rows
from shared.errors import FieldError, Invalid
from shared.events.collections import AgentAssigned
from shared.operator import Operator, Person
from shared.outbox import Outgoing

WORK = "collections.work"
LOCK = "SELECT id, agent FROM account WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
MOVE = """
UPDATE account a SET agent = t.agent, version = a.version + 1, known_at = $3 FROM unnest($1::uuid[], $2::text[]) AS t(id, agent)
WHERE a.id = t.id RETURNING a.id, a.version, a.agent
"""


@dataclass(frozen=True)
class Assigned:
    """What an assignment did: how many accounts changed hands, and how many were that agent's already."""

    agent: str
    assigned: int
    unchanged: int


def agents(operator: Operator) -> list[Person]:
    """Who may have a portfolio: the people whose desks may work in collections."""
    return [each for each in operator.people if operator.may(each.desks, WORK)]


async def assign(
    session: AsyncSession, *, customer_ids: Sequence[UUID], agent: str, reason: str, actor: Principal, operator: Operator, now: datetime
) -> Assigned:
    """Give these accounts to an agent; those that the agent has already do not change. Raises Invalid for an agent who cannot have a
    portfolio and for customers that collections does not know; then nobody changes hands."""
    check_agents(operator, [agent])
    wanted = list(dict.fromkeys(customer_ids))
    found = await lock_agents(session, wanted)
    unknown = [FieldError(field=f"customer_ids.{at}", message=f"No existe el cliente {each}.")
               for at, each in enumerate(customer_ids) if each not in found]  # fmt: skip
    if unknown:
        raise Invalid("Nadie cambió de cartera: hay clientes que no existen.", errors=unknown, remedy="Quítelos y envíe la lista de nuevo.")
    moves = {each: agent for each in wanted if found[each] != agent}
    await move(session, moves, found, reason=reason, by=actor.person, now=now)
    return Assigned(agent, len(moves), len(wanted) - len(moves))


async def lock_agents(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, str | None]:
    """Whose these accounts are, and they stay so until the commit; unknown ones are absent."""
    return {row.id: row.agent for row in await rows(session, LOCK, list(ids))}


async def move(
    session: AsyncSession, moves: Mapping[UUID, str], before: Mapping[UUID, str | None], *, reason: str, by: str, now: datetime
) -> None:
    """Give each of these locked accounts to its new agent, keep and tell why. `before` says whose they were."""
    if not moves:
        return
    session.add_all(
        PortfolioChange(customer_id=each, previous=before[each], agent=agent, reason=reason, assigned_by=by, assigned_at=now)
        for each, agent in moves.items()
    )
    moved = sorted(await rows(session, MOVE, list(moves), list(moves.values()), now), key=lambda row: row.id)
    await look_soon(session, list(moves), now=now)
    items = [
        Outgoing(
            AgentAssigned(customer_id=row.id, agent=row.agent, assigned_by=by, assigned_at=now, previous=before[row.id], reason=reason),
            f"account/{row.id}",
            row.version,
        )
        for row in moved
    ]
    await tell_all(session, items, now=now)


def check_agents(operator: Operator, wanted: Sequence[str], field: str = "agent") -> None:
    """Raise Invalid when one of these people cannot have a portfolio."""
    able = agents(operator)
    strangers = [each for each in wanted if each not in {known.person for known in able}]
    if not strangers:
        return
    known = operator.person(strangers[0])
    reason = f"{known.name} no trabaja en un escritorio de cobros." if known else f"Nadie se llama «{strangers[0]}» en operator.yaml."
    raise Invalid(
        reason,
        rule=operator.policies[operator.qualification.policy].rules["portfolio"],
        errors=[FieldError(field=field, message=reason)],
        remedy=f"Pueden tener cartera: {listed([each.person for each in able])}.",
    )
