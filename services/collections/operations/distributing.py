"""Portfolios divided by a rule: worked out and shown first, then applied as it was shown (VIP-4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Distribution
from services.collections.operations.portfolios import check_agents, lock_agents, move
from services.collections.rules.distributing import Balance, Load, Portion, distribute
from services.collections.rules.wording import moment
from shared.auth import Principal
from shared.db import Fetched, execute, lock, rows
from shared.errors import Conflict, FieldError, Invalid, NotFound
from shared.operator import Operator

MOST = 20_000  # customers of one distribution: more are divided in several
CUSTOMERS = """
SELECT id, agent, monthly_amount, nodes, currency FROM account
WHERE policy = $1 AND ($2 OR agent IS NULL) ORDER BY id LIMIT $3
"""
BESIDES = """
SELECT agent, count(*) AS customers, sum(monthly_amount) AS amount FROM account
WHERE agent = ANY($1::text[]) AND policy = $2 AND NOT $3 GROUP BY agent
"""
KEEP = """
INSERT INTO distribution_move (distribution_id, account_id, previous, agent, amount, currency)
SELECT $1, t.* FROM unnest($2::uuid[], $3::text[], $4::text[], $5::numeric[], $6::text[]) AS t
"""
MOVES = "SELECT account_id, previous, agent FROM distribution_move WHERE distribution_id = $1"


@dataclass(frozen=True)
class Applied:
    """What a distribution came to: how many changed hands, and how many did not because somebody else had moved them meanwhile."""

    distribution: Distribution
    moved: int
    changed_meanwhile: int


async def propose(
    session: AsyncSession,
    *,
    policy: str,
    agents: Sequence[str],
    balance: Balance,
    zones: Mapping[str, Sequence[str]],
    everybody: bool,
    reason: str,
    actor: Principal,
    operator: Operator,
    now: datetime,
) -> Distribution:
    """Work out who is to have which customers of a policy: those of nobody, or (`everybody`) all of them. Nobody changes hands yet.

    Raises Invalid for agents without portfolios, for zones of somebody else, and for more customers than MOST.
    """
    _check(operator, policy, agents, zones)
    found = await rows(session, CUSTOMERS, policy, everybody, MOST + 1)
    if len(found) > MOST:
        error = FieldError(field="everybody", message="reparta solo los que no tienen gestor")
        raise Invalid(f"El reparto tiene más de {MOST} clientes.", errors=[error])
    besides = {row.agent: Load(row.customers, row.amount) for row in await rows(session, BESIDES, list(agents), policy, everybody)}
    customers = [Portion(row.id, row.agent, row.monthly_amount, tuple(row.nodes)) for row in found]
    chosen = distribute(customers, list(dict.fromkeys(agents)), besides, balance, zones)
    made = Distribution(policy=policy, balanced_by=balance, reason=reason, made_by=actor.person, made_at=now)
    session.add(made)
    await session.flush()
    await _keep(session, made, found, chosen)
    return made


async def _keep(session: AsyncSession, made: Distribution, found: Sequence[Fetched], chosen: Mapping[UUID, str]) -> None:
    """Who changes hands: each customer for whom another agent was chosen than it has."""
    moves = [(row.id, row.agent, chosen[row.id], row.monthly_amount, row.currency) for row in found if chosen[row.id] != row.agent]
    if moves:
        await execute(session, KEEP, made.id, *map(list, zip(*moves, strict=True)))


def _check(operator: Operator, policy: str, agents: Sequence[str], zones: Mapping[str, Sequence[str]]) -> None:
    check_agents(operator, agents, field="agents")
    if policy not in operator.policies:
        raise Invalid("La política no existe.", errors=[FieldError(field="policy", message=f"no existe la política «{policy}»")])
    if strangers := sorted(set(zones) - set(agents)):
        error = FieldError(field="zones", message=f"{strangers[0]} no está en agents")
        raise Invalid("Hay zonas de quien no está en el reparto.", errors=[error])


async def apply(session: AsyncSession, *, distribution_id: UUID, actor: Principal, operator: Operator, now: datetime) -> Applied:
    """Carry out a distribution as it was shown; whoever changed hands since is left alone. Raises NotFound, and Conflict when it was
    applied already."""
    try:
        found = await lock(session, Distribution, distribution_id)
    except NotFound:
        raise NotFound(f"No existe el reparto {distribution_id}.", remedy="Haga uno con POST /portfolios/distributions.") from None
    if found.applied_at is not None:
        raise Conflict(f"El reparto ya se aplicó el {moment(operator, found.applied_at)}.", remedy="Haga otro si hace falta.")
    wanted = {row.account_id: row for row in await rows(session, MOVES, distribution_id)}
    before = await lock_agents(session, list(wanted))
    moves = {each: wanted[each].agent for each in wanted if before[each] == wanted[each].previous}
    found.applied_by, found.applied_at = actor.person, now
    await move(session, moves, before, reason=found.reason, by=actor.person, now=now)
    return Applied(found, len(moves), len(wanted) - len(moves))
