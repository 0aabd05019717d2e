"""Who looks after which customers (VIP-4)."""

from collections.abc import Sequence
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
ASSIGN = "UPDATE account SET agent = $2, known_at = $3, version = version + 1 WHERE id = ANY($1::uuid[]) RETURNING id, version"


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
    _check_agent(operator, agent)
    wanted = list(dict.fromkeys(customer_ids))
    found = {row.id: row.agent for row in await rows(session, LOCK, wanted)}
    unknown = [FieldError(field=f"customer_ids.{at}", message=f"No existe el cliente {each}.")
               for at, each in enumerate(customer_ids) if each not in found]  # fmt: skip
    if unknown:
        raise Invalid("Nadie cambió de cartera: hay clientes que no existen.", errors=unknown, remedy="Quítelos y envíe la lista de nuevo.")
    moving = [each for each in wanted if found[each] != agent]
    session.add_all(
        PortfolioChange(customer_id=each, previous=found[each], agent=agent, reason=reason, assigned_by=actor.person, assigned_at=now)
        for each in moving
    )
    moved = sorted(await rows(session, ASSIGN, moving, agent, now), key=lambda row: row.id)
    await look_soon(session, moving, now=now)
    events = [
        AgentAssigned(customer_id=row.id, agent=agent, assigned_by=actor.person, assigned_at=now, previous=found[row.id], reason=reason)
        for row in moved
    ]
    items = [Outgoing(event, f"account/{row.id}", row.version) for event, row in zip(events, moved, strict=True)]
    await tell_all(session, items, now=now)
    return Assigned(agent, len(moving), len(wanted) - len(moving))


def _check_agent(operator: Operator, agent: str) -> None:
    able = agents(operator)
    if agent in {each.person for each in able}:
        return
    known = operator.person(agent)
    reason = f"{known.name} no trabaja en un escritorio de cobros." if known else f"Nadie se llama «{agent}» en operator.yaml."
    names = listed([each.person for each in able])
    raise Invalid(
        reason,
        rule=operator.policies[operator.qualification.policy].rules["portfolio"],
        errors=[FieldError(field="agent", message=reason)],
        remedy=f"Pueden tener cartera: {names}.",
    )
