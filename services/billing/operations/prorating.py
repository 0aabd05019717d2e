"""Months that are billed already, when a plan changes or a service begins or ends in them: the difference is charged or credited at once.

What a month costs is computed before and after from the same rules as the run's (rules/proration.py), and only the difference becomes a
document: so all documents of a month together are what the month costs in the end, whatever the number and order of the changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.charges import Charge, Charged, issue_charges
from services.billing.operations.credit_notes import credit_parts, left_of
from services.billing.queries.plans import services_sold
from services.billing.rules.crediting import Part
from services.billing.rules.periods import Period
from services.billing.rules.prices import Price
from services.billing.rules.proration import Sold, month_of
from shared.calendar import BusinessCalendar
from shared.db import rows
from shared.errors import Refused
from shared.money import round_money
from shared.operator import Operator

RULE = "FACT-6"
# Months that this customer's share of the run is issued of; one whose chunk is still to come is billed by it as things stand then.
BILLED = """
SELECT r.period FROM billing_run r JOIN customer c ON c.id = $1
WHERE r.period >= $2 AND (c.last_billed IS NULL OR c.last_billed < r.period) AND (r.state = 'COMPLETED' OR r.state = 'RUNNING'
    AND NOT EXISTS (SELECT FROM billing_run_customer p JOIN billing_chunk k ON k.run_id = p.run_id
        AND p.ordinal BETWEEN k.first_ordinal AND k.last_ordinal WHERE p.run_id = r.id AND p.customer_id = $1 AND k.done_at IS NULL))
ORDER BY r.period
"""
INVOICES = "SELECT id FROM invoice WHERE customer_id = $1 AND period = $2 AND state <> 'VOIDED' AND origin <> 'opening' ORDER BY id"


@dataclass(frozen=True)
class Cause:
    """Why months change: `key` names it, `text` says it on the documents, `by` is who decided."""

    key: str
    text: str
    by: str


async def settle_dates(
    session: AsyncSession,
    *,
    customer_id: UUID,
    before: Sequence[Sold],
    cause: Cause,
    operator: Operator,
    prices: Mapping[str, Price],
    now: datetime,
) -> None:
    """The same for services that were added, or whose first or last day was changed, of this month and the last; older months are left to
    people. A plan or price corrected beside it counts from the next run on."""
    known = {each.id: each for each in before}
    after = await services_sold(session, customer_id)
    moved = [each for each in after if each.id not in known or _life(each) != _life(known[each.id])]
    if not moved:
        return
    were = [replace(each, active_from=old.active_from, active_to=old.active_to) for each in moved if (old := known.get(each.id))]
    days = [day for each in (*moved, *were) for day in (each.active_from, each.active_to or date.max)]
    since = max(min(days), earliest_settled(BusinessCalendar(operator).today(now)))
    await settle_months(
        session, customer_id=customer_id, before=were, after=moved, since=since, cause=cause, operator=operator, prices=prices, now=now
    )


def earliest_settled(today: date) -> date:
    """The first day of the last month: what lies before it is put right by people."""
    return Period.of(Period.of(today).first_day - timedelta(days=1)).first_day


def _life(sold: Sold) -> tuple[date, date | None]:
    return sold.active_from, sold.active_to


Amounts = dict[tuple[UUID, str], Decimal]  # service and tax → before tax


async def settle_months(
    session: AsyncSession,
    *,
    customer_id: UUID,
    before: Sequence[Sold],
    after: Sequence[Sold],
    since: date,
    cause: Cause,
    operator: Operator,
    prices: Mapping[str, Price],
    now: datetime,
) -> None:
    """Charge or credit what the months from `since` on, as far as they are billed, cost more or less than before. The customer is locked.

    What was not billed, or was credited already, is not credited. Raises Refused when a dispute or the fiscal series stands against it.
    """
    for row in await rows(session, BILLED, customer_id, str(Period.of(since))):
        period = Period.parse(row.period)
        old, new = (_amounts(each, period, operator, prices) for each in (before, after))
        differences = {key: new.get(key, Decimal(0)) - old.get(key, Decimal(0)) for key in sorted({*old, *new})}
        more = [(key, each) for key, each in differences.items() if each > 0]
        if more:
            charges = [_charge(key, each, period, cause, operator) for key, each in more]
            key = f"{cause.key}:{period}"
            await issue_charges(session, charged=[Charged(customer_id, key, period, charges)], operator=operator, now=now)
        less = {key: -each for key, each in differences.items() if each < 0}
        if less:
            await _credit(session, customer_id, period, less, cause, operator, now)


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
