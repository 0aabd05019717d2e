"""Standing in for an absent agent: from … until … somebody else has its list and does its work (COB-3)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import PortfolioCover
from services.collections.operations.portfolios import check_agents
from services.collections.rules.wording import moment, who
from shared.auth import Principal
from shared.db import lock, rows
from shared.errors import Conflict, FieldError, Invalid, NotFound
from shared.operator import Operator

# Two covers of one agent at a time would leave open who of the two is to call.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('cover ' || $1::text))"
OVERLAPPING = """
SELECT covered_by, from_at, least(until, coalesce(ended_at, until)) AS until FROM portfolio_cover
WHERE agent = $1 AND from_at < $3 AND least(until, coalesce(ended_at, until)) > $2 LIMIT 1
"""


async def cover(
    session: AsyncSession,
    *,
    agent: str,
    covered_by: str,
    from_at: datetime,
    until: datetime,
    reason: str,
    actor: Principal,
    operator: Operator,
    now: datetime,
) -> PortfolioCover:
    """Have somebody stand in for an agent. Raises Invalid for people without portfolios or instants out of order, and Conflict while
    somebody else stands in for the agent already."""
    _check(operator, agent, covered_by)
    if not max(from_at, now) < until:
        error = FieldError(field="until", message="tiene que ser después de from_at y de ahora")
        raise Invalid("La cobertura ya habría terminado.", errors=[error])
    await rows(session, ONE_AT_A_TIME, agent)
    found = await rows(session, OVERLAPPING, agent, from_at, until)
    if found:
        name, last = who(operator, found[0].covered_by), moment(operator, found[0].until)
        raise Conflict(f"{name} ya cubre a {who(operator, agent)} hasta el {last}.", remedy="Termine esa cobertura primero.")
    made = PortfolioCover(
        agent=agent, covered_by=covered_by, from_at=from_at, until=until, reason=reason, made_by=actor.person, made_at=now
    )
    session.add(made)
    await session.flush()
    return made


def _check(operator: Operator, agent: str, covered_by: str) -> None:
    check_agents(operator, [agent])
    check_agents(operator, [covered_by], field="covered_by")
    if agent == covered_by:
        raise Invalid("Nadie se cubre a sí mismo.", errors=[FieldError(field="covered_by", message="elija a otra persona")])


async def end_cover(session: AsyncSession, *, cover_id: UUID, actor: Principal, operator: Operator, now: datetime) -> PortfolioCover:
    """The agent is back before it was expected. Raises NotFound, and Conflict when the cover is over already."""
    try:
        found = await lock(session, PortfolioCover, cover_id)
    except NotFound:
        raise NotFound(f"No existe la cobertura {cover_id}.", remedy="Vea las que hay en GET /portfolios/covers.") from None
    if found.ended_at is not None or found.until <= now:
        raise Conflict(f"La cobertura ya terminó el {moment(operator, found.ended_at or found.until)}.", remedy="No hay nada que terminar.")
    found.ended_at, found.ended_by = now, actor.person
    await session.flush()
    return found
