"""What would happen to an account on a day if nothing else happened: the run's own decisions, each taken as done, one after the other.

Nothing is decided here: every step is what `assess` would do at that instant, or what a person would then be allowed to do (`verdict`). The
world is taken to do what it is asked: mail servers accept a notice at once, and the network switches at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import singledispatch
from typing import Any
from uuid import UUID, uuid4

from services.collections.rules import worklist
from services.collections.rules.actions import (
    Action,
    ChargeFee,
    DispatchInvoice,
    EndHold,
    HandToRecovery,
    OrderCut,
    OrderReconnection,
    ReleaseRestriction,
    Remind,
    Restrict,
    SendNotice,
    WithdrawCut,
)
from services.collections.rules.assessment import assess
from services.collections.rules.cuts import cut_reason
from services.collections.rules.debts import believed_open, overdue, owed, unpaid
from services.collections.rules.facts import Approval, Facts, Fee, Hold, Notice, Restriction, Suspension
from services.collections.rules.holds import ended, held_services, running_holds
from services.collections.rules.restricting import restriction_reason
from services.collections.rules.states import StepKind, SuspensionState
from services.collections.rules.terms import Terms
from services.collections.rules.verdicts import verdict

AT_ONCE = 8  # so many decisions may follow from each other at one instant
HELD = {
    StepKind.REMIND: StepKind.HELD_REMIND,
    StepKind.RESTRICT: StepKind.HELD_RESTRICT,
    StepKind.NOTICE: StepKind.HELD_NOTICE,
    StepKind.NOTICE_POSSIBLE: StepKind.HELD_NOTICE,
    StepKind.CUT: StepKind.HELD_CUT,
    StepKind.CUT_POSSIBLE: StepKind.HELD_CUT,
}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that would happen at an instant: by which rule, why, for how much since which due date. `reminder` is the code of one;
    `hold` keeps the step off."""

    kind: StepKind
    at: datetime
    rule: str
    reason: str
    amount: Decimal
    oldest_due_date: date
    reminder: str | None = None
    hold: Hold | None = None


def simulate(facts: Facts, terms: Terms, now: datetime, day: date) -> list[Step]:
    """The steps of an operator's day that is not over, in their order; and those that only a hold keeps off. Like the run it looks at the
    account when its next review is due, and not before."""
    if approval := _as_if_approved(terms, now, day):
        facts = replace(facts, approvals=(*facts.approvals, approval))
    found = list(_steps(facts, terms, now, day))
    if not facts.holds:
        return found
    same = {(each.kind, each.reminder) for each in found}
    begin = terms.calendar.start_of_day(day)
    until_then = tuple(replace(each, until=min(each.until, begin)) for each in facts.holds if each.placed_at < begin)
    free = [each for each in _steps(replace(facts, holds=until_then), terms, now, day) if (each.kind, each.reminder) not in same]
    kept_off = [replace(each, kind=HELD[each.kind], hold=hold) for each in free if (hold := _hold_at(facts, each.at)) is not None]
    return sorted([*found, *kept_off], key=lambda each: each.at)


def _hold_at(facts: Facts, at: datetime) -> Hold | None:
    """The hold that runs at this instant, of several the one that ends last; None for a step that a hold only moves within the day."""
    return max(running_holds(facts, at), key=ended, default=None)


def _as_if_approved(terms: Terms, now: datetime, day: date) -> Approval | None:
    """What is shown for approval is what would be cut with it."""
    wanted, end = terms.policy.suspension.approval, terms.calendar.end_of_day(day)
    if wanted is None or not wanted.required or end <= now:
        return None
    return Approval(max(terms.cut_hour(day), now), end, now)


def _steps(facts: Facts, terms: Terms, now: datetime, day: date) -> Iterator[Step]:
    begin, end = terms.calendar.start_of_day(day), terms.calendar.end_of_day(day)
    at = _first(facts, terms, now, begin)
    possible: set[StepKind] = set()
    while at is not None and at < end:
        for _ in range(AT_ONCE):
            found = assess(facts, terms, at)
            if at >= begin:
                yield from (step for each in found.actions if (step := _step(each, facts, terms, at)) is not None)
            for each in found.actions:
                facts = _done(each, facts, at)
            if not found.actions:
                break
        if terms.policy.decided_by == "person" and at >= begin:
            for step in _possible(facts, terms, at):
                if step.kind not in possible:
                    possible.add(step.kind)
                    yield step
        at = _following(found.next_review_at, facts, terms, at, begin)


def _first(facts: Facts, terms: Terms, now: datetime, begin: datetime) -> datetime | None:
    """When the account is looked at first: when its review is due, a supposed approval begins, or a hold is supposed to be over; people's
    customers at the day's begin at the latest."""
    supposed = [each.from_at for each in facts.approvals] + [each.until for each in facts.holds]
    instants = [facts.next_review_at, *supposed, begin if terms.policy.decided_by == "person" else None]
    first = min((each for each in instants if each is not None), default=None)
    return None if first is None else max(first, now)


def _following(review: datetime | None, facts: Facts, terms: Terms, at: datetime, begin: datetime) -> datetime | None:
    """The next instant at which time alone changes something; for people's customers also the day's begin, which shows what may be done."""
    if terms.policy.decided_by != "person":
        return review
    instants = [review, worklist.next_change(facts, terms, at), begin if at < begin else None]
    return min((each for each in instants if each is not None), default=None)


def _step(action: Action, facts: Facts, terms: Terms, at: datetime) -> Step | None:
    """What of an action is shown: whoever is reminded, told, or cut."""
    rules = terms.policy.rules
    if isinstance(action, Remind):
        invoice = action.invoice
        reason = f"Recordatorio de la factura {invoice.number}."
        amount = believed_open(invoice, at)
        return Step(StepKind.REMIND, at, rules["follow_up"], reason, amount, invoice.due_date, action.reminder.code)
    debts = overdue(facts, at) or unpaid(facts, at)
    if isinstance(action, Restrict):
        reason = restriction_reason(facts, terms, at)
        return Step(StepKind.RESTRICT, at, rules["restriction"], reason, owed(debts, at), debts[0].due_date)
    if isinstance(action, SendNotice):
        return Step(StepKind.NOTICE, at, rules["notice"], cut_reason(facts, terms, at), owed(debts, at), debts[0].due_date)
    if isinstance(action, OrderCut):
        return Step(StepKind.CUT, at, rules["day"], cut_reason(facts, terms, at), owed(debts, at), debts[0].due_date)
    return None


def _possible(facts: Facts, terms: Terms, at: datetime) -> Iterator[Step]:
    """What its agent may do about the account at this instant."""
    for action, kind in (("notice", StepKind.NOTICE_POSSIBLE), ("suspend", StepKind.CUT_POSSIBLE)):
        judged = verdict(action, facts, terms, at, person=facts.agent or "")  # type: ignore[arg-type]
        if judged.allowed:
            debts = overdue(facts, at) or unpaid(facts, at)
            yield Step(kind, at, judged.rule, cut_reason(facts, terms, at), owed(debts, at), debts[0].due_date)


@singledispatch
def _done(action: Any, facts: Facts, at: datetime) -> Facts:
    """The facts once an action is carried out."""
    return facts


@_done.register
def _(action: Remind, facts: Facts, at: datetime) -> Facts:
    def reminded(codes: tuple[str, ...]) -> tuple[str, ...]:
        return (*codes, action.reminder.code)

    return replace(
        facts,
        invoices=tuple(
            replace(each, reminders=reminded(each.reminders)) if each.id == action.invoice.id else each for each in facts.invoices
        ),
    )


@_done.register
def _(action: DispatchInvoice, facts: Facts, at: datetime) -> Facts:
    sent = (replace(each, dispatched_at=at) if each.id == action.invoice.id else each for each in facts.invoices)
    return replace(facts, invoices=tuple(sent))


@_done.register
def _(action: SendNotice, facts: Facts, at: datetime) -> Facts:
    return replace(facts, notices=(*facts.notices, Notice(uuid4(), action.invoice.period, at, accepted_at=at)))


@_done.register
def _(action: Restrict, facts: Facts, at: datetime) -> Facts:
    ids, spared = tuple(each.id for each in overdue(facts, at)), tuple(held_services(facts, at))
    made = Restriction(uuid4(), at, invoice_ids=ids, except_services=spared, restricted_at=at)
    return replace(facts, restrictions=(*facts.restrictions, made))


@_done.register
def _(action: ReleaseRestriction, facts: Facts, at: datetime) -> Facts:
    asked = {"release_requested_at": at, "release_cause": action.cause}
    return _restricted(facts, action.restriction.id, outcome="released", ended_at=at, **asked)


@_done.register
def _(action: OrderCut, facts: Facts, at: datetime) -> Facts:
    standing_ones = [each.id for each in facts.restrictions if each.ended_at is None]
    for each in standing_ones:
        facts = _restricted(facts, each, outcome="suspended", ended_at=at)
    ids = tuple(each.id for each in overdue(facts, at))
    cut = Suspension(uuid4(), action.agent, at, SuspensionState.SUSPENDED, "SYSTEM", ids, suspended_at=at)
    return replace(facts, suspensions=(*facts.suspensions, cut))


@_done.register
def _(action: WithdrawCut, facts: Facts, at: datetime) -> Facts:
    return _changed(facts, action.suspension, state=SuspensionState.CANCELLED, withdrawn_at=at, withdraw_cause=action.cause, ended_at=at)


@_done.register
def _(action: OrderReconnection, facts: Facts, at: datetime) -> Facts:
    on_again = {"state": SuspensionState.RECONNECTED, "reconnection_requested_at": at, "reconnected_at": at, "basis": action.basis}
    return _changed(facts, action.suspension, **on_again)


@_done.register
def _(action: HandToRecovery, facts: Facts, at: datetime) -> Facts:
    return _changed(facts, action.suspension, recovery_requested_at=at, recovery_id=uuid4())


@_done.register
def _(action: ChargeFee, facts: Facts, at: datetime) -> Facts:
    charged = Fee(uuid4(), action.occasion, action.kind, action.amount, action.reason, at)
    return replace(facts, fees=(*facts.fees, charged))


@_done.register
def _(action: EndHold, facts: Facts, at: datetime) -> Facts:
    return replace(facts, holds=tuple(replace(each, ended_at=each.until) if each.id == action.hold.id else each for each in facts.holds))


def _changed(facts: Facts, cut: Suspension, **values: Any) -> Facts:
    return replace(facts, suspensions=tuple(replace(each, **values) if each.id == cut.id else each for each in facts.suspensions))


def _restricted(facts: Facts, restriction_id: UUID, **values: Any) -> Facts:
    changed = (replace(each, **values) if each.id == restriction_id else each for each in facts.restrictions)
    return replace(facts, restrictions=tuple(changed))
