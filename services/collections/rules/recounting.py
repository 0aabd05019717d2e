"""The facts that a decision rests on, told in sentences (Spanish) with the instant at which each came to be known."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.collections.rules.agreements import judge_plan, judge_promise
from services.collections.rules.cuts import open_outages
from services.collections.rules.debts import ZERO, believed_open, confirmed_open, deducted, disputed, exists
from services.collections.rules.facts import Facts, Invoice
from services.collections.rules.holds import running_holds, told_hold
from services.collections.rules.obstacles import covering_agents
from services.collections.rules.standing import in_recovery
from services.collections.rules.states import DeductionKind, PlanState, PromiseState, SuspensionState
from services.collections.rules.terms import Terms
from services.collections.rules.wording import counted, day, listed, moment, money, month, who

PROMISES = {
    PromiseState.RUNNING: "corre",
    PromiseState.KEPT: "se cumplió",
    PromiseState.BROKEN: "se incumplió",
    PromiseState.LAPSED: "quedó sin efecto",
}
PLANS = {
    PlanState.RUNNING: "está en curso",
    PlanState.COMPLETED: "se cumplió",
    PlanState.BROKEN: "se incumplió",
    PlanState.LAPSED: "llegó a su fin",
}
SUSPENSIONS = {
    SuspensionState.REQUESTED: "Suspensión solicitada, todavía no hecha.",
    SuspensionState.WITHDRAWN: "La suspensión solicitada se retiró; falta la respuesta del ticket.",
    SuspensionState.CANCELLED: "La última suspensión solicitada no se hizo.",
    SuspensionState.REFUSED: "La última suspensión solicitada no fue posible.",
    SuspensionState.SUSPENDED: "El servicio está suspendido.",
    SuspensionState.RECONNECTING: "El servicio está suspendido y la reconexión está solicitada.",
    SuspensionState.RECONNECTED: "El servicio se reconectó.",
}
RESTRICTIONS = {
    "released": "La restricción del servicio se quitó.",
    "suspended": "La suspensión tomó el lugar de la restricción.",
    "cancelled": "La restricción solicitada no se hizo.",
    "refused": "La red rechazó la restricción solicitada.",
}
FEES = {"late": "Cargo por mora", "reconnection": "Cargo por reconexión"}


@dataclass(frozen=True)
class Known:
    """A fact: its kind, the sentence, and since when it is known (UTC)."""

    kind: str
    text: str
    at: datetime
    fact_id: UUID | None = None


def recount(facts: Facts, terms: Terms, now: datetime) -> list[Known]:
    """The facts that matter now: what is owed, what was paid, what was agreed, what was ordered."""
    return [
        *_portfolio(facts, terms, now),
        *_holds(facts, terms, now),
        *_invoices(facts, terms, now),
        *_deductions(facts, terms, now),
        *_fees(facts, terms),
        *_payments(facts, terms, now),
        *_agreements(facts, terms, now),
        *_orders(facts, terms, now),
    ]


def _portfolio(facts: Facts, terms: Terms, now: datetime) -> Iterator[Known]:
    agent = f"Su gestor es {who(terms.operator, facts.agent)}." if facts.agent else "No tiene gestor asignado."
    covering = covering_agents(facts, now)
    if covering:
        agent = f"{agent[:-1]}; hoy cubre su cartera {listed([who(terms.operator, each) for each in covering])}."
    how = "directamente por la empresa" if facts.delivery == "own" else "por terceros"
    yield Known("account", f"Lo rige la política {terms.policy.name}. {agent} El servicio se entrega {how}.", facts.registered_at)


def _holds(facts: Facts, terms: Terms, now: datetime) -> Iterator[Known]:
    yield from (Known("hold", told_hold(each, terms), each.placed_at, each.id) for each in running_holds(facts, now))


def _invoices(facts: Facts, terms: Terms, now: datetime) -> Iterator[Known]:
    """Those of which something is open, believed or confirmed."""
    found = [each for each in facts.invoices if exists(each, now) and confirmed_open(each, now) > ZERO]
    if not found:
        yield Known("debt", "No tiene facturas abiertas.", now)
    for each in found:
        yield Known("invoice", _invoice(each, facts, terms, now), each.issued_at, each.id)


def _invoice(invoice: Invoice, facts: Facts, terms: Terms, now: datetime) -> str:
    left = believed_open(invoice, now)
    what, due = FEES.get(invoice.fee or "", "Factura"), day(terms.operator, invoice.due_date)
    head = f"{what} {invoice.number} de {month(terms.operator, invoice.period)}, a pagar hasta el {due}"
    unsure = disputed(invoice, now)
    beside = f", además de {money(terms.operator, unsure, facts.currency)} en disputa" if unsure else ""
    if left == ZERO and unsure:
        return f"{head}: lo que queda abierto está en disputa ({money(terms.operator, unsure, facts.currency)}) o reportado."
    if left == ZERO:
        return f"{head}: reportada como pagada, falta confirmar {money(terms.operator, confirmed_open(invoice, now), facts.currency)}."
    late = " (vencida)" if invoice.due_ends_at <= now else ""
    return f"{head}: debe {money(terms.operator, left, facts.currency)}{beside}{late}."


def _deductions(facts: Facts, terms: Terms, now: datetime) -> Iterator[Known]:
    """Credit notes and open disputes on invoices of which something is open."""
    for invoice in facts.invoices:
        if not exists(invoice, now) or confirmed_open(invoice, now) == ZERO:
            continue
        for each in invoice.deductions:
            if deducted(each, now):
                amount, what = money(terms.operator, each.amount, facts.currency), each.reason.rstrip(".")
                kind = "Nota de crédito" if each.kind == DeductionKind.CREDIT else "Disputa"
                yield Known(each.kind.lower(), f"{kind} por {amount} de la factura {invoice.number}: {what}.", each.since, each.id)


def _fees(facts: Facts, terms: Terms) -> Iterator[Known]:
    for each in facts.fees:
        amount = money(terms.operator, each.amount, facts.currency)
        yield Known("fee", f"{FEES[each.kind]} de {amount} más impuestos: {each.reason}", each.due_at, each.id)


def _payments(facts: Facts, terms: Terms, now: datetime) -> Iterator[Known]:
    """Payments that wait for their confirmation, and those that were rejected."""
    for each in facts.payments:
        amount, when = money(terms.operator, each.amount, facts.currency), moment(terms.operator, each.reported_at)
        if each.rejected_at is not None and each.rejected_at <= now:
            undone = "se rechazó" if each.confirmed_at is None else "se confirmó y fue devuelto"
            text = f"El pago de {amount} reportado el {when} {undone} el {moment(terms.operator, each.rejected_at)}."
            yield Known("payment", text, each.rejected_at, each.id)
        elif each.confirmed_at is None and each.reported_at <= now:
            yield Known("payment", f"Pago de {amount} reportado el {when}, sin confirmar.", each.reported_at, each.id)


def _agreements(facts: Facts, terms: Terms, now: datetime) -> Iterator[Known]:
    for each in facts.promises:
        amount, due = money(terms.operator, each.amount, facts.currency), moment(terms.operator, each.due_at)
        judged = judge_promise(each, facts, now)
        state = PROMISES[PromiseState(judged.state)]
        text = f"Compromiso {each.ordinal} de {month(terms.operator, each.period)}: {amount} hasta el {due}; {state}."
        yield Known("promise", text, each.made_at, each.id)
    for plan in facts.plans:
        state = PLANS[PlanState(judge_plan(plan, facts, now).state)]
        terms_of = f"de {counted(len(plan.instalments), 'cuota')}" if plan.instalments else "anterior"
        text = f"Plan de pago {terms_of}; {state}."
        yield Known("payment_plan", text, plan.agreed_at, plan.id)
    for review in facts.reviews:
        ended = f"; concluida el {moment(terms.operator, review.closed_at)}" if review.closed_at is not None else "; abierta"
        yield Known("review", f"Revisión de la facturación: {review.reason.rstrip('.')}{ended}.", review.opened_at, review.id)


def _orders(facts: Facts, terms: Terms, now: datetime) -> Iterator[Known]:
    for each in facts.notices:
        month_of, asked = month(terms.operator, each.period), moment(terms.operator, each.requested_at)
        if each.accepted_at is not None:
            state = f"aceptado por todos los correos el {moment(terms.operator, each.accepted_at)}"
        else:
            state = "no llegó a todos" if each.failed_at is not None else "todavía sin aceptar por todos los correos"
        yield Known("notice", f"Aviso de suspensión de {month_of}, pedido el {asked}: {state}.", each.requested_at, each.id)
    if facts.suspensions:
        last = facts.suspensions[-1]
        known = last.reconnected_at or last.reconnection_requested_at or last.suspended_at or last.ended_at or last.requested_at
        yield Known("suspension", SUSPENSIONS[SuspensionState(last.state)], known, last.id)
        if last.recovery_requested_at is not None and in_recovery(last, now):
            yield Known("recovery", "El caso está en recuperación.", last.recovery_requested_at, last.id)
    yield from _restriction(facts)
    for outage in open_outages(facts, now):
        since = moment(terms.operator, outage.declared_at)
        yield Known("outage", f"El nodo {outage.access_node} tiene una avería desde el {since}.", outage.declared_at, outage.id)


def _restriction(facts: Facts) -> Iterator[Known]:
    """The last order to restrict, and how far it is."""
    last = facts.restrictions[-1] if facts.restrictions else None
    if last is None:
        return
    if last.ended_at is not None:
        yield Known("restriction", RESTRICTIONS[last.outcome or "released"], last.ended_at, last.id)
    elif last.release_requested_at is not None:
        yield Known("restriction", "La restricción del servicio se está quitando.", last.release_requested_at, last.id)
    elif last.restricted_at is not None:
        yield Known("restriction", "El servicio está restringido a la página de pago.", last.restricted_at, last.id)
    else:
        yield Known("restriction", "Restricción del servicio solicitada, todavía no hecha.", last.requested_at, last.id)
