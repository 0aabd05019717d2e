"""Months that are billed already, when a plan changes or a service begins or ends in them: the difference is charged or credited at once.

What a month costs is computed before and after from the same rules as the run's (rules/proration.py), and only the difference becomes a
document: so all documents of a month together are what the month costs in the end, whatever the number and order of the changes. It makes
no difference who changed the plan: a person, a ticket, a correction of the customer's data or a file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import PlanChange
from services.billing.operations.charges import Charge, Charged, issue_charges
from services.billing.operations.credit_notes import credit_parts, left_of
from services.billing.queries.plans import services_of
from services.billing.rules.crediting import Part
from services.billing.rules.periods import Period
from services.billing.rules.prices import Price
from services.billing.rules.proration import Sold, month_of
from shared.bulk import insert
from shared.calendar import BusinessCalendar
from shared.db import new_id, rows
from shared.errors import Refused
from shared.events.billing import ServicePlanChanged
from shared.money import round_money
from shared.operator import Operator, words
from shared.outbox import Outgoing, publish_many

RULE = "FACT-6"
# Months that this customer's share of the run is issued of; one whose chunk is still to come is billed by it as things stand then.
BILLED = """
SELECT c.id AS customer_id, r.period FROM unnest($1::uuid[], $2::text[]) AS t(id, since) JOIN customer c ON c.id = t.id
JOIN billing_run r ON r.period >= t.since
WHERE (c.last_billed IS NULL OR c.last_billed < r.period) AND (r.state = 'COMPLETED' OR r.state = 'RUNNING'
    AND NOT EXISTS (SELECT FROM billing_run_customer p JOIN billing_chunk k ON k.run_id = p.run_id
        AND p.ordinal BETWEEN k.first_ordinal AND k.last_ordinal WHERE p.run_id = r.id AND p.customer_id = c.id AND k.done_at IS NULL))
ORDER BY r.period
"""
WRITTEN = """
SELECT id, customer_id, plan_code, plan_kind, monthly_amount, currency, active_from, active_to FROM service WHERE id = ANY($1::uuid[])
ORDER BY customer_id, code
"""
INVOICES = "SELECT id FROM invoice WHERE customer_id = $1 AND period = $2 AND state <> 'VOIDED' AND origin <> 'opening' ORDER BY id"


@dataclass(frozen=True)
class Cause:
    """Why months change: `key` names it, `text` says it on the documents, `by` is who decided."""

    key: str
    text: str
    by: str


@dataclass(frozen=True)
class Months:
    """The months of a customer from `since` on, as its services were and are sold."""

    customer_id: UUID
    before: Sequence[Sold]
    after: Sequence[Sold]
    since: date
    cause: Cause


async def keep_plans(session: AsyncSession, *, before: Sequence[Sold], reason: str, by: str, today: date, now: datetime) -> None:
    """Plans and prices that were just written into the services' own rows are changes of plan of today, or of the first day of a service
    that has yet to begin: they are kept and told. `before` are the services as they were."""
    old, found = {each.id: each for each in before}, []
    for row in await rows(session, WRITTEN, list(old)) if old else []:
        were, day = old[row.id], max(today, row.active_from)
        same = (were.plan_code, were.monthly_amount) == (row.plan_code, row.monthly_amount)
        if same or (row.active_to is not None and row.active_to < day):
            continue
        change = PlanChange(
            id=new_id(), customer_id=row.customer_id, service_id=row.id, effective_from=day, from_plan=were.plan_code,
            from_amount=were.monthly_amount, to_plan=row.plan_code, to_kind=row.plan_kind, to_amount=row.monthly_amount,
            currency=row.currency, reason=reason, changed_at=now, changed_by=by, applied_at=now,
        )  # fmt: skip
        found.append(change)
    await insert(session, found)
    await publish_many(session, [Outgoing(told_change(each), f"plan_change/{each.id}", 1) for each in found], now=now)


async def settle_rows(
    session: AsyncSession,
    *,
    before: Mapping[UUID, Sequence[Sold]],
    key: str,
    by: str,
    operator: Operator,
    prices: Mapping[str, Price],
    now: datetime,
) -> None:
    """The same for customers' services that were added, whose first or last day was changed, or whose plan was (`keep_plans`), of this
    month and the last; older months are left to people. `before` are all services of each customer as they were. Raises Refused as
    `settle_months`."""
    after = await services_of(session, list(before)) if before else {}
    today = BusinessCalendar(operator).today(now)
    found = (
        _moved(customer_id, were, after.get(customer_id, []), Cause(key, "", by), operator, today) for customer_id, were in before.items()
    )
    await settle_months(session, [each for each in found if each is not None], operator=operator, prices=prices, now=now)


def _moved(
    customer_id: UUID, before: Sequence[Sold], after: Sequence[Sold], cause: Cause, operator: Operator, today: date
) -> Months | None:
    """What of a customer's services is another than it was; None where nothing of them is."""
    known = {each.id: each for each in before}
    moved, days, said = list[Sold](), list[date](), list[str]()
    for each in after:
        old = known.get(each.id)
        changes = [change for change in each.changes if old is None or change not in old.changes]
        lives = [life for life in (old, each) if life is not None] if old is None or _life(old) != _life(each) else []
        if changes or lives:
            moved.append(each)
        days += [change.effective_from for change in changes]
        days += [day for life in lives for day in (life.active_from, life.active_to or date.max)]
        said += [words_of(change.effective_from, change.from_plan, change.to_plan, operator) for change in changes]
    if not moved:
        return None
    since, text = max(min(days), earliest_settled(today)), "; ".join(dict.fromkeys(said)) or "Alta o baja de servicio"
    return Months(customer_id, [known[each.id] for each in moved if each.id in known], moved, since, replace(cause, text=text))


def words_of(day: date, from_plan: str, to_plan: str, operator: Operator) -> str:
    """A change of plan as documents tell it."""
    names = {each.code: each.name for each in operator.plans}
    old, new, when = names.get(from_plan, from_plan), names.get(to_plan, to_plan), words.day(operator, day)
    return f"Cambio de plan desde el {when}: {old} → {new}" if old != new else f"Cambio de precio desde el {when}: {new}"


def told_change(change: PlanChange) -> ServicePlanChanged:
    """What is told of a change of plan."""
    return ServicePlanChanged(monthly_amount=change.to_amount, **change.model_dump(include=set(ServicePlanChanged.model_fields)))


def earliest_settled(today: date) -> date:
    """The first day of the last month: what lies before it is put right by people."""
    return Period.of(Period.of(today).first_day - timedelta(days=1)).first_day


def _life(sold: Sold) -> tuple[date, date | None]:
    return sold.active_from, sold.active_to


Amounts = dict[tuple[UUID, str], Decimal]  # service and tax → before tax


async def settle_months(
    session: AsyncSession, wanted: Sequence[Months], *, operator: Operator, prices: Mapping[str, Price], now: datetime
) -> None:
    """Charge or credit what the months from `since` on, as far as they are billed, cost more or less than before. The customers are locked.

    What was not billed, or was credited already, is not credited. Raises Refused when a dispute or the fiscal series stands against it.
    """
    of, charged, credited = {each.customer_id: each for each in wanted}, list[Charged](), list[tuple[Months, Period, Amounts]]()
    since = [str(Period.of(each.since)) for each in of.values()]
    for row in await rows(session, BILLED, list(of), since) if of else []:
        months, period = of[row.customer_id], Period.parse(row.period)
        old, new = (_amounts(each, period, operator, prices) for each in (months.before, months.after))
        differences = {key: new.get(key, Decimal(0)) - old.get(key, Decimal(0)) for key in sorted({*old, *new})}
        if more := [(key, each) for key, each in differences.items() if each > 0]:
            charges = [_charge(key, each, period, months.cause, operator) for key, each in more]
            charged.append(Charged(months.customer_id, f"{months.cause.key}:{period}", period, charges))
        if less := {key: -each for key, each in differences.items() if each < 0}:
            credited.append((months, period, less))
    if charged:
        await issue_charges(session, charged=charged, operator=operator, now=now)
    for months, period, less in credited:
        await _credit(session, months.customer_id, period, less, months.cause, operator, now)


def _amounts(services: Sequence[Sold], period: Period, operator: Operator, prices: Mapping[str, Price]) -> Amounts:
    """What the services cost in a month. Raises Refused for a plan that the catalogue no longer has."""
    taxes = {plan.code: plan.tax for plan in operator.plans}
    found: Amounts = {}
    for sold in services:
        for days in month_of(sold, period, operator.money_digits, prices):
            if days.plan_code not in taxes:
                raise Refused(RULE, f"El catálogo no tiene el plan «{days.plan_code}».", remedy="Agréguelo a catalog/plans.yaml.")
            key = (sold.id, taxes[days.plan_code])
            found[key] = found.get(key, Decimal(0)) + days.amount
    return found


def _charge(key: tuple[UUID, str], base: Decimal, period: Period, cause: Cause, operator: Operator) -> Charge:
    service_id, tax_code = key
    rate = operator.tax(tax_code).rate
    return Charge(f"{cause.text} · {period}", base, tax_code, rate, round_money(base * rate, operator.money_digits), service_id)


async def _credit(
    session: AsyncSession, customer_id: UUID, period: Period, less: Amounts, cause: Cause, operator: Operator, now: datetime
) -> None:
    """Notes on the month's invoices, as far as they have lines of these services left."""
    for row in await rows(session, INVOICES, customer_id, str(period)):
        parts = []
        for left in await left_of(session, row.id):
            key = (left.service_id, left.tax_code)
            if left.service_id is None or key not in less:
                continue
            base = min(less[key], left.base)
            less[key] -= base
            tax = left.tax if base == left.base else min(round_money(base * left.tax_rate, operator.money_digits), left.tax)
            parts.append(Part(left.service_id, f"{cause.text} · {period}", left.tax_code, left.tax_rate, base, tax))
        parts = [each for each in parts if each.total > 0]
        if parts:
            await credit_parts(session, invoice_id=row.id, parts=parts, reason=cause.text, by=cause.by, operator=operator, now=now)
