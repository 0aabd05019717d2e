"""The restriction before the cut: when an account is restricted, what lifts it, and when to look again. Pure; texts are Spanish.

An account that owes keeps its connection and sees only the operator's payment page. The system alone decides it, from the facts as they
are: it stands while a debt would restrict and nothing lifts it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from services.collections.rules import wording
from services.collections.rules.actions import ReleaseRestriction, Restrict
from services.collections.rules.agreements import running_plan, running_promise
from services.collections.rules.cuts import open_outages, unfinished
from services.collections.rules.debts import overdue, owed, partly_paid, reported_between, unpaid, unpaid_months
from services.collections.rules.facts import Facts, Invoice, Restriction
from services.collections.rules.holds import held, held_services, running_holds, told_hold
from services.collections.rules.standing import current_cut, review_under_way, standing
from services.collections.rules.states import ReleaseCause
from services.collections.rules.terms import Terms

NEXT_DAY = timedelta(days=1)


def unfinished_restriction(facts: Facts) -> Restriction | None:
    """The order to restrict that has not come to its end: requested, done, or being released."""
    return next((each for each in reversed(facts.restrictions) if each.ended_at is None), None)


def restriction_actions(facts: Facts, terms: Terms, now: datetime, *, cutting: bool) -> Iterator[Restrict | ReleaseRestriction]:
    """What the policy does by itself: restrict who owes and is not cut at this very instant, or have a restriction taken off that no
    longer stands."""
    order = unfinished_restriction(facts)
    if order is None:
        if not cutting and restriction_due(facts, terms, now):
            yield Restrict()
    elif order.release_requested_at is None and current_cut(facts, now) is None:  # a cut that is done takes its place
        cause = release_cause(order, facts, terms, now)
        if cause is not None and not (order.release_refused_at is not None and now < _again_at(order.release_refused_at, terms)):
            yield ReleaseRestriction(order, cause)


def restriction_due(facts: Facts, terms: Terms, now: datetime) -> bool:
    """Is the account restricted now, when it is not yet? Not while it is cut or about to be, in another status than one that may be cut,
    or while something would lift it at once. What third parties deliver is not restricted: it is not our network."""
    if terms.policy.restriction is None or facts.delivery != "own" or unfinished(facts) is not None:
        return False
    debts = restricting(facts, terms, now)
    if not debts or standing(facts, terms, now).code != terms.policy.suspension.requires_status:
        return False
    return lifted_by(facts, terms, now) is None and not _refused_lately(facts, debts, terms, now)


def _refused_lately(facts: Facts, debts: list[Invoice], terms: Terms, now: datetime) -> bool:
    """Did the network refuse the last one, and must it not be tried again yet? Without a wait the next debt tries it."""
    last = facts.restrictions[-1] if facts.restrictions else None
    if last is None or last.outcome != "refused" or last.ended_at is None:
        return False
    if terms.policy.suspension.retry_refused_after is not None:
        return now < _again_at(last.ended_at, terms)
    return all(begins is not None and begins <= last.ended_at for begins in map(terms.restrict_from, debts))


def restricting(facts: Facts, terms: Terms, now: datetime, order: Restriction | None = None) -> list[Invoice]:
    """The debts that restrict: unpaid months whose hour has come, and of an `order` those that it was given for; with
    `reported_payment_counts: any` none of which a part is reported as paid."""
    mine = order.invoice_ids if order is not None else ()
    found = [each for each in unpaid_months(facts, now) if each.id in mine or _begun(each, terms, now)]
    if terms.policy.suspension.reported_payment_counts == "any":
        return [each for each in found if not partly_paid(each, now)]
    return found


def _begun(invoice: Invoice, terms: Terms, now: datetime) -> bool:
    begins = terms.restrict_from(invoice)
    return begins is not None and begins <= now


def lifted_by(facts: Facts, terms: Terms, now: datetime) -> ReleaseCause | None:
    """What lifts any restriction of the account, whatever it owes: an outage, a hold, an agreement that the policy names."""
    if open_outages(facts, now):
        return ReleaseCause.OUTAGE
    if held(facts, now) is not None:
        return ReleaseCause.HOLD
    wanted = terms.policy.restriction.lifted_by if terms.policy.restriction is not None else []
    running = {"promise": running_promise, "payment_plan": running_plan, "review": review_under_way}
    return ReleaseCause.AGREEMENT if any(running[each](facts, now) is not None for each in wanted) else None


def release_cause(order: Restriction, facts: Facts, terms: Terms, now: datetime) -> ReleaseCause | None:
    """Why an order to restrict no longer stands; None while it does. Another policy, or somebody else's network, does not restrict. Of one
    that the customer brought along we know what it is for only once an invoice has come."""
    if terms.policy.restriction is None or facts.delivery != "own":
        return ReleaseCause.POLICY
    lifted = lifted_by(facts, terms, now)
    if lifted is not None:
        return lifted
    if set(held_services(facts, now)) - set(order.except_services):
        return ReleaseCause.HOLD  # it is ordered anew, without what is on hold now
    if restricting(facts, terms, now, order) or not (order.invoice_ids or facts.invoices):
        return None
    if not order.invoice_ids and overdue(facts, now):
        return None
    paid = reported_between(facts, order.requested_at, now, now)
    return ReleaseCause.PAYMENT if paid else ReleaseCause.NOTHING_OWED


def kept_for_nothing(facts: Facts, now: datetime) -> list[Restriction]:
    """Restrictions that nobody has asked to take off though nothing is owed and no cut took their place: there must be none."""
    if current_cut(facts, now) is not None or not facts.invoices or unpaid(facts, now):
        return []
    return [each for each in facts.restrictions if each.ended_at is None and each.release_requested_at is None]


def _again_at(refused_at: datetime, terms: Terms) -> datetime:
    """When what the network refused is tried again: nobody but the system could, so it is tried even where the policy names no time."""
    return refused_at + (terms.policy.suspension.retry_refused_after or NEXT_DAY)


def restriction_instants(facts: Facts, terms: Terms, now: datetime) -> Iterator[datetime]:
    """When time alone may have the account restricted, or have what was refused tried again."""
    if terms.policy.restriction is None and not facts.restrictions:
        return
    for invoice in unpaid_months(facts, now):
        begins = terms.restrict_from(invoice)
        if begins is not None:
            yield begins
    for order in facts.restrictions:
        refused_at = order.ended_at if order.outcome == "refused" else order.release_refused_at
        if refused_at is not None:
            yield _again_at(refused_at, terms)


def restriction_reason(facts: Facts, terms: Terms, now: datetime) -> str:
    """Why the service is restricted, in a sentence for tickets and mails."""
    debts = overdue(facts, now) or unpaid(facts, now)
    months = wording.listed(list(dict.fromkeys(wording.month(terms.operator, each.period) for each in debts if each.fee is None)))
    return f"Falta de pago de {months}: debe {wording.money(terms.operator, owed(debts, now), facts.currency)}."


def release_reason(cause: ReleaseCause, facts: Facts, terms: Terms, now: datetime) -> str:
    """Why the restriction is taken off, in a sentence."""
    if cause is ReleaseCause.HOLD:
        return " ".join(told_hold(each, terms) for each in running_holds(facts, now))
    if cause is ReleaseCause.OUTAGE:
        nodes = wording.listed(sorted({each.access_node for each in open_outages(facts, now)}))
        return f"Avería declarada en el nodo {nodes}: nadie detrás de él queda restringido."
    return {
        ReleaseCause.PAYMENT: "Se reportó el pago de lo que debía.",
        ReleaseCause.AGREEMENT: "Hay un acuerdo de pago en curso.",
        ReleaseCause.NOTHING_OWED: "Ya no hay ninguna factura por la que restringir.",
    }.get(cause, f"{terms.policy.name}: no se restringe este servicio.")
