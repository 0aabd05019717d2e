"""What an agent has to do about an account now, and in which order of all accounts (VIP-5 … VIP-12, VIP-20). Pure; texts are Spanish.

Whoever spoke with the customer today has done the day's work on it: the account sinks below all others, and is back where it belongs
when something comes up after the talk, or the next day begins. What only a command of ours can do never sinks (`OURS`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from services.collections.rules.agreements import judge_plan, judge_promise, running_plan, running_promise
from services.collections.rules.assessment import agreement
from services.collections.rules.cuts import last_failed, release_covered, unfinished, valid_notice
from services.collections.rules.debts import ZERO, believed_open, exists, overdue, owed, reported_between, unpaid, unpaid_months
from services.collections.rules.facts import Facts, Invoice
from services.collections.rules.holds import ended, held
from services.collections.rules.obstacles import INSTANT, cut_obstacles
from services.collections.rules.standing import current_restriction, may_be_cut, standing
from services.collections.rules.states import PlanState, PromiseState, SuspensionState
from services.collections.rules.terms import Terms, day_of_period
from services.collections.rules.wording import counted, day, moment, money, month


class Reason(StrEnum):
    """Why somebody should turn to an account, the most urgent first."""

    RECONNECT = "reconnect"
    CUT_POSSIBLE = "cut_possible"
    PROMISE_BROKEN = "promise_broken"
    PLAN_BROKEN = "plan_broken"
    PROMISE_DUE = "promise_due"
    INSTALMENT_DUE = "instalment_due"
    NOTICE_TO_SEND = "notice_to_send"
    INVOICE_NOT_SENT = "invoice_not_sent"
    RESTRICTED = "restricted"
    RECEIPT_NOT_CONFIRMED = "receipt_not_confirmed"
    FOLLOW_UP = "follow_up"
    REVIEW_OPEN = "review_open"


ORDER = tuple(Reason)
OURS = frozenset({Reason.RECONNECT, Reason.INVOICE_NOT_SENT})
DONE = 100  # added to the urgency of an account whose work of today is done


@dataclass(frozen=True)
class Task:
    """One reason: the sentence for the agent, the rule behind it, the command (or call) that takes it off the list, and since when it is
    one."""

    reason: Reason
    text: str
    rule: str
    action: str
    since: datetime


@dataclass(frozen=True)
class Debt:
    """What is owed and for how long: `overdue` of it is late, by `days` since the oldest due date's day ended."""

    owed: Decimal
    overdue: Decimal
    days: int


def for_people(facts: Facts, terms: Terms) -> bool:
    """Do people work on the account? On one of what the system decides its agent does, where the policy wants that."""
    policy = terms.policy
    return policy.decided_by == "person" or policy.invoice.sent_by == "agent" or (policy.worked_by_agents and facts.agent is not None)


Place = tuple[int, Decimal, date | None]


def place(facts: Facts, terms: Terms, now: datetime) -> Place | None:
    """Where the account stands in the list: what is done for today last, then the most urgent reason first, then the larger debt; and
    since which due date it is overdue. None when it can be left alone."""
    todo = tasks(facts, terms, now)
    if not todo:
        return None
    done = DONE if done_today(todo, facts, terms, now) else 0
    since = min((each.due_date for each in overdue(facts, now)), default=None)
    return done + ORDER.index(todo[0].reason), -owed(facts.invoices, now), since


def done_today(todo: Sequence[Task], facts: Facts, terms: Terms, now: datetime) -> bool:
    """Did somebody speak with the customer today, after everything that there is to do had come up?"""
    last = facts.last_contact_at
    if last is None or last > now or terms.calendar.today(last) != terms.calendar.today(now):
        return False
    return all(each.since < last and each.reason not in OURS for each in todo)


def next_change(facts: Facts, terms: Terms, now: datetime) -> datetime | None:
    """The next instant at which time alone may change the place, beside those at which it may change what is decided
    (rules/assessment.py)."""
    return min((each for each in _instants(facts, terms, now) if each > now), default=None)


def _instants(facts: Facts, terms: Terms, now: datetime) -> Iterator[datetime]:
    due = [each.due_at for each in facts.promises] + [each.due_at for plan in facts.plans for each in plan.instalments]
    yield from (_day_begins(each, terms) for each in due)
    if facts.last_contact_at is not None:
        yield terms.calendar.end_of_day(terms.calendar.today(facts.last_contact_at))
    wanted = terms.policy.suspension.notice
    for invoice in facts.invoices:
        if exists(invoice, now) and believed_open(invoice, now) == ZERO:
            continue
        cut_from = terms.cut_from(invoice)
        yield from (terms.dispatch_from(invoice), invoice.due_ends_at, cut_from)
        if wanted is not None:
            yield _day_begins(cut_from - wanted.before, terms)
    if wanted is not None:
        yield from (each.accepted_at + wanted.before for each in facts.notices if each.accepted_at is not None)


def _day_begins(last: datetime, terms: Terms) -> datetime:
    """When the day begins whose end, or whose hour, this last instant is."""
    return terms.calendar.start_of_day(terms.calendar.today(last - INSTANT))


def debt(facts: Facts, terms: Terms, now: datetime) -> Debt:
    """What the account owes once every reported payment is believed."""
    late = overdue(facts, now)
    today = terms.calendar.today(now)
    days = max(((today - each.due_date).days for each in late), default=0)
    return Debt(owed(facts.invoices, now), owed(late, now), days)


def tasks(facts: Facts, terms: Terms, now: datetime) -> list[Task]:
    """All that is to be done about the account, the most urgent first; nothing when it can be left alone."""
    return sorted(_tasks(facts, terms, now), key=lambda each: ORDER.index(each.reason))


def _tasks(facts: Facts, terms: Terms, now: datetime) -> Iterator[Task]:
    yield from _reconnection(facts, terms, now)
    if unpaid(facts, now):
        yield from _cut(facts, terms, now)
        yield from _promises(facts, terms, now)
        yield from _plans(facts, terms, now)
        yield from _notice(facts, terms, now)
        yield from _invoices(facts, terms, now)
        yield from _restriction(facts, terms, now)
        yield from _follow_up(facts, terms, now)
    yield from _reviews(facts, terms, now)


def _reconnection(facts: Facts, terms: Terms, now: datetime) -> Iterator[Task]:
    cut = unfinished(facts)
    if cut is None or cut.state != SuspensionState.SUSPENDED or terms.policy.reconnection.decided_by == "system":
        return
    rule = terms.policy.rules["reconnection"]
    if release_covered(cut, facts, terms, now):
        yield Task(Reason.RECONNECT, "El pago está reportado y el servicio sigue suspendido: pida la reconexión.", rule, "reconnect", now)
    elif agreement(facts, now) is not None:
        yield Task(Reason.RECONNECT, "Hay un acuerdo y el servicio sigue suspendido: pida la reconexión.", rule, "reconnect", now)


def _cut(facts: Facts, terms: Terms, now: datetime) -> Iterator[Task]:
    if terms.policy.decided_by == "person" and next(cut_obstacles(facts, terms, now, person=facts.agent), None) is None:
        text = "Se cumplen todas las condiciones: desde ahora se puede suspender."
        yield Task(Reason.CUT_POSSIBLE, text, terms.policy.rules["day"], "suspend", _cut_possible_since(facts, terms, now))


def _cut_possible_since(facts: Facts, terms: Terms, now: datetime) -> datetime:
    """When the last of what a cut waits for was over: the day, the hours of the notice, a promise, a hold, a payment that did not come."""
    wanted, notice = terms.policy.suspension.notice, valid_notice(facts, now)
    passed = [
        min(terms.cut_from(each) for each in unpaid_months(facts, now)),
        *(each.due_at for each in facts.promises),
        *_did_not_come(facts),
    ]
    passed += [ended(each) for each in facts.holds]
    if wanted is not None and notice is not None and notice.accepted_at is not None:
        passed.append(notice.accepted_at + wanted.before)
    return max(each for each in passed if each <= now)


def _did_not_come(facts: Facts) -> Iterator[datetime]:
    return (each.rejected_at for each in facts.payments if each.rejected_at is not None)


def _promises(facts: Facts, terms: Terms, now: datetime) -> Iterator[Task]:
    rule, operator = terms.policy.rules["promises"], terms.operator
    running = running_promise(facts, now)
    if running is not None:
        if running.due_at <= terms.calendar.end_of_day(terms.calendar.today(now)):
            due, amount = moment(operator, running.due_at), money(operator, running.amount, facts.currency)
            text = f"El compromiso {running.ordinal} vence hoy: {amount}, {due}."
            yield Task(Reason.PROMISE_DUE, text, rule, "contact", _day_begins(running.due_at, terms))
        return
    periods = {each.period for each in unpaid(facts, now)}
    broken = [each for each in facts.promises if each.period in periods and judge_promise(each, facts, now).state == PromiseState.BROKEN]
    if not broken or running_plan(facts, now) is not None or unfinished(facts) is not None:
        return
    last = broken[-1]
    text = f"Incumplió el compromiso {last.ordinal} de {month(operator, last.period)}, que vencía el {moment(operator, last.due_at)}."
    more = last.ordinal < terms.policy.promises.max_per_month and now <= last.due_at + terms.policy.promises.second_within
    yield Task(Reason.PROMISE_BROKEN, text, rule, "promise" if more else "contact", judge_promise(last, facts, now).at)


def _plans(facts: Facts, terms: Terms, now: datetime) -> Iterator[Task]:
    """An instalment of today that the reported payments do not reach yet, and a plan that was broken and nothing has replaced."""
    rule, plan = terms.policy.rules["negotiated"], running_plan(facts, now)
    if plan is not None:
        today = terms.calendar.end_of_day(terms.calendar.today(now))
        needed, paid = ZERO, sum((each.amount for each in reported_between(facts, plan.agreed_at, now, now, plan.known_payments)), ZERO)
        for each in plan.instalments:
            needed += each.amount
            if now <= each.due_at <= today and paid < needed:
                amount, due = money(terms.operator, each.amount, facts.currency), moment(terms.operator, each.due_at)
                text = f"La cuota {each.number} del plan de pago vence hoy: {amount}, {due}."
                yield Task(Reason.INSTALMENT_DUE, text, rule, "contact", _day_begins(each.due_at, terms))
    elif agreement(facts, now) is None and unfinished(facts) is None and facts.plans:
        judged = judge_plan(facts.plans[-1], facts, now)
        if judged.state == PlanState.BROKEN:
            text = f"Incumplió su plan de pago el {moment(terms.operator, judged.at)}."
            yield Task(Reason.PLAN_BROKEN, text, rule, "contact", judged.at)


def _notice(facts: Facts, terms: Terms, now: datetime) -> Iterator[Task]:
    """The last day on which the notice still allows a cut as soon as the month's day has passed, and from then on."""
    policy = terms.policy
    wanted = policy.suspension.notice
    if wanted is None or policy.decided_by == "system" or unfinished(facts) is not None or valid_notice(facts, now) is not None:
        return
    if not may_be_cut(standing(facts, terms, now), policy.suspension.requires_status) or running_promise(facts, now) is not None:
        return
    debts = unpaid_months(facts, now)
    if held(facts, now) is not None or not debts:
        return
    cut_from = min(terms.cut_from(each) for each in debts)
    last = terms.calendar.today(cut_from - wanted.before - INSTANT)
    if now < _day_begins(cut_from - wanted.before, terms):
        return
    last_one = last_failed(facts, now)
    failed = "El último aviso no llegó a todos: mándelo de nuevo" if last_one else "Falta el aviso de suspensión"
    text = f"{failed}; para poder suspender el {moment(terms.operator, cut_from)}, envíelo el {day(terms.operator, last)}."
    if now >= cut_from - wanted.before:
        text = f"{failed}; sin él no se puede suspender."
    since = last_one.failed_at if last_one is not None and last_one.failed_at is not None else _day_begins(cut_from - wanted.before, terms)
    yield Task(Reason.NOTICE_TO_SEND, text, policy.rules["notice"], "notice", since)


def _invoices(facts: Facts, terms: Terms, now: datetime) -> Iterator[Task]:
    """Each invoice that is out: sent by the day, then its receipt confirmed."""
    sending, rules = terms.policy.invoice, terms.policy.rules
    for each in facts.invoices:
        if not exists(each, now) or each.origin == "opening" or believed_open(each, now) == ZERO:
            continue
        if each.dispatched_at is None:
            if sending.sent_by == "agent" and now >= terms.dispatch_from(each):
                since = terms.dispatch_from(each)
                yield Task(Reason.INVOICE_NOT_SENT, _not_sent(each, terms, now), rules["dispatch"], "send_invoice", since)
        elif sending.confirm_receipt and each.receipt_confirmed_at is None:
            text = f"Falta confirmar que recibió la factura {each.number}, enviada el {moment(terms.operator, each.dispatched_at)}."
            yield Task(Reason.RECEIPT_NOT_CONFIRMED, text, rules["receipt"], "confirm_receipt", each.dispatched_at)


def _not_sent(invoice: Invoice, terms: Terms, now: datetime) -> str:
    month_of = month(terms.operator, invoice.period)
    last = day_of_period(invoice.period, terms.policy.invoice.send_by_day)
    late = terms.calendar.today(now) > last
    when = f"el plazo era el {day(terms.operator, last)}" if late else f"a más tardar el {day(terms.operator, last)}"
    return f"Falta enviar la factura {invoice.number} de {month_of}: {when}."


def _restriction(facts: Facts, terms: Terms, now: datetime) -> Iterator[Task]:
    """The customer sees only the payment page and has agreed nothing: the last days in which a talk may spare it the cut."""
    order, months = current_restriction(facts, now), unpaid_months(facts, now)
    if order is None or order.restricted_at is None or order.release_requested_at is not None or terms.policy.restriction is None:
        return
    if not months or agreement(facts, now) is not None or unfinished(facts) is not None:
        return
    cut_from = min(terms.cut_from(each) for each in months)
    then = "ya se puede suspender" if cut_from <= now else f"se puede suspender desde el {moment(terms.operator, cut_from)}"
    text = f"Solo ve la página de pago desde el {moment(terms.operator, order.restricted_at)}; si no paga, {then}."
    yield Task(Reason.RESTRICTED, text, terms.policy.rules["restriction"], "contact", order.restricted_at)


def _follow_up(facts: Facts, terms: Terms, now: datetime) -> Iterator[Task]:
    late = overdue(facts, now)
    if not late or agreement(facts, now) is not None:
        return
    found = debt(facts, terms, now)
    days = counted(found.days, "día")
    text = f"Debe {money(terms.operator, found.overdue, facts.currency)} desde hace {days} y no hay ningún acuerdo que corra."
    since = max([min(each.due_ends_at for each in late), *(each for each in _did_not_come(facts) if each <= now)])
    yield Task(Reason.FOLLOW_UP, text, terms.policy.rules["follow_up"], "contact", since)


def _reviews(facts: Facts, terms: Terms, now: datetime) -> Iterator[Task]:
    for each in facts.reviews:
        if each.opened_at <= now and not (each.closed_at is not None and each.closed_at <= now):
            text = f"La revisión abierta el {moment(terms.operator, each.opened_at)} sigue sin conclusión: {each.reason}"
            yield Task(Reason.REVIEW_OPEN, text, terms.policy.rules["negotiated"], "close_review", each.opened_at)
