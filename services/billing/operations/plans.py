"""A service's plan: changed from a day on, with the months that are billed already put right, and what tickets agreed carried out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import Customer, PlanChange
from services.billing.operations.customers import customer_states, tell_changes
from services.billing.operations.prorating import Cause, Months, earliest_settled, settle_months, told_change, words_of
from services.billing.queries.plans import services_sold
from services.billing.rules.prices import Price
from services.billing.rules.proration import Change, Sold, terms
from shared.calendar import BusinessCalendar
from shared.db import execute, lock, rows
from shared.errors import FieldError, Invalid, NotFound, Refused, nearest
from shared.money import round_money
from shared.operator import Operator, Plan
from shared.outbox import publish

RULE = "FACT-6"
AHEAD = timedelta(days=366)
BATCH = 500
DUE = "SELECT DISTINCT customer_id FROM plan_change WHERE applied_at IS NULL AND effective_from <= $1 ORDER BY customer_id LIMIT $2"
# The latest plan whose day has come, into the services of these customers.
APPLY = """
WITH due AS (
    UPDATE plan_change SET applied_at = $3 WHERE customer_id = ANY($1::uuid[]) AND applied_at IS NULL AND effective_from <= $2 RETURNING *
), latest AS (
    SELECT DISTINCT ON (service_id) * FROM due ORDER BY service_id, effective_from DESC, id DESC
)
UPDATE service s SET plan_code = to_plan, plan_kind = to_kind, monthly_amount = to_amount FROM latest WHERE s.id = latest.service_id
"""


@dataclass(frozen=True)
class NewPlan:
    """What a service's plan is to be from a day on. Without `monthly_amount` the plan's price; `reference` is the ticket where that was
    agreed."""

    customer_id: UUID
    service_id: UUID
    plan_code: str
    effective_from: date
    reason: str
    by: str
    monthly_amount: Decimal | None = None
    reference: UUID | None = None


async def change_plan(session: AsyncSession, *, new: NewPlan, operator: Operator, prices: Mapping[str, Price], now: datetime) -> PlanChange:
    """Change a service's plan from a day on, prorated by days: months that are billed already are charged or credited the difference.

    Raises NotFound, Invalid for a plan that the catalogue does not have and for an amount with too many decimals, Refused for a day that is
    out of reach and for a change that changes nothing.
    """
    today = BusinessCalendar(operator).today(now)
    plan, amount = _wanted(new, operator)
    customer = await lock(session, Customer, new.customer_id)
    before = await services_sold(session, customer.id)
    sold = next((each for each in before if each.id == new.service_id), None)
    if sold is None:
        raise NotFound(f"El cliente no tiene el servicio {new.service_id}.")
    _check_day(sold, new.effective_from, today)
    _, from_plan, from_amount = terms(sold)[-1]
    if (from_plan, from_amount) == (plan.code, amount):
        raise Refused(RULE, f"El servicio ya tiene el plan {plan.name} por ese importe.", remedy="No hay nada que cambiar.")
    change = PlanChange(
        customer_id=customer.id, service_id=sold.id, effective_from=new.effective_from, from_plan=from_plan, from_amount=from_amount,
        to_plan=plan.code, to_kind=plan.kind, to_amount=amount, currency=customer.currency, reason=new.reason, reference=new.reference,
        changed_at=now, changed_by=new.by,
    )  # fmt: skip
    session.add(change)
    await session.flush()
    await publish(session, told_change(change), subject=f"plan_change/{change.id}", version=1, now=now)
    await _apply(session, [customer.id], by=new.by, today=today, now=now)
    decided = Change(new.effective_from, from_plan, from_amount, plan.code, amount, applied=False)
    after = [replace(each, changes=[*each.changes, decided]) if each.id == sold.id else each for each in before]
    said = words_of(change.effective_from, change.from_plan, change.to_plan, operator)
    months = Months(customer.id, before, after, new.effective_from, Cause(f"plan:{change.id}", said, new.by))
    await settle_months(session, [months], operator=operator, prices=prices, now=now)
    return change


async def apply_due(session: AsyncSession, *, today: date, now: datetime) -> int:
    """Plans whose day has come become those of their services. Answers how many customers were looked at."""
    due = [row.customer_id for row in await rows(session, DUE, today, BATCH)]
    if due:
        await rows(session, "SELECT id FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", due)
        await _apply(session, due, by="reloj", today=today, now=now)
    return len(due)


async def _apply(session: AsyncSession, customer_ids: Sequence[UUID], *, by: str, today: date, now: datetime) -> None:
    before = await customer_states(session, customer_ids, today=today)
    await execute(session, APPLY, list(customer_ids), today, now)
    await tell_changes(session, before, by=by, today=today, now=now)


def _wanted(new: NewPlan, operator: Operator) -> tuple[Plan, Decimal]:
    plans = {each.code: each for each in operator.plans}
    plan = plans.get(new.plan_code)
    if plan is None:
        message = f"el catálogo no tiene el plan «{new.plan_code}»{nearest(new.plan_code, plans)}"
        raise Invalid(f"No se cambia el plan: {message}.", errors=[FieldError(field="plan_code", message=message, rule=RULE)])
    amount = plan.monthly_amount if new.monthly_amount is None else new.monthly_amount
    if amount != round_money(amount, operator.money_digits):
        message = f"tiene más decimales que la moneda {operator.currency}"
        raise Invalid("Corrija: monthly_amount.", errors=[FieldError(field="monthly_amount", message=message, rule=RULE)])
    return plan, amount


def _check_day(sold: Sold, day: date, today: date) -> None:
    """From the first day of the last month on, within the service's life, and not before a change that is decided already."""
    earliest = max(sold.active_from, earliest_settled(today))
    latest = min(sold.active_to or date.max, today + AHEAD)
    decided = max((each.effective_from for each in sold.changes), default=earliest)
    if not max(earliest, decided) <= day <= latest:
        why = f"; ya hay un cambio de plan desde el {decided}" if day < decided else ""
        raise Refused(
            RULE,
            f"El plan no puede cambiar desde el {day}{why}.",
            remedy=f"Elija un día del {max(earliest, decided)} al {latest}.",
        )


async def only_service(session: AsyncSession, customer_id: UUID, today: date) -> UUID | None:
    """A customer's one service that has not ended; None when it has none or several."""
    sql = "SELECT id FROM service WHERE customer_id = $1 AND (active_to IS NULL OR active_to >= $2)"
    found = await rows(session, sql, customer_id, today)
    return found[0].id if len(found) == 1 else None
