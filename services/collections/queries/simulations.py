"""Reads of simulations: how far they are, what they show, and how it differs from what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Account, CutSimulation, Hold, SimulatedStep
from services.collections.queries.facts import load_facts
from services.collections.rules.differences import NotDone, why_not
from services.collections.rules.states import StepKind
from services.collections.rules.terms import Book
from shared.db import Fetched, rows
from shared.errors import NotFound
from shared.operator import Operator
from shared.sorting import Order, Placed, Sorting, amount, day, identity, instant, text

# When each shown step was done on that day, if it was; `$2` is the kind, `$3` and `$4` the day's begin and end.
DONE_AT = """
CASE s.kind
    WHEN 'NOTICE' THEN (SELECT min(requested_at) FROM suspension_notice n
        WHERE n.account_id = s.account_id AND n.requested_at >= $3 AND n.requested_at < $4)
    ELSE (SELECT min(requested_at) FROM suspension c
        WHERE c.account_id = s.account_id AND c.requested_at >= $3 AND c.requested_at < $4 AND c.source <> 'IMPORT')
END"""
SHOWN = f"""
SELECT s.*, a.name {{key}} FROM (
    SELECT s.id, s.account_id, s.policy, s.at, s.weight, s.currency, {DONE_AT} AS done_at
    FROM cut_simulation_step s WHERE s.simulation_id = $1 AND s.kind = $2
) AS s JOIN account a ON a.id = s.account_id
WHERE (s.done_at IS NOT NULL) = $5 {{page}}
"""
COUNTS = f"""
SELECT count(*) AS shown, count(s.done_at) AS done, coalesce(-sum(s.weight) FILTER (WHERE s.done_at IS NULL), 0) AS missed_amount FROM (
    SELECT s.weight, {DONE_AT} AS done_at FROM cut_simulation_step s WHERE s.simulation_id = $1 AND s.kind = $2
) AS s
"""
# What the system cut on that day without its being shown.
UNEXPECTED = """
SELECT s.*, a.name {key} FROM (
    SELECT c.id, c.account_id, c.requested_at AS at, -c.amount AS weight, c.currency, c.requested_at AS done_at FROM suspension c
    WHERE c.requested_at >= $3 AND c.requested_at < $4 AND c.source = 'SYSTEM'
        AND NOT EXISTS (SELECT FROM cut_simulation_step t WHERE t.simulation_id = $1 AND t.account_id = c.account_id AND t.kind = 'CUT')
) AS s JOIN account a ON a.id = s.account_id
WHERE ($2::text IS NULL OR a.policy = $2) {page}
"""
CAPPED = "SELECT policy, count(*) AS approved FROM cut_approval WHERE day = $1 GROUP BY policy"
SIMULATIONS = Sorting(
    "-asked_at",
    identity("cut_simulation.id"),
    asked_at=instant("cut_simulation.asked_at"),
    day=day("cut_simulation.day"),
    policy=text("cut_simulation.policy", empty=True),
    state=text("cut_simulation.state"),
    asked_by=text("cut_simulation.asked_by"),
    finished_at=instant("cut_simulation.finished_at", empty=True),
    approved_at=instant("cut_simulation.approved_at", empty=True),
)
STEPS = Sorting(
    "at",
    identity("cut_simulation_step.id"),
    at=(instant("cut_simulation_step.at"), amount("cut_simulation_step.weight")),
    name=text("account.search_name"),
    policy=text("cut_simulation_step.policy"),
    agent=text("cut_simulation_step.agent", empty=True),
    rule=text("cut_simulation_step.rule"),
    amount=amount("(-cut_simulation_step.weight)"),
    monthly_amount=amount("cut_simulation_step.monthly_amount"),
)
DIFFERENCE = Sorting(
    "id",
    identity("s.id"),
    id=identity("s.id"),
    name=text("a.search_name"),
    at=instant("s.at"),
    amount=amount("(-s.weight)"),
    done_at=instant("s.done_at", empty=True),
)


async def find_simulations(session: AsyncSession, order: Order, *, day: date | None = None) -> list[Placed[CutSimulation]]:
    """Simulations of all days or one."""
    query = select(CutSimulation)
    if day is not None:
        query = query.where(col(CutSimulation.day) == day)
    return await order.select(session, query)


async def get_simulation(session: AsyncSession, simulation_id: UUID) -> CutSimulation:
    """One simulation. Raises NotFound."""
    found = await session.get(CutSimulation, simulation_id, populate_existing=True)
    if found is None:
        raise NotFound(f"No existe la simulación {simulation_id}.", remedy="Vea las que hay en GET /cut-simulations.")
    return found


@dataclass(frozen=True)
class ListedStep:
    """A shown step with its customer and the hold that keeps it off."""

    step: SimulatedStep
    name: str
    contacts: list[dict[str, Any]]
    hold: Hold | None


async def steps(
    session: AsyncSession,
    simulation_id: UUID,
    order: Order,
    *,
    kind: StepKind,
    agent: str | None = None,
    policy: str | None = None,
) -> list[Placed[ListedStep]]:
    """What a simulation shows of one kind; in its own order by the hour, at one hour the larger debt first."""
    query = (
        select(SimulatedStep, Account.name, Account.contacts, Hold)
        .join(Account, col(Account.id) == SimulatedStep.account_id)
        .outerjoin(Hold, col(Hold.id) == SimulatedStep.hold_id)
        .where(col(SimulatedStep.simulation_id) == simulation_id, col(SimulatedStep.kind) == kind)
    )
    for column, value in ((SimulatedStep.agent, agent), (SimulatedStep.policy, policy)):
        if value is not None:
            query = query.where(col(column) == value)
    return [each.now(ListedStep(*each.item)) for each in await order.select(session, query)]


@dataclass(frozen=True)
class Difference:
    """A step that was shown, done, or both: `why` says what kept a shown one from being done."""

    id: UUID
    customer_id: UUID
    name: str
    at: datetime
    amount: Decimal
    currency: str
    done_at: datetime | None
    why: NotDone | None


@dataclass(frozen=True)
class Compared:
    """How many steps of a kind were shown and how many of them done, and what is owed by the others."""

    shown: int
    done: int
    missed_amount: Decimal


async def compared(session: AsyncSession, operator: Operator, simulation: CutSimulation, kind: StepKind) -> Compared:
    """Shown against done, in figures."""
    [row] = await rows(session, COUNTS, simulation.id, kind.value, *_day(operator, simulation))
    return Compared(row.shown, row.done, row.missed_amount)


async def differences(
    session: AsyncSession,
    operator: Operator,
    simulation: CutSimulation,
    order: Order,
    *,
    which: Literal["missed", "done", "unexpected"],
    kind: StepKind,
    now: datetime,
) -> list[Placed[Difference]]:
    """The shown steps that were not done, with why; those that were done; or the cuts of that day that had not been shown."""
    span = _day(operator, simulation)
    if which == "unexpected":
        found = await order.rows(session, UNEXPECTED, simulation.id, simulation.policy, *span)
    else:
        found = await order.rows(session, SHOWN, simulation.id, kind.value, *span, which == "done")
    if which != "missed":
        return [each.now(_difference(each.item)) for each in found]
    told = await _explained(session, operator, simulation, [each.item for each in found], notice=kind is StepKind.NOTICE, now=now)
    return [each.now(why) for each, why in zip(found, told, strict=True)]


async def _explained(
    session: AsyncSession, operator: Operator, simulation: CutSimulation, found: Sequence[Fetched], *, notice: bool, now: datetime
) -> list[Difference]:
    """Why not: as things stood at the step's instant, and if nothing was in the way then, as they stand now or stood when the day ended."""
    book, full = Book(operator), await _capped(session, operator, simulation)
    facts, end = await load_facts(session, [row.account_id for row in found], now=now), min(now, _day(operator, simulation)[1])
    explained = []
    for row in found:
        terms, values = book.terms(row.policy), {"notice": notice, "cap_reached": row.policy in full}
        why = why_not(facts[row.account_id], terms, min(row.at, end), **values)
        if why.why == "pending":
            why = why_not(facts[row.account_id], terms, end, **values)
        explained.append(_difference(row, why))
    return explained


async def _capped(session: AsyncSession, operator: Operator, simulation: CutSimulation) -> set[str]:
    """The policies whose daily cap the day's approvals have used up."""
    counts: Mapping[str, int] = {row.policy: row.approved for row in await rows(session, CAPPED, simulation.day)}
    caps = {code: each.suspension.approval.daily_cap for code, each in operator.policies.items() if each.suspension.approval is not None}
    return {code for code, cap in caps.items() if cap is not None and counts.get(code, 0) >= cap}


def _difference(row: Fetched, why: NotDone | None = None) -> Difference:
    return Difference(row.id, row.account_id, row.name, row.at, -row.weight, row.currency, row.done_at, why)


def _day(operator: Operator, simulation: CutSimulation) -> tuple[datetime, datetime]:
    calendar = Book(operator).calendar
    return calendar.start_of_day(simulation.day), calendar.end_of_day(simulation.day)
