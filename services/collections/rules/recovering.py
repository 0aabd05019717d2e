"""When a cut customer that still owes is handed to recovery (VIP-16). Pure; texts are Spanish."""

from datetime import date, datetime

from services.collections.rules.debts import owed, unpaid
from services.collections.rules.facts import Facts, Suspension
from services.collections.rules.standing import current_cut, in_recovery
from services.collections.rules.states import Source, SuspensionState
from services.collections.rules.terms import Terms, day_of_period
from services.collections.rules.wording import day, listed, moment, money, month


def recoverable(facts: Facts, now: datetime) -> Suspension | None:
    """The cut that stands, is not being reconnected, and whose case recovery does not have."""
    cut = current_cut(facts, now)
    if cut is None or cut.state != SuspensionState.SUSPENDED or in_recovery(cut, now):
        return None
    return cut


def unopened(facts: Facts, terms: Terms, now: datetime) -> Suspension | None:
    """The cut of a customer that came to us in recovery and owes by what we know: nobody has its case here yet (our choice: its work was
    begun elsewhere, and would be forgotten)."""
    cut = current_cut(facts, now)
    if cut is None or cut.source != Source.IMPORT or cut.recovery_id is not None or not in_recovery(cut, now):
        return None
    return cut if terms.policy.recovery is not None and unpaid(facts, now) else None


def recovery_from(cut: Suspension, facts: Facts, terms: Terms, now: datetime) -> datetime | None:
    """When the case goes to recovery if nothing more is paid; None where the policy has no recovery or nothing is owed.

    The policy's day of a month that follows the oldest unpaid one, and the first that comes after the cut: nobody loses the equipment on
    the day on which the service was cut, and a day that a changed policy has now is not one that was (our choices).
    """
    recovery, debts = terms.policy.recovery, unpaid(facts, now)
    if recovery is None or not debts:
        return None
    oldest = min(debts, key=lambda each: each.due_date)
    after = max(cut.suspended_at or cut.requested_at, terms.cut_from(oldest), facts.recovery_since or facts.registered_at)
    period = _next_month(oldest.due_date)
    while (at := terms.calendar.at(day_of_period(period.isoformat(), recovery.day_of_month), recovery.at)) <= after:
        period = _next_month(period)
    return at


def _next_month(period: date) -> date:
    return date(period.year + period.month // 12, period.month % 12 + 1, 1)


def recovery_reason(cut: Suspension, facts: Facts, terms: Terms, now: datetime) -> str:
    """Why the case goes to recovery, in a sentence for tickets and mails."""
    debts = unpaid(facts, now)
    months = list(dict.fromkeys(month(terms.operator, each.period) for each in debts))
    unpaid_since = f"{listed(months)} {'siguen' if len(months) > 1 else 'sigue'} sin pagarse"
    cut_on = moment(terms.operator, cut.suspended_at or cut.requested_at)
    came = f"Importado como {terms.policy.statuses['recovery']}" if in_recovery(cut, now) else f"Suspendido desde el {cut_on}"
    amount, today = money(terms.operator, owed(debts, now), facts.currency), day(terms.operator, terms.calendar.today(now))
    return f"{came}; {unpaid_since} el {today}: debe {amount}."
