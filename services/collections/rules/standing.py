"""The collection status: one function of facts, policy and instant (docs/adr/0005). Nothing else says what a customer's status is."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.collections.rules.agreements import judge_promise, judged_plans, running_plan
from services.collections.rules.debts import ZERO, confirmed_open, exists, open_disputes, owed, reported_between
from services.collections.rules.facts import Deduction, Facts, Payment, Promise, Restriction, Review, Suspension
from services.collections.rules.records import dataclass
from services.collections.rules.states import PlanState, PromiseState
from services.collections.rules.terms import Terms


@dataclass(frozen=True, slots=True)
class Standing:
    """A status: its stable code, since when, the decision of the policy that it rests on, and the fact (`cause`, by id) behind it."""

    code: str
    since: datetime
    decision: str
    cause: str
    fact_id: UUID | None = None


def standing(facts: Facts, terms: Terms, now: datetime) -> Standing:
    """What the account's status is at this instant. Restricted is what an active one is while a restriction stands."""
    asked = facts.found_out.get((standing, now))
    if asked is None or asked[0] is not terms:  # once, as `once` does it; the same facts may be looked at by other terms
        asked = facts.found_out[standing, now] = terms, _found(facts, terms, now)
    return asked[1]


def _found(facts: Facts, terms: Terms, now: datetime) -> Standing:
    found = _but_for_restrictions(facts, terms, now)
    restriction = current_restriction(facts, now) if found.code == "active" and facts.restrictions else None
    if restriction is None or restriction.restricted_at is None:
        return found
    return Standing("restricted", max(restriction.restricted_at, found.since), "restriction", "restriction", restriction.id)


def may_be_cut(actual: Standing, wanted: str) -> bool:
    """Is this the status that a policy asks for before a cut? Who is restricted is active for that."""
    return actual.code == wanted or (actual.code == "restricted" and wanted == "active")


def _but_for_restrictions(facts: Facts, terms: Terms, now: datetime) -> Standing:
    cut = current_cut(facts, now)
    if cut is not None and cut.suspended_at is not None:
        if in_recovery(cut, now):
            return Standing("recovery", cut.recovery_requested_at or cut.suspended_at, "recovery", "recovery", cut.id)
        return Standing("suspended", cut.suspended_at, "suspended", "cut", cut.id)
    plan = running_plan(facts, now)
    if plan is not None:
        return Standing("payment_plan", plan.agreed_at, "negotiated", "plan", plan.id)
    review = review_under_way(facts, now)
    if review is not None:
        return Standing("under_review", review.opened_at, "negotiated", "review", review.id)
    dispute = reviewed_dispute(facts, terms, now)
    if dispute is not None:
        return Standing("under_review", dispute.since, "negotiated", "dispute", dispute.id)
    trial = last_reconnection(facts, now)
    if trial is None:
        return Standing("active", _latest_end(facts, now, facts.registered_at), "segment", "none")
    assert trial.reconnected_at is not None
    ended = trial_end(trial, facts, now)
    if ended is None:
        return Standing(trial.target_status or "active", trial.reconnected_at, "status_after", f"trial_{trial.basis}", trial.id)
    return Standing("active", _latest_end(facts, now, ended), "returns", "trial_over", trial.id)


def reviewed_dispute(facts: Facts, terms: Terms, now: datetime) -> Deduction | None:
    """The latest dispute, where the policy has the customer under review for its disputes."""
    wanted, disputes = terms.policy.disputes, open_disputes(facts, now)
    if not disputes or wanted.under_review == "never":
        return None
    if wanted.at_least is not None and sum(each.amount for each in disputes) < wanted.at_least:
        return None
    if wanted.under_review == "all" and owed(facts.invoices, now) > ZERO:  # what else is owed is collected
        return None
    return disputes[-1]


def current_cut(facts: Facts, now: datetime) -> Suspension | None:
    """The cut that stands: done, and not reconnected."""
    if not facts.suspensions:  # as it nearly always is
        return None
    cuts = (each for each in reversed(facts.suspensions) if each.suspended_at is not None)
    return next((each for each in cuts if _under_way(each.suspended_at, each.reconnected_at, now)), None)


def current_restriction(facts: Facts, now: datetime) -> Restriction | None:
    """The restriction that stands: done, and not over."""
    return next((each for each in reversed(facts.restrictions) if _under_way(each.restricted_at, each.ended_at, now)), None)


def review_under_way(facts: Facts, now: datetime) -> Review | None:
    """The review of the billing that is open."""
    return next((each for each in facts.reviews if _under_way(each.opened_at, each.closed_at, now)), None)


def in_recovery(cut: Suspension, now: datetime) -> bool:
    """Does recovery have the case of a cut that stands?"""
    return _under_way(cut.recovery_requested_at, cut.recovery_ended_at, now)


def last_reconnection(facts: Facts, now: datetime) -> Suspension | None:
    """The cut that was last reconnected."""
    done = [each for each in facts.suspensions if each.reconnected_at is not None and each.reconnected_at <= now]
    return max(done, key=lambda each: (each.reconnected_at, each.requested_at), default=None)


def trial_end(cut: Suspension, facts: Facts, now: datetime) -> datetime | None:
    """When what the reconnection rests on came to its end; None while it holds.

    A payment holds until it is settled, a promise until it is broken or what kept it is settled; a plan or a review is a status of its own.
    """
    assert cut.reconnected_at is not None
    if cut.holds_until is not None:
        return _imported_end(cut, facts, now)
    asked = cut.reconnection_requested_at or cut.reconnected_at
    if cut.basis == "promise":
        promise = next((each for each in reversed(facts.promises) if each.made_at <= asked), None)
        return cut.reconnected_at if promise is None else _promise_end(promise, cut.reconnected_at, facts, now)
    if cut.basis == "payment":
        paid = _reported(facts, cut.requested_at, cut.reconnected_at)
        rests_on = [each.id for each in paid] if cut.rests_on is None else cut.rests_on
        return _payments_end(paid, asked, cut.reconnected_at, now, rests_on=rests_on)
    return cut.reconnected_at


def _promise_end(promise: Promise, reconnected_at: datetime, facts: Facts, now: datetime) -> datetime | None:
    judged = judge_promise(promise, facts, now)
    if judged.state == PromiseState.RUNNING:
        return None
    if judged.state != PromiseState.KEPT:
        return max(judged.at, reconnected_at)
    paid = reported_between(facts, promise.made_at, promise.due_at, now, promise.known_payments)
    return _payments_end(paid, judged.at, reconnected_at, now)


def _payments_end(
    payments: list[Payment], asked: datetime, reconnected_at: datetime, now: datetime, *, rests_on: Sequence[UUID] = ()
) -> datetime | None:
    """A rejection ends the trial at once; else it holds until every one of these payments is confirmed. What was rejected before it was
    asked for counts when the reconnection rests on it all the same (`rests_on`): we heard of the rejection later."""
    rejected = [
        each.rejected_at
        for each in payments
        if each.rejected_at is not None and each.rejected_at <= now and (asked < each.rejected_at or each.id in rests_on)
    ]
    if rejected:
        return max(min(rejected), reconnected_at)
    settled = [each.confirmed_at if _known(each.confirmed_at, now) else None for each in payments if not _known(each.rejected_at, now)]
    if any(each is None for each in settled):
        return None
    return max((each for each in settled if each is not None), default=reconnected_at)


def _imported_end(cut: Suspension, facts: Facts, now: datetime) -> datetime | None:
    """A customer that came to us in this status keeps it until its debt is settled, or the day on which nobody knows more."""
    assert cut.holds_until is not None
    assert cut.reconnected_at is not None
    issued = [each for each in facts.invoices if exists(each, now)]
    if issued and all(confirmed_open(each, now) == ZERO for each in issued):
        settled = [each.confirmed_at for each in facts.payments if each.confirmed_at is not None and each.confirmed_at <= now]
        return max(settled, default=cut.reconnected_at)
    return cut.holds_until if now >= cut.holds_until else None


def _reported(facts: Facts, since: datetime, until: datetime) -> list[Payment]:
    return [each for each in facts.payments if since <= each.reported_at <= until]


def _known(instant: datetime | None, now: datetime) -> bool:
    return instant is not None and instant <= now


def _under_way(begin: datetime | None, end: datetime | None, now: datetime) -> bool:
    return begin is not None and begin <= now and not (end is not None and end <= now)


def _latest_end(facts: Facts, now: datetime, start: datetime) -> datetime:
    """Since when nothing else has been the case: the latest end of a cut, a plan or a review, or the start."""
    ends = [start]
    ends += [each.closed_at for each in facts.reviews if each.closed_at is not None and each.closed_at <= now]
    deductions = (each for invoice in facts.invoices if invoice.deductions for each in invoice.deductions)
    ends += [each.until for each in deductions if each.until is not None and each.until <= now]
    ends += [each.reconnected_at for each in facts.suspensions if each.reconnected_at is not None and each.reconnected_at <= now]
    done = (each for each in facts.restrictions if each.restricted_at is not None)
    ends += [each.ended_at for each in done if each.ended_at is not None and each.ended_at <= now]
    ends += [judged.at for _, judged in judged_plans(facts, now) if judged.state != PlanState.RUNNING and judged.at <= now]
    return max(ends)
