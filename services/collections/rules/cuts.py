"""The cut of an account as its facts show it: the order under way, the notice before it, what it is for, and what frees from it."""

from datetime import datetime, timedelta
from itertools import takewhile

from services.collections.rules import wording
from services.collections.rules.agreements import judged_plans, judged_promises
from services.collections.rules.debts import believed_open, overdue, owed, partly_paid, reported_between, unpaid, unpaid_months
from services.collections.rules.facts import Facts, Invoice, Notice, Outage, Suspension
from services.collections.rules.states import UNFINISHED, PlanState, PromiseState, SuspensionState, WithdrawCause
from services.collections.rules.terms import Terms

CONTRADICTED = 5  # orders that are cancelled in a row
FIRST_WAIT, LONGEST_WAIT = timedelta(hours=1), timedelta(days=1)  # business time until the next


def open_outages(facts: Facts, now: datetime) -> list[Outage]:
    """The outages behind which the account is at this instant."""
    return [each for each in facts.outages if each.declared_at <= now and not (each.closed_at is not None and each.closed_at <= now)]


def unfinished(facts: Facts) -> Suspension | None:
    """The order to cut that has not come to its end: requested, withdrawn without an answer, cut, or being reconnected."""
    return next((each for each in reversed(facts.suspensions) if each.state in UNFINISHED), None)


def valid_notice(facts: Facts, now: datetime) -> Notice | None:
    """The notice that counts: for a month that is unpaid, not failed, and no cut was done since."""
    periods = {each.period for each in unpaid_months(facts, now)}
    cuts = [each.suspended_at for each in facts.suspensions if each.suspended_at is not None and each.suspended_at <= now]
    after = max(cuts, default=None)
    good = [each for each in facts.notices if each.requested_at <= now and each.period in periods and each.failed_at is None]
    good = [each for each in good if after is None or each.requested_at >= after]
    return min((each for each in good if each.accepted_at is not None), key=_accepted, default=good[-1] if good else None)


def _accepted(notice: Notice) -> datetime:
    assert notice.accepted_at is not None
    return notice.accepted_at


def last_failed(facts: Facts, now: datetime) -> Notice | None:
    """The last notice, when it did not reach everybody."""
    last = next((each for each in reversed(facts.notices) if each.requested_at <= now), None)
    return last if last is not None and last.failed_at is not None and last.accepted_at is None else None


def cuttable(facts: Facts, terms: Terms, now: datetime) -> list[Invoice]:
    """The invoices for which the day allows a cut: unpaid, and with `reported_payment_counts: any` not even partly reported as paid."""
    found = [each for each in unpaid_months(facts, now) if terms.cut_from(each) <= now]
    if terms.policy.suspension.reported_payment_counts == "any":
        return [each for each in found if not partly_paid(each, now)]
    return found


def contradicted_until(facts: Facts) -> datetime | None:
    """Until when the next order waits, because each of the last CONTRADICTED was cancelled by ticketing although nothing was learned of
    payments since before it was made: ticketing then goes by a payment of which it has not heard all that we have, and would cancel the
    next one, too. Each further one doubles the wait."""
    if len(facts.suspensions) < CONTRADICTED:
        return None
    told = [at for each in facts.payments for at in (each.reported_at, each.confirmed_at, each.rejected_at) if at is not None]
    learned = max(told, default=facts.registered_at)
    vain = list(takewhile(lambda each: _cancelled_elsewhere(each) and each.requested_at >= learned, reversed(facts.suspensions)))
    if len(vain) < CONTRADICTED or vain[0].ended_at is None:
        return None
    return vain[0].ended_at + min(FIRST_WAIT * (1 << min(len(vain) - CONTRADICTED, 9)), LONGEST_WAIT)


def interrupted(facts: Facts) -> Suspension | None:
    """The order that an outage took back and nobody has repeated."""
    last = facts.suspensions[-1] if facts.suspensions else None
    if last is None or last.state != SuspensionState.CANCELLED or last.withdraw_cause != WithdrawCause.OUTAGE:
        return None
    return last


def _cancelled_elsewhere(cut: Suspension) -> bool:
    """Did ticketing end it before it was done, without our asking?"""
    return cut.state == SuspensionState.CANCELLED and cut.withdrawn_at is None


def cut_reason(facts: Facts, terms: Terms, now: datetime) -> str:
    """Why the service is cut, in a sentence for tickets and mails."""
    debts = overdue(facts, now)
    amount = wording.money(terms.operator, owed(debts, now), facts.currency)
    months = wording.listed(list(dict.fromkeys(wording.month(terms.operator, each.period) for each in debts if each.fee is None)))
    broken = broken_agreement(facts, now)
    return f"Falta de pago de {months}: debe {amount}" + (f"; {broken}." if broken else ".")


def broken_agreement(facts: Facts, now: datetime) -> str | None:
    """The agreement that was last broken for what is owed, in words; None when there is none."""
    periods = {each.period for each in unpaid(facts, now)}
    broken = [each for each, judged in judged_promises(facts, now) if judged.state == PromiseState.BROKEN and each.period in periods]
    if broken:
        return f"incumplió {len(broken)} compromisos de pago" if len(broken) > 1 else "incumplió su compromiso de pago"
    return "incumplió su plan de pago" if any(judged.state == PlanState.BROKEN for _, judged in judged_plans(facts, now)) else None


def release_covered(cut: Suspension, facts: Facts, terms: Terms, now: datetime) -> bool:
    """Do reported payments free the service: all that it was cut for, or with `any` one payment since the order? Of a cut that the
    customer brought along we know only what it pays since."""
    paid = bool(reported_between(facts, cut.requested_at, now, now))
    if terms.policy.suspension.reported_payment_counts == "any" and paid:
        return True
    return (paid or bool(cut.invoice_ids)) and not any(believed_open(each, now) for each in cut_invoices(cut, facts, terms, now))


def cut_invoices(cut: Suspension, facts: Facts, terms: Terms, now: datetime) -> list[Invoice]:
    """What must be paid to be reconnected: the order's invoices, and whatever would allow a new cut at once; for a cut that the customer
    brought along all that is overdue."""
    if not cut.invoice_ids:
        return [each for each in facts.invoices if each.due_ends_at <= now]
    return [each for each in facts.invoices if each.id in cut.invoice_ids or (each.fee is None and terms.cut_from(each) <= now)]


def still_requested(cut: Suspension) -> bool:
    """Is the order out and neither taken back nor answered?"""
    return cut.state == SuspensionState.REQUESTED and cut.withdrawn_at is None
