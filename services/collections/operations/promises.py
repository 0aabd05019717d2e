"""Promises to pay (VIP-11)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Promise
from services.collections.operations.assessing import settle
from services.collections.operations.commands import Opened, permitted
from services.collections.rules import wording
from services.collections.rules.agreeing import promise_limit
from services.collections.rules.debts import owed, unpaid
from services.collections.rules.facts import Facts
from shared.auth import Principal
from shared.errors import FieldError, Invalid, Refused
from shared.events.collections import PromiseMade
from shared.money import round_money
from shared.operator import Operator


async def make_promise(
    session: AsyncSession,
    *,
    customer_id: UUID,
    amount: Decimal,
    currency: str,
    due_at: datetime,
    actor: Principal,
    operator: Operator,
    now: datetime,
) -> Promise:
    """The customer promises to pay `amount` by `due_at` (that instant included), for its oldest unpaid month. Takes back a cut that was
    ordered and not carried out yet. Raises NotFound, Refused, and Invalid for an amount or instant that makes no sense."""
    opened = await permitted(session, customer_id, "promise", actor=actor, operator=operator, now=now)
    _check(opened, amount, currency, due_at, now)
    made = Promise(account_id=customer_id, amount=amount, currency=currency, due_at=due_at, agent=actor.person, **_place(opened.facts, now))
    session.add(made)
    opened.changes.tell(customer_id, _told(made))
    await settle(session, opened.changes)
    return made


def _place(facts: Facts, now: datetime) -> dict[str, Any]:
    """Where a promise made now stands: for the oldest unpaid month, after those made for it, after the payments known by then."""
    period = unpaid(facts, now)[0].period
    ordinal = 1 + sum(each.period == period for each in facts.promises)
    return {"period": period, "ordinal": ordinal, "made_at": now, "state_at": now, "known_payments": reported_at(facts, now)}


def _told(made: Promise) -> PromiseMade:
    return PromiseMade(
        promise_id=made.id,
        customer_id=made.account_id,
        ordinal=made.ordinal,
        amount=made.amount,
        currency=made.currency,
        due_at=made.due_at,
        agent=made.agent,
        period=made.period,
    )


def reported_at(facts: Facts, now: datetime) -> list[UUID]:
    """The payments reported in this very instant, or later by another service's clock: what is agreed now comes after them."""
    return [each.id for each in facts.payments if each.reported_at >= now]


def check_amount(operator: Operator, field: str, amount: Decimal, currency: str, account_currency: str) -> list[FieldError]:
    """What is wrong with an amount of money, if anything."""
    if currency != account_currency:
        return [FieldError(field=f"{field}.currency", message=f"el cliente paga en {account_currency}, no en {currency}")]
    if amount <= 0:
        return [FieldError(field=f"{field}.amount", message="debe ser mayor que cero")]
    if amount != round_money(amount, operator.money_digits):
        return [FieldError(field=f"{field}.amount", message=f"{currency} tiene {operator.money_digits} decimales")]
    return []


def _check(opened: Opened, amount: Decimal, currency: str, due_at: datetime, now: datetime) -> None:
    facts, terms = opened.facts, opened.terms
    rule = terms.policy.rules["promises"]
    errors = check_amount(terms.operator, "amount", amount, currency, facts.currency)
    debt = owed(facts.invoices, now)
    if not errors and amount > debt:
        message = f"es más de lo que debe: {wording.money(terms.operator, debt, facts.currency)}"
        errors.append(FieldError(field="amount.amount", message=message, rule=rule))
    if due_at <= now:
        message = f"ya pasó: ahora es el {wording.moment(terms.operator, now)}"
        errors.append(FieldError(field="due_at", message=message, rule=rule))
    if errors:
        names = ", ".join(each.field for each in errors)
        raise Invalid(f"Corrija: {names}.", rule=rule, errors=errors, remedy="No se guardó nada; corrija y envíe de nuevo.")
    limit = promise_limit(facts, terms, now)
    if due_at > limit:
        raise Refused(
            rule,
            f"{_why(facts, terms.policy.promises.second_within, now)} El compromiso puede ser a más tardar para "
            f"{wording.until(terms.operator, limit)}.",
            remedy="Acuerde una fecha anterior, o un plan de pago.",
            errors=[FieldError(field="due_at", message=f"a más tardar {limit.astimezone(terms.operator.zone).isoformat()}", rule=rule)],
        )


def _why(facts: Facts, within: timedelta, now: datetime) -> str:
    period = unpaid(facts, now)[0].period
    again = any(each.period == period for each in facts.promises)
    return f"El segundo compromiso no pasa de {wording.span(within)} después del primero." if again else "La fecha es demasiado lejana."
