"""What follows from the facts of one account at one instant: its status, what became of its agreements, what the policy does by itself,
and when to look again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from services.collections.rules.actions import (
    Action,
    DispatchInvoice,
    EndHold,
    HandToRecovery,
    OrderCut,
    OrderReconnection,
    Remind,
    SendNotice,
    WithdrawCut,
)
from services.collections.rules.agreements import Judgement, judged_plans, judged_promises, running_plan, running_promise
from services.collections.rules.charging import late_fees
from services.collections.rules.cuts import (
    contradicted_until,
    cut_invoices,
    cuttable,
    interrupted,
    open_outages,
    release_covered,
    still_requested,
    unfinished,
    valid_notice,
)
from services.collections.rules.debts import ZERO, believed_open, disputed, exists, let_off, unpaid_months
from services.collections.rules.facts import Facts, Invoice, Plan, Promise, Review, Suspension
from services.collections.rules.holds import expired, held
from services.collections.rules.instants import next_instant
from services.collections.rules.obstacles import cut_obstacles
from services.collections.rules.records import dataclass
from services.collections.rules.recovering import recoverable, recovery_from, unopened
from services.collections.rules.restricting import restriction_actions
from services.collections.rules.standing import Standing, current_cut, may_be_cut, standing
from services.collections.rules.states import SYSTEM, SuspensionState, WithdrawCause
from services.collections.rules.terms import Terms

LATE_REMINDER = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Assessment:
    """`promises` and `plans` are those whose state differs from what was last told. `next_review_at` is the next instant at which time
    alone could change anything of this (None: never)."""

    standing: Standing
    promises: tuple[tuple[Promise, Judgement], ...]
    plans: tuple[tuple[Plan, Judgement], ...]
    actions: tuple[Action, ...]
    next_review_at: datetime | None


def assess(facts: Facts, terms: Terms, now: datetime) -> Assessment:
    """The one function that decides. It writes nothing and may be asked for any instant."""
    recovering = recovery_due(facts, terms, now)
    handed = recovering or unopened(facts, terms, now)
    if recovering is not None:  # which is the case from this instant on
        facts = replace(facts, suspensions=tuple(_recovered(each, recovering, now) for each in facts.suspensions))
    return Assessment(
        standing=standing(facts, terms, now),
        promises=tuple([(each, judged) for each, judged in judged_promises(facts, now) if judged.state != each.state]),
        plans=tuple([(each, judged) for each, judged in judged_plans(facts, now) if judged.state != each.state]),
        actions=(*_actions(facts, terms, now), *([HandToRecovery(handed)] if handed is not None else [])),
        next_review_at=next_instant(facts, terms, now),
    )


def _actions(facts: Facts, terms: Terms, now: datetime) -> Iterator[Action]:
    yield from (EndHold(each) for each in expired(facts, now))
    for invoice in facts.invoices:
        yield from _dispatches(invoice, terms, now)
        yield from _reminders(invoice, facts, terms, now)
    yield from late_fees(facts, terms, now)
    cut, cutting = unfinished(facts), list[OrderCut]()
    if cut is None:
        yield from _notice(facts, terms, now)
        cutting = list(_cut(facts, terms, now))
        yield from cutting
    elif still_requested(cut) and cut.suspended_at is None:
        cause = withdraw_cause(cut, facts, now)
        if cause is not None:
            yield WithdrawCut(cut, cause)
    elif cut.state == SuspensionState.SUSPENDED:
        basis = reconnection_basis(cut, facts, terms, now)
        if basis is not None:
            yield OrderReconnection(cut, basis)
    yield from restriction_actions(facts, terms, now, cutting=bool(cutting))


def _dispatches(invoice: Invoice, terms: Terms, now: datetime) -> Iterator[DispatchInvoice]:
    """An invoice that the customer brought along was sent by who issued it; a fee has a notice of its own, which brings it."""
    ours = terms.policy.invoice.sent_by == "system" and invoice.origin != "opening" and invoice.fee is None
    if ours and invoice.dispatched_at is None and exists(invoice, now) and terms.dispatch_from(invoice) <= now:
        yield DispatchInvoice(invoice)


def _reminders(invoice: Invoice, facts: Facts, terms: Terms, now: datetime) -> Iterator[Remind]:
    """Once each, for what is still open, and never one whose hour had passed before we knew of the invoice."""
    for reminder in terms.policy.reminders:
        at = terms.remind_at(reminder, invoice)
        if reminder.code in invoice.reminders or not invoice.issued_at <= at <= now:
            continue
        until = invoice.due_ends_at if at < invoice.due_ends_at else at + LATE_REMINDER
        if now < until and believed_open(invoice, now) > ZERO and current_cut(facts, now) is None and held(facts, now) is None:
            yield Remind(reminder, invoice)


def _notice(facts: Facts, terms: Terms, now: datetime) -> Iterator[SendNotice]:
    wanted = terms.policy.suspension.notice
    if terms.policy.decided_by != "system" or wanted is None or valid_notice(facts, now) is not None or held(facts, now) is not None:
        return
    due = [each for each in unpaid_months(facts, now) if terms.cut_from(each) - wanted.before <= now]
    if due and may_be_cut(standing(facts, terms, now), terms.policy.suspension.requires_status):
        yield SendNotice(due[0])


def _cut(facts: Facts, terms: Terms, now: datetime) -> Iterator[OrderCut]:
    """The system cuts where it decides; and it repeats for its agent an order that an outage took back."""
    if not cuttable(facts, terms, now):
        return
    resumed = interrupted(facts)
    waits_until = contradicted_until(facts)
    tried_lately = _too_soon(_refused_at(facts), terms, now) or (waits_until is not None and now < waits_until)
    by_system = terms.policy.decided_by == "system" and not tried_lately
    if resumed is None and not by_system:
        return
    agent = None if by_system else resumed.agent if resumed else None
    if next(cut_obstacles(facts, terms, now, person=agent), None) is None:
        yield OrderCut(agent or SYSTEM, resumed.id if resumed else None)


def _refused_at(facts: Facts) -> datetime | None:
    """When the network refused the last cut."""
    last = facts.suspensions[-1] if facts.suspensions else None
    return last.ended_at if last is not None and last.state == SuspensionState.REFUSED else None


def _too_soon(refused_at: datetime | None, terms: Terms, now: datetime) -> bool:
    """Was it refused, and must it not be tried again by itself yet?"""
    wait = terms.policy.suspension.retry_refused_after
    return refused_at is not None and (wait is None or now < refused_at + wait)


def withdraw_cause(cut: Suspension, facts: Facts, now: datetime) -> WithdrawCause | None:
    """Why an order that is not carried out yet must be taken back. A payment is not among it: ticketing decides that one itself; what was
    taken back or is disputed it does not hear of."""
    if open_outages(facts, now):
        return WithdrawCause.OUTAGE
    if held(facts, now) is not None:
        return WithdrawCause.HOLD
    if agreement(facts, now) is not None:
        return WithdrawCause.AGREEMENT
    causes = [each for each in facts.invoices if each.id in cut.invoice_ids and exists(each, now)]
    if not causes or (any(let_off(each, now) for each in causes) and not any(believed_open(each, now) for each in causes)):
        return WithdrawCause.NOTHING_OWED
    return None


def agreement(facts: Facts, now: datetime) -> Plan | Review | Promise | None:
    """What was agreed and still runs: a plan, a review, or a promise."""
    plan = running_plan(facts, now)
    if plan is not None:
        return plan
    reviews = (each for each in facts.reviews if each.opened_at <= now and not (each.closed_at is not None and each.closed_at <= now))
    return next(reviews, None) or running_promise(facts, now)


def recovery_due(facts: Facts, terms: Terms, now: datetime) -> Suspension | None:
    """The cut whose case goes to recovery now: the day has come, what it was cut for is not covered, nothing that was agreed runs, and the
    customer is not left out."""
    cut = recoverable(facts, now) if terms.policy.recovery is not None else None
    if cut is None or held(facts, now) is not None or agreement(facts, now) is not None or release_covered(cut, facts, terms, now):
        return None
    at = recovery_from(cut, facts, terms, now)
    return cut if at is not None and at <= now else None


def _recovered(cut: Suspension, recovering: Suspension, now: datetime) -> Suspension:
    return replace(cut, recovery_requested_at=now, recovery_ended_at=None) if cut.id == recovering.id else cut


def reconnection_basis(cut: Suspension, facts: Facts, terms: Terms, now: datetime) -> str | None:
    """On what the system reconnects by itself: a payment where the policy lets it decide; an agreement that crossed with the cut."""
    if _too_soon(cut.reconnection_refused_at, terms, now):
        return None
    if terms.policy.reconnection.decided_by == "system" and release_covered(cut, facts, terms, now):
        return "review" if any(disputed(each, now) for each in cut_invoices(cut, facts, terms, now)) else "payment"
    if cut.withdraw_cause == WithdrawCause.AGREEMENT:
        found = agreement(facts, now)
        names = {Plan: "payment_plan", Review: "review", Promise: "promise"}
        return names[type(found)] if found is not None else None
    return None
