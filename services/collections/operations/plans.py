"""Payment plans: the debt in instalments (VIP-9, VIP-20, VIP-23)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Plan, PlanInstalment
from services.collections.operations.assessing import settle
from services.collections.operations.commands import Opened, permitted
from services.collections.operations.promises import check_amount, reported_at
from services.collections.rules import wording
from services.collections.rules.agreements import running_plan
from services.collections.rules.debts import ZERO, owed
from services.collections.rules.facts import Facts
from services.collections.rules.states import PlanState
from shared.auth import Principal
from shared.db import execute, new_id
from shared.errors import FieldError, Invalid
from shared.events.collections import Instalment, PaymentPlanAgreed
from shared.operator import Operator


@dataclass(frozen=True)
class NewInstalment:
    """One part of a plan as it is agreed."""

    due_at: datetime
    amount: Decimal
    currency: str


async def agree_plan(
    session: AsyncSession,
    *,
    customer_id: UUID,
    instalments: Sequence[NewInstalment],
    actor: Principal,
    operator: Operator,
    now: datetime,
) -> Plan:
    """Agree to pay all that is owed in instalments, each at the latest at its instant, the first to come first. Replaces a running promise
    and a plan of unknown terms; takes back a cut that was ordered and not carried out yet. Raises NotFound, Refused, Invalid."""
    opened = await permitted(session, customer_id, "payment_plan", actor=actor, operator=operator, now=now)
    _check(opened, instalments, now)
    facts = opened.facts
    unknown = running_plan(facts, now)
    if unknown is not None:
        await execute(session, "UPDATE payment_plan SET holds_until = $2, known_at = $2 WHERE id = $1", unknown.id, now)
    told = [Instalment(number=at, due_at=each.due_at, amount=each.amount) for at, each in enumerate(instalments, start=1)]
    made = await _keep(session, facts, told, agent=actor.person, now=now)
    event = PaymentPlanAgreed(
        plan_id=made.id, customer_id=customer_id, currency=facts.currency, instalments=told, agent=actor.person, agreed_at=now
    )
    opened.changes.tell(customer_id, event)
    await settle(session, opened.changes)
    return made


async def _keep(session: AsyncSession, facts: Facts, instalments: Sequence[Instalment], *, agent: str, now: datetime) -> Plan:
    made = Plan(
        id=new_id(),
        account_id=facts.account_id,
        currency=facts.currency,
        agreed_at=now,
        agent=agent,
        known_payments=reported_at(facts, now),
        state=PlanState.RUNNING,
        state_at=now,
    )
    session.add(made)
    await session.flush()
    session.add_all(PlanInstalment(plan_id=made.id, currency=facts.currency, **dict(each)) for each in instalments)
    return made


def _check(opened: Opened, instalments: Sequence[NewInstalment], now: datetime) -> None:
    facts, terms = opened.facts, opened.terms
    rule = terms.policy.rules["negotiated"]
    errors = [] if instalments else [FieldError(field="instalments", message="falta al menos una cuota", rule=rule)]
    before = now
    for at, each in enumerate(instalments):
        errors += check_amount(terms.operator, f"instalments.{at}.amount", each.amount, each.currency, facts.currency)
        if each.due_at <= before:
            message = "ya pasó" if each.due_at <= now else "debe ser posterior a la cuota anterior"
            errors.append(FieldError(field=f"instalments.{at}.due_at", message=message, rule=rule))
        before = max(before, each.due_at)
    debt, total = owed(facts.invoices, now), sum((each.amount for each in instalments), ZERO)
    if not errors and total != debt:
        sums = wording.money(terms.operator, total, facts.currency), wording.money(terms.operator, debt, facts.currency)
        errors.append(FieldError(field="instalments", message=f"las cuotas suman {sums[0]} y debe {sums[1]}", rule=rule))
    if errors:
        names = ", ".join(dict.fromkeys(each.field for each in errors))
        raise Invalid(f"Corrija: {names}.", rule=rule, errors=errors, remedy="No se guardó nada; las cuotas suman lo que se debe.")
