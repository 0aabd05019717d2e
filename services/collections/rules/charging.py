"""Fees that a policy charges: for being late, and for a reconnection. Billing makes the invoices (collections.fee_due.v1)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from services.collections.rules.actions import ChargeFee
from services.collections.rules.agreements import judged_plans, judged_promises, running_plan, running_promise
from services.collections.rules.debts import owed, unpaid_months
from services.collections.rules.facts import Facts, Invoice, Suspension
from services.collections.rules.holds import ended, held
from services.collections.rules.states import FeeKind, PlanState, PromiseState
from services.collections.rules.terms import Terms
from services.collections.rules.wording import counted, listed, money
from shared.money import round_money
from shared.operator import LateFee

LATE_FEE = timedelta(days=3)


def late_fees(facts: Facts, terms: Terms, now: datetime) -> Iterator[ChargeFee]:
    """The late fees that are due now and were not charged. None while something agreed runs or the customer is left out (COB-1), none on
    fees, and none for an invoice that was late already when it came to us.

    Its day is charged within LATE_FEE or never: a fee that the policy has only since, or under which a customer only came since, is not
    for days gone by."""
    fee = terms.policy.fees.late if terms.policy.fees is not None else None
    late = _late(facts, terms, now) if fee is not None else []
    if fee is None or not late or held(facts, now) or running_plan(facts, now) or running_promise(facts, now):
        return
    charged = {each.occasion for each in facts.fees}
    if fee.once_per == "month":
        begins = _month_begins(fee, terms, now)
        due = max(begins, min(_chargeable_from(each, facts, terms, now) for each in late))
        if begins <= now < due + LATE_FEE:
            yield from _charge(fee, f"late/{terms.calendar.today(now):%Y-%m}", late, charged, facts, terms, now)
        return
    for each in late:
        if f"late/{each.id}" not in charged and now < _chargeable_from(each, facts, terms, now) + LATE_FEE:
            yield from _charge(fee, f"late/{each.id}", [each], charged, facts, terms, now)


def _late(facts: Facts, terms: Terms, now: datetime) -> list[Invoice]:
    return [each for each in unpaid_months(facts, now) if each.issued_at <= terms.late_fee_from(each) <= now]


def _chargeable_from(invoice: Invoice, facts: Facts, terms: Terms, now: datetime) -> datetime:
    """When the fee on a late invoice could be charged: on its day, or when what kept it off came to its end: an agreement, a hold, a
    payment that was believed, a dispute."""
    ends = [each.rejected_at for each in invoice.parts] + [each.until for each in invoice.deductions]
    ends += [ended(each) for each in facts.holds]
    ends += [each.at for _, each in judged_promises(facts, now) if each.state != PromiseState.RUNNING]
    ends += [each.at for _, each in judged_plans(facts, now) if each.state != PlanState.RUNNING]
    return max([terms.late_fee_from(invoice), *(each for each in ends if each is not None and each <= now)])


def _month_begins(fee: LateFee, terms: Terms, now: datetime) -> datetime:
    return terms.calendar.at(terms.calendar.today(now).replace(day=1), fee.at)


def _charge(
    fee: LateFee, occasion: str, late: list[Invoice], charged: set[str], facts: Facts, terms: Terms, now: datetime
) -> Iterator[ChargeFee]:
    amount = late_amount(fee, late, terms, now)
    if occasion in charged or amount <= 0:
        return
    today = terms.calendar.today(now)
    days = counted(max((today - each.due_date).days for each in late), "día")
    numbers = listed([each.number for each in late])
    owes = money(terms.operator, owed(late, now), facts.currency)
    reason = f"{'Facturas' if len(late) > 1 else 'Factura'} {numbers} con {days} de atraso: debe {owes}."
    yield ChargeFee(FeeKind.LATE, occasion, late[0].id, amount, fee.rule, reason)


def late_amount(fee: LateFee, late: list[Invoice], terms: Terms, now: datetime) -> Decimal:
    """The fee on these invoices: fixed, or a part of what is open on them."""
    if fee.amount is not None:
        return round_money(fee.amount, terms.operator.money_digits)
    return round_money(owed(late, now) * (fee.percent or Decimal(0)) / 100, terms.operator.money_digits)


def late_instants(facts: Facts, terms: Terms, now: datetime) -> Iterator[datetime]:
    """When time alone may make a late fee due."""
    fee = terms.policy.fees.late if terms.policy.fees is not None else None
    debts = unpaid_months(facts, now) if fee is not None else []
    if fee is None or not debts:
        return
    yield from (terms.late_fee_from(each) for each in debts)
    if fee.once_per == "month":
        this = terms.calendar.today(now).replace(day=1)
        yield from (terms.calendar.at(day, fee.at) for day in (this, (this + timedelta(days=31)).replace(day=1)))


def reconnection_fee(cut: Suspension, facts: Facts, terms: Terms) -> ChargeFee | None:
    """What the reconnection of this cut costs, once however often it is ordered; None where the policy charges nothing."""
    fee = terms.policy.fees.reconnection if terms.policy.fees is not None else None
    occasion = f"reconnection/{cut.id}"
    if fee is None or any(each.occasion == occasion for each in facts.fees):
        return None
    amount = round_money(fee.amount, terms.operator.money_digits)
    return ChargeFee(FeeKind.RECONNECTION, occasion, None, amount, fee.rule, "Reconexión del servicio suspendido.")
