"""What comes next for an account by time alone: days that end, agreed dates, what the system does by itself. Texts are Spanish."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from services.collections.rules.agreements import running_plan, running_promise
from services.collections.rules.charging import late_amount
from services.collections.rules.cuts import contradicted_until, unfinished, valid_notice
from services.collections.rules.debts import ZERO, believed_open, exists, unpaid_months
from services.collections.rules.facts import Facts, Invoice
from services.collections.rules.holds import running_holds
from services.collections.rules.recovering import recoverable, recovery_from
from services.collections.rules.restricting import unfinished_restriction
from services.collections.rules.terms import Terms, day_of_period
from services.collections.rules.wording import money, month, span


@dataclass(frozen=True)
class Prospect:
    """Something that will be the case from an instant (UTC) on, unless a new fact comes first, and the rule that says so."""

    at: datetime
    text: str
    rule: str


def prospects(facts: Facts, terms: Terms, now: datetime) -> list[Prospect]:
    """Everything to come, the nearest first."""
    kinds = (_invoices, _agreements, _restriction, _cut, _recovery, _holds)
    found = [each for kind in kinds for each in kind(facts, terms, now)]
    return sorted((each for each in found if each.at > now), key=lambda each: each.at)


def _invoices(facts: Facts, terms: Terms, now: datetime) -> Iterator[Prospect]:
    for each in facts.invoices:
        if not exists(each, now) or believed_open(each, now) == ZERO:
            continue
        yield from _sending(each, terms)
        text = f"Termina el plazo para pagar la factura {each.number} de {month(terms.operator, each.period)}."
        yield Prospect(each.due_ends_at, text, terms.policy.rules["due"])
        for reminder in terms.policy.reminders:
            if reminder.code not in each.reminders:
                text = f"El sistema le recuerda al cliente la factura {each.number}, si sigue impaga."
                yield Prospect(terms.remind_at(reminder, each), text, terms.policy.rules["follow_up"])
        yield from _late_fee(each, facts, terms, now)


def _late_fee(invoice: Invoice, facts: Facts, terms: Terms, now: datetime) -> Iterator[Prospect]:
    fee = terms.policy.fees.late if terms.policy.fees is not None else None
    if fee is None or invoice.fee is not None:
        return
    amount = money(terms.operator, late_amount(fee, [invoice], terms, now), facts.currency)
    text = f"Si la factura {invoice.number} sigue impaga, se cobra un cargo por mora de {amount}."
    yield Prospect(terms.late_fee_from(invoice), text, fee.rule)


def _sending(invoice: Invoice, terms: Terms) -> Iterator[Prospect]:
    if invoice.dispatched_at is not None or invoice.origin == "opening":
        return
    rule, sending = terms.policy.rules["dispatch"], terms.policy.invoice
    if sending.sent_by == "system" and invoice.fee is not None:
        return  # its own notice brings it
    if sending.sent_by == "system":
        yield Prospect(terms.dispatch_from(invoice), f"El sistema envía la factura {invoice.number}.", rule)
        return
    last = day_of_period(invoice.period, sending.send_by_day)
    text = f"Termina el último día para enviar la factura {invoice.number}."
    yield Prospect(terms.calendar.end_of_day(last), text, rule)


def _agreements(facts: Facts, terms: Terms, now: datetime) -> Iterator[Prospect]:
    promise = running_promise(facts, now)
    if promise is not None:
        amount = money(terms.operator, promise.amount, facts.currency)
        text = f"Vence el compromiso {promise.ordinal} de {month(terms.operator, promise.period)} por {amount}."
        yield Prospect(promise.due_at, text, terms.policy.rules["promises"])
    plan = running_plan(facts, now)
    if plan is not None:
        for each in plan.instalments:
            text = f"Vence la cuota {each.number} del plan de pago: {money(terms.operator, each.amount, facts.currency)}."
            yield Prospect(each.due_at, text, terms.policy.rules["negotiated"])


def _cut(facts: Facts, terms: Terms, now: datetime) -> Iterator[Prospect]:
    """From when on the days allow a cut; what else stands in its way is told by the verdict."""
    debts = unpaid_months(facts, now)
    if not debts or unfinished(facts) is not None:
        return
    policy = terms.policy
    first = min(debts, key=terms.cut_from)
    month_of = month(terms.operator, first.period)
    does = "el sistema suspende el servicio" if policy.decided_by == "system" else "el gestor puede suspender, si nada más lo impide"
    text = f"Termina el plazo de {month_of}: si sigue impago, {does}."
    yield Prospect(terms.cut_from(first), text, policy.rules["day"])
    if policy.decided_by == "system" and (until := contradicted_until(facts)) is not None:
        text = "Tickets canceló las últimas suspensiones por un pago que aquí no cuenta: revise allá qué está detenido. Se ordena otra vez."
        yield Prospect(until, text, policy.rules["day"])
    wanted = policy.suspension.notice
    if wanted is None:
        return
    notice = valid_notice(facts, now)
    if notice is None:
        text = f"Último momento para enviar el aviso de suspensión {span(wanted.before)} antes de que se permita suspender."
        yield Prospect(terms.cut_from(first) - wanted.before, text, policy.rules["notice"])
    elif notice.accepted_at is not None:
        text = f"Ya pasaron {span(wanted.before)} desde que se aceptó el aviso de suspensión."
        yield Prospect(notice.accepted_at + wanted.before, text, policy.rules["notice"])


def _restriction(facts: Facts, terms: Terms, now: datetime) -> Iterator[Prospect]:
    """When the service is restricted, before the cut."""
    if terms.policy.restriction is None or facts.delivery != "own" or unfinished(facts) is not None or unfinished_restriction(facts):
        return
    for each in unpaid_months(facts, now):
        begins = terms.restrict_from(each)
        if begins is not None:
            text = f"Si la factura {each.number} sigue impaga, el servicio se restringe a la página de pago."
            yield Prospect(begins, text, terms.policy.rules["restriction"])


def _recovery(facts: Facts, terms: Terms, now: datetime) -> Iterator[Prospect]:
    """When the case of a cut that stands goes to recovery."""
    cut = recoverable(facts, now)
    at = recovery_from(cut, facts, terms, now) if cut is not None else None
    if at is not None:
        text = f"Si sigue sin pagar, pasa a {terms.policy.statuses['recovery']} y el caso va a recuperación."
        yield Prospect(at, text, terms.policy.rules["recovery"])


def _holds(facts: Facts, terms: Terms, now: datetime) -> Iterator[Prospect]:
    for each in running_holds(facts, now):
        yield Prospect(each.until, "Termina la exclusión de avisos y suspensiones.", terms.policy.rules["hold"])
