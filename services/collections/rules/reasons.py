"""Why an account stands where it stands, in a sentence for agents and events (Spanish)."""

from datetime import datetime

from services.collections.rules import wording
from services.collections.rules.agreements import judged_plans, judged_promises
from services.collections.rules.debts import ZERO, open_disputes, owed, owed_unconfirmed, unpaid
from services.collections.rules.facts import Facts
from services.collections.rules.standing import Standing
from services.collections.rules.states import PlanState, PromiseState
from services.collections.rules.terms import Terms


def standing_reason(standing: Standing, facts: Facts, terms: Terms, now: datetime) -> str:
    """What the status rests on."""
    when = wording.moment(terms.operator, standing.since)
    if standing.cause == "cut":
        return f"El servicio se suspendió el {when}; {_debt(facts, terms, now)}."
    if standing.cause == "restriction":
        return f"El servicio está restringido a la página de pago desde el {when}; {_debt(facts, terms, now)}."
    if standing.cause == "recovery":
        return f"Suspendido y sin pagar, el caso pasó a recuperación el {when}; {_debt(facts, terms, now)}."
    if standing.cause == "plan":
        return _plan_reason(standing, facts, terms, when)
    if standing.cause == "review":
        review = next(each for each in facts.reviews if each.id == standing.fact_id)
        return f"En revisión desde el {when}: {review.reason}"
    if standing.cause == "dispute":
        disputed = open_disputes(facts, now)[-1]
        amount = wording.money(terms.operator, disputed.amount, facts.currency)
        said = f"El cliente disputa {amount} de su facturación desde el {when}: {disputed.reason}"
        return f"{said.rstrip('.')}. Además, {_debt(facts, terms, now)}." if unpaid(facts, now) else said
    if standing.cause == "trial_payment":
        return f"Reconectado el {when} por un pago reportado que falta confirmar."
    if standing.cause == "trial_promise":
        return f"Reconectado el {when} por un compromiso de pago."
    if standing.cause.startswith("trial_") and standing.cause != "trial_over":
        return f"Reconectado el {when}."
    return _active_reason(standing, facts, terms, now)


def _owed(facts: Facts, terms: Terms, now: datetime) -> str:
    return wording.money(terms.operator, owed(facts.invoices, now), facts.currency)


def _debt(facts: Facts, terms: Terms, now: datetime) -> str:
    if unpaid(facts, now):
        return f"debe {_owed(facts, terms, now)}"
    if open_disputes(facts, now):
        return "lo que queda abierto está en disputa o reportado"
    waiting = owed_unconfirmed(facts.invoices, now) > ZERO
    return "todo lo que debía está reportado y falta confirmarlo" if waiting else "no debe nada"


def _plan_reason(standing: Standing, facts: Facts, terms: Terms, when: str) -> str:
    plan = next(each for each in facts.plans if each.id == standing.fact_id)
    if not plan.instalments:
        return f"Tenía un plan de pago cuando se importó, el {when}."
    last = wording.moment(terms.operator, plan.instalments[-1].due_at)
    return f"Plan de pago de {wording.counted(len(plan.instalments), 'cuota')} acordado el {when}; la última vence el {last}."


def _active_reason(standing: Standing, facts: Facts, terms: Terms, now: datetime) -> str:
    """Nothing else is the case; what came to its end last says how it got here."""
    debt = _debt(facts, terms, now)
    for _, judged in reversed(judged_plans(facts, now)):
        if judged.state == PlanState.BROKEN:
            return f"Incumplió su plan de pago; {debt}."
        if judged.state == PlanState.COMPLETED:
            return f"Cumplió su plan de pago; {debt}."
    if standing.cause != "trial_over":
        return f"Ningún plan, revisión ni suspensión en curso; {debt}."
    broken = any(judged.state == PromiseState.BROKEN for _, judged in judged_promises(facts, now))
    if broken and owed(facts.invoices, now) > ZERO:
        return f"Reconectado por un compromiso que no cumplió; {debt}."
    undone = next((each for each in facts.payments if each.rejected_at is not None and each.rejected_at == standing.since), None)
    if undone is not None:
        return f"El pago por el que se reconectó fue {'rechazado' if undone.confirmed_at is None else 'devuelto'}; {debt}."
    return f"Reconectado y con los pagos confirmados; {debt}."
