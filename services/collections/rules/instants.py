"""When to look at an account again: the instants at which time alone may change what is decided about it. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from services.collections.rules.charging import late_instants
from services.collections.rules.cuts import contradicted_until, interrupted, unfinished
from services.collections.rules.debts import ZERO, believed_open
from services.collections.rules.facts import Facts, Invoice, Suspension
from services.collections.rules.obstacles import INSTANT
from services.collections.rules.recovering import recoverable, recovery_from
from services.collections.rules.restricting import restriction_instants
from services.collections.rules.states import SuspensionState
from services.collections.rules.terms import Terms


def next_instant(facts: Facts, terms: Terms, now: datetime) -> datetime | None:
    """The first instant after `now` at which time alone may change the assessment; None: never. A fact that a service whose clock is ahead
    of ours dated into our future counts from its instant on."""
    known = (each for each in _known_instants(facts) if each is not None and each > now)
    return min((*known, *(each for each in _instants(facts, terms, now) if each > now)), default=None)


def _known_instants(facts: Facts) -> Iterator[datetime | None]:
    """Every instant at which a fact came to be known or to its end; None where it did not."""
    for invoice in facts.invoices:
        yield from (invoice.issued_at, invoice.paid_at, invoice.voided_at)
        for part in invoice.parts:
            yield part.believed_at
        for deduction in invoice.deductions:
            yield from (deduction.since, deduction.until)
    for payment in facts.payments:
        yield from (payment.reported_at, payment.confirmed_at, payment.rejected_at)
    yield from _cut_and_before(facts)
    for review in facts.reviews:
        yield from (review.opened_at, review.closed_at)
    for promise in facts.promises:
        yield promise.made_at
    for plan in facts.plans:
        yield plan.agreed_at
    for hold in facts.holds:
        yield from (hold.placed_at, hold.until, hold.ended_at)
    for approval in facts.approvals:
        yield from (approval.from_at, approval.approved_at)


def _cut_and_before(facts: Facts) -> Iterator[datetime | None]:
    for notice in facts.notices:
        yield from (notice.requested_at, notice.accepted_at)
    for cut in facts.suspensions:
        yield from (cut.requested_at, cut.suspended_at, cut.reconnected_at, cut.recovery_requested_at, cut.recovery_ended_at)
    for order in facts.restrictions:
        yield from (order.requested_at, order.restricted_at, order.ended_at)
    for outage in facts.outages:
        yield from (outage.declared_at, outage.closed_at)


def _instants(facts: Facts, terms: Terms, now: datetime) -> Iterator[datetime]:
    """Every other instant, past or to come, at which time alone may change the assessment."""
    for promise in facts.promises:
        yield promise.due_at + INSTANT
    for plan in facts.plans:
        yield from (each.due_at + INSTANT for each in plan.instalments)
        if plan.holds_until is not None:
            yield plan.holds_until
    for cut in facts.suspensions:
        yield from _cut_instants(cut, terms)
    if (until := contradicted_until(facts)) is not None:
        yield until
    yield from _recovery_instants(facts, terms, now)
    for invoice in facts.invoices:
        yield from _invoice_instants(invoice, facts, terms, now)
    yield from late_instants(facts, terms, now)
    yield from restriction_instants(facts, terms, now)
    yield from _notice_instants(facts, terms)


def _cut_instants(cut: Suspension, terms: Terms) -> Iterator[datetime]:
    if cut.holds_until is not None:
        yield cut.holds_until
    wait = terms.policy.suspension.retry_refused_after
    refused_at = cut.ended_at if cut.state == SuspensionState.REFUSED else cut.reconnection_refused_at
    if wait is not None and refused_at is not None:
        yield refused_at + wait


def _recovery_instants(facts: Facts, terms: Terms, now: datetime) -> Iterator[datetime]:
    cut = recoverable(facts, now) if terms.policy.recovery is not None else None
    at = recovery_from(cut, facts, terms, now) if cut is not None else None
    if at is not None:
        yield at


def _invoice_instants(invoice: Invoice, facts: Facts, terms: Terms, now: datetime) -> Iterator[datetime]:
    if invoice.voided_at is not None:
        return
    policy = terms.policy
    if policy.invoice.sent_by == "system" and invoice.dispatched_at is None and invoice.origin != "opening" and invoice.fee is None:
        yield terms.dispatch_from(invoice)
    if believed_open(invoice, now) == ZERO:
        return
    for reminder in policy.reminders:
        if reminder.code not in invoice.reminders:
            yield terms.remind_at(reminder, invoice)
    if invoice.fee is None and (policy.decided_by == "system" or interrupted(facts) is not None):
        yield terms.cut_from(invoice)
        wanted = policy.suspension.approval
        if wanted is not None and wanted.required and terms.cut_from(invoice) <= now and unfinished(facts) is None:
            yield terms.cut_hour(terms.calendar.today(now) + timedelta(days=1))  # whoever is not approved today may be tomorrow
        if policy.suspension.notice is not None:
            yield terms.cut_from(invoice) - policy.suspension.notice.before


def _notice_instants(facts: Facts, terms: Terms) -> Iterator[datetime]:
    wanted = terms.policy.suspension.notice
    if wanted is None or not (terms.policy.decided_by == "system" or interrupted(facts) is not None):
        return
    for notice in facts.notices:
        if notice.accepted_at is not None:
            yield notice.accepted_at + wanted.before
