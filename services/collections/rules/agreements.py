"""Kept or broken: the ledger decides, not a person."""

from datetime import datetime

from services.collections.rules.debts import ZERO, confirmed_open, exists, owed, reported_between
from services.collections.rules.facts import Facts, Plan, Promise, once
from services.collections.rules.records import dataclass
from services.collections.rules.states import PlanState, PromiseState


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an agreement is at an instant, and since when. `instalment` is the first one that was not paid in time."""

    state: str
    at: datetime
    instalment: int | None = None


def judge_promise(promise: Promise, facts: Facts, now: datetime) -> Judgement:
    """Kept once the amount was reported since the promise was made and at the latest in its last instant; broken when that has passed.

    A plan agreed meanwhile, or a debt that went away in time, makes it lapse. A payment that is rejected was never made.
    """
    total = ZERO
    for payment in reported_between(facts, promise.made_at, promise.due_at, now, promise.known_payments):
        total += payment.amount
        if total >= promise.amount:
            return Judgement(PromiseState.KEPT, payment.reported_at)
    last = min(now, promise.due_at)
    replaced = next((each for each in facts.plans if promise.made_at <= each.agreed_at <= last), None)
    if replaced is not None:
        return Judgement(PromiseState.LAPSED, replaced.agreed_at)
    if now <= promise.due_at:
        return Judgement(PromiseState.RUNNING, promise.made_at)
    if owed(facts.invoices, promise.due_at, now) == ZERO:
        return Judgement(PromiseState.LAPSED, promise.due_at)
    return Judgement(PromiseState.BROKEN, _broken_at(facts, promise.made_at, promise.due_at, now))


def judge_plan(plan: Plan, facts: Facts, now: datetime) -> Judgement:
    """Completed once the payments reported since it was agreed reach the whole; broken at the first instalment that they did not reach
    in time. A plan of unknown terms ends when nothing is owed, or on its day."""
    if not plan.instalments:
        return _judge_unknown(plan, facts, now)
    for instalment in plan.instalments:
        needed = sum((each.amount for each in plan.instalments if each.number <= instalment.number), ZERO)
        paid = sum((each.amount for each in reported_between(facts, plan.agreed_at, instalment.due_at, now, plan.known_payments)), ZERO)
        if paid < needed and now > instalment.due_at and owed(facts.invoices, instalment.due_at, now) > ZERO:
            return Judgement(PlanState.BROKEN, _broken_at(facts, plan.agreed_at, instalment.due_at, now), instalment.number)
    whole, last = sum((each.amount for each in plan.instalments), ZERO), plan.instalments[-1].due_at
    total = ZERO
    for payment in reported_between(facts, plan.agreed_at, last, now, plan.known_payments):
        total += payment.amount
        if total >= whole:
            return Judgement(PlanState.COMPLETED, payment.reported_at)
    if now > last:  # less was owed in the end than had been agreed
        return Judgement(PlanState.LAPSED, last)
    return Judgement(PlanState.RUNNING, plan.agreed_at)


def _judge_unknown(plan: Plan, facts: Facts, now: datetime) -> Judgement:
    issued = [each for each in facts.invoices if exists(each, now)]
    if issued and all(confirmed_open(each, now) == ZERO for each in issued):
        return Judgement(PlanState.COMPLETED, _last_change(facts, plan.agreed_at, now))
    if plan.holds_until is not None and now >= plan.holds_until:
        return Judgement(PlanState.LAPSED, plan.holds_until)
    return Judgement(PlanState.RUNNING, plan.agreed_at)


def _broken_at(facts: Facts, since: datetime, due_at: datetime, now: datetime) -> datetime:
    """The instant itself, or when a payment that had been believed in time was rejected after it."""
    rejected = [
        each.rejected_at
        for each in facts.payments
        if each.rejected_at is not None and since <= each.reported_at <= due_at and due_at < each.rejected_at <= now
    ]
    return max(rejected, default=due_at)


def _last_change(facts: Facts, since: datetime, now: datetime) -> datetime:
    settled = [each.confirmed_at for each in facts.payments if each.confirmed_at is not None and since < each.confirmed_at <= now]
    return max(settled, default=since)


@once
def judged_promises(facts: Facts, now: datetime) -> tuple[tuple[Promise, Judgement], ...]:
    """What each promise is that was made by now, in their order."""
    return tuple([(each, judge_promise(each, facts, now)) for each in facts.promises if each.made_at <= now])


@once
def judged_plans(facts: Facts, now: datetime) -> tuple[tuple[Plan, Judgement], ...]:
    """What each plan is that was agreed by now, in their order."""
    return tuple([(each, judge_plan(each, facts, now)) for each in facts.plans if each.agreed_at <= now])


def running_promise(facts: Facts, now: datetime) -> Promise | None:
    """The promise whose instant has not come yet and that is not kept."""
    for promise, judged in reversed(judged_promises(facts, now)):
        if judged.state == PromiseState.RUNNING and now <= promise.due_at:
            return promise
    return None


def running_plan(facts: Facts, now: datetime) -> Plan | None:
    """The plan under way."""
    return next((plan for plan, judged in reversed(judged_plans(facts, now)) if judged.state == PlanState.RUNNING), None)
