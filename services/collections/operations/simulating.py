"""«Simular el corte»: what the run would do on a day, worked out in the background; and a manager's approval of it (COB-2)."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import CutSimulation
from services.collections.operations.looking import look_soon
from services.collections.queries.facts import load_facts
from services.collections.rules.facts import Facts
from services.collections.rules.holds import delivery_to_cut
from services.collections.rules.simulating import Step, simulate
from services.collections.rules.states import SimulationState
from services.collections.rules.terms import Book
from services.collections.rules.wording import day as day_words
from services.collections.rules.wording import moment
from shared.auth import Principal
from shared.db import Fetched, execute, lock, new_id, ring, rows
from shared.errors import Conflict, FieldError, Invalid, NotFound
from shared.operator import Operator

JOB = "simulations"
CHUNK = 250  # short enough for the requests that the same process answers meanwhile
FIRST = UUID(int=0)
LONGEST = 62  # days ahead: further than that nobody knows which invoices there will be
NEXT = """
SELECT id, day, policy, state, reached FROM cut_simulation WHERE state <> 'DONE' ORDER BY asked_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
# Whoever is looked at before the day is over; whose work may be done at any time; and whom a hold keeps off.
CANDIDATES = """
(SELECT account_id FROM account_review WHERE account_id > $1 AND due_at < $2 ORDER BY account_id LIMIT $3)
UNION (SELECT account_id FROM worklist WHERE account_id > $1 ORDER BY account_id LIMIT $3)
UNION (SELECT account_id FROM hold WHERE account_id > $1 AND ended_at IS NULL ORDER BY account_id LIMIT $3)
ORDER BY account_id LIMIT $3
"""
ABOUT = "SELECT (SELECT count(*) FROM account_review WHERE due_at < $1) + (SELECT count(*) FROM worklist) AS accounts"
BEGIN = "UPDATE cut_simulation SET state = 'RUNNING', to_look_at = $2 WHERE id = $1"
REACHED = "UPDATE cut_simulation SET reached = $2, looked_at = looked_at + $3 WHERE id = $1"
MONTHLY = """
SELECT a.id, a.monthly_amount - coalesce((
    SELECT sum((s ->> 'monthly_amount')::numeric) FROM jsonb_array_elements(a.services) AS s
    WHERE (s ->> 'service_id')::uuid IN (SELECT h.service_id FROM hold h WHERE h.account_id = a.id AND h.ended_at IS NULL AND h.until > $2)
), 0) AS amount FROM account a WHERE a.id = ANY($1::uuid[])
"""
STEPS = """
INSERT INTO cut_simulation_step (simulation_id, id, account_id, kind, at, weight, currency, monthly_amount, policy, delivery, agent, rule,
    reason, reminder, oldest_due_date, hold_id)
SELECT $1, t.* FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::numeric[], $7::text[], $8::numeric[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::date[], $16::uuid[]) AS t
"""
DONE = """
UPDATE cut_simulation SET state = 'DONE', finished_at = $2, to_look_at = looked_at, totals = coalesce((
    SELECT jsonb_agg(t ORDER BY t.policy, t.kind, t.currency) FROM (
        SELECT policy, kind, currency, count(*) AS steps, count(DISTINCT account_id) AS customers, (-sum(weight))::text AS owed,
            sum(monthly_amount)::text AS monthly
        FROM cut_simulation_step WHERE simulation_id = $1 GROUP BY policy, kind, currency) AS t
), '[]') WHERE id = $1
"""


async def ask(
    session: AsyncSession, *, day: date, policy: str | None, actor: Principal, operator: Operator, now: datetime
) -> CutSimulation:
    """Have a day worked out, for one policy or all. Raises Invalid for a day that is over or too far off, and for an unknown policy."""
    today = Book(operator).calendar.today(now)
    errors = []
    if not today <= day or (day - today).days > LONGEST:
        message = f"se simula desde hoy, {day_words(operator, today)}, hasta {LONGEST} días después"
        errors.append(FieldError(field="day", message=message))
    if policy is not None and policy not in operator.policies:
        errors.append(FieldError(field="policy", message=f"no existe la política «{policy}»"))
    if errors:
        raise Invalid("No se puede simular así.", errors=errors, remedy="Corrija los campos y envíela de nuevo.")
    made = CutSimulation(day=day, policy=policy, asked_by=actor.person, asked_at=now)
    session.add(made)
    await session.flush()
    ring(session, JOB)
    return made


async def advance(session: AsyncSession, *, operator: Operator, now: datetime) -> int | None:
    """Work out the next chunk of the simulation that was asked for first and that nobody else is at. Answers how many accounts it had;
    None when there is no simulation to work out."""
    found = await rows(session, NEXT)
    if not found:
        return None
    simulation, book = found[0], Book(operator)
    end = book.calendar.end_of_day(simulation.day)
    if simulation.state == SimulationState.QUEUED:
        await execute(session, BEGIN, simulation.id, (await rows(session, ABOUT, end))[0].accounts)
    ids = [row.account_id for row in await rows(session, CANDIDATES, simulation.reached or FIRST, end, CHUNK)]
    if ids:
        await _simulate_chunk(session, simulation, ids, book, now)
        await execute(session, REACHED, simulation.id, ids[-1], len(ids))
    if len(ids) < CHUNK:
        await execute(session, DONE, simulation.id, now)
    return len(ids)


async def _simulate_chunk(session: AsyncSession, simulation: Fetched, ids: Sequence[UUID], book: Book, now: datetime) -> None:
    found = [each for each in (await load_facts(session, ids, now=now)).values() if simulation.policy in (None, each.policy)]
    shown = [(each, step) for each in found for step in simulate(each, book.terms(each.policy), now, simulation.day)]
    if not shown:
        return
    monthly = {row.id: row.amount for row in await rows(session, MONTHLY, list({each.account_id for each, _ in shown}), now)}
    table = [
        (new_id(), each.account_id, *_amounts(step, each.currency, monthly[each.account_id]), *_whose(each, step), *_why(step))
        for each, step in shown
    ]
    await execute(session, STEPS, simulation.id, *map(list, zip(*table, strict=True)))


def _whose(facts: Facts, step: Step) -> tuple[Any, ...]:
    return facts.policy, delivery_to_cut(facts, step.at), facts.agent


def _amounts(step: Step, currency: str, monthly: Any) -> tuple[Any, ...]:
    return step.kind.value, step.at, -step.amount, currency, monthly


def _why(step: Step) -> tuple[Any, ...]:
    return step.rule, step.reason, step.reminder, step.oldest_due_date, step.hold.id if step.hold is not None else None


APPROVED = "SELECT count(*) AS approved FROM cut_approval WHERE day = $1 AND policy = $2"
ORDERS = {"largest_debt": "s.weight, s.id", "oldest_debt": "s.oldest_due_date, s.weight, s.id"}
APPROVE = """
INSERT INTO cut_approval (account_id, day, policy, simulation_id, from_at, until, approved_by, approved_at)
SELECT s.account_id, $2::date, $3::text, $1::uuid, $4::timestamptz, $5::timestamptz, $6::text, $7::timestamptz FROM cut_simulation_step s
WHERE s.simulation_id = $1 AND s.policy = $3 AND s.kind = 'CUT' AND NOT s.account_id = ANY($8::uuid[])
    AND NOT EXISTS (SELECT FROM cut_approval a WHERE a.account_id = s.account_id AND a.day = $2)
ORDER BY {order} LIMIT $9::int RETURNING account_id
"""
LOCK = "SELECT id FROM account WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('cut approval ' || $1::text))"


async def approve(
    session: AsyncSession, *, simulation_id: UUID, without: Sequence[UUID], actor: Principal, operator: Operator, now: datetime
) -> int:
    """Let the run cut on that day whom the simulation shows, in the policies' order and up to their daily caps, except for those left out.

    Answers how many were approved. Raises NotFound, and Conflict while the simulation is not done, when it was approved already, when its
    day is over, and when no policy of it asks for an approval.
    """
    simulation = await _to_approve(session, simulation_id, operator, now)
    await rows(session, ONE_AT_A_TIME, simulation.day.isoformat())
    book, approved = Book(operator), list[UUID]()
    for policy in operator.policies.values():
        wanted = policy.suspension.approval
        if wanted is None or not wanted.required or simulation.policy not in (None, policy.code):
            continue
        already = (await rows(session, APPROVED, simulation.day, policy.code))[0].approved
        left = None if wanted.daily_cap is None else max(wanted.daily_cap - already, 0)
        terms = book.terms(policy.code)
        span = max(terms.cut_hour(simulation.day), now), book.calendar.end_of_day(simulation.day)
        sql = APPROVE.format(order=ORDERS[wanted.order])
        found = await rows(session, sql, simulation.id, simulation.day, policy.code, *span, actor.person, now, list(without), left)
        approved += [row.account_id for row in found]
    simulation.approved_by, simulation.approved_at = actor.person, now
    await rows(session, LOCK, approved)
    await look_soon(session, approved, now=now)
    await session.flush()
    return len(approved)


async def _to_approve(session: AsyncSession, simulation_id: UUID, operator: Operator, now: datetime) -> CutSimulation:
    """The simulation under lock, fit to be approved."""
    try:
        found = await lock(session, CutSimulation, simulation_id)
    except NotFound:
        raise NotFound(f"No existe la simulación {simulation_id}.", remedy="Vea las que hay en GET /cut-simulations.") from None
    if found.state != SimulationState.DONE:
        raise Conflict("La simulación todavía no termina.", remedy="Espere a que esté DONE y mírela antes de aprobarla.")
    if found.approved_at is not None:
        raise Conflict(f"La simulación ya se aprobó el {moment(operator, found.approved_at)}.", remedy="Haga otra para aprobar a más.")
    if Book(operator).calendar.end_of_day(found.day) <= now:
        raise Conflict("El día de la simulación ya pasó.", remedy="Simule un día que venga.")
    policies = [operator.policy(found.policy)] if found.policy is not None else list(operator.policies.values())
    if not any(each.suspension.approval is not None and each.suspension.approval.required for each in policies):
        raise Conflict("Ninguna política de la simulación pide aprobación.", remedy="Lo que el sistema decide sin aprobación se hace solo.")
    return found
