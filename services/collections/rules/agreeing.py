"""What stands in the way of agreements: promises, payment plans, reviews (VIP-11, VIP-20, VIP-23)."""

from collections.abc import Iterator
from datetime import datetime

from services.collections.rules import wording
from services.collections.rules.agreements import running_plan, running_promise
from services.collections.rules.debts import unpaid
from services.collections.rules.facts import Facts
from services.collections.rules.obstacles import Obstacle
from services.collections.rules.states import SuspensionState
from services.collections.rules.terms import Terms


def promise_obstacles(facts: Facts, terms: Terms, now: datetime) -> Iterator[Obstacle]:
    """Only for an unpaid month, one at a time, as many as the policy allows, the later ones close behind the first (VIP-11)."""
    rule, limits, debts = terms.policy.rules["promises"], terms.policy.promises, unpaid(facts, now)
    if not debts:
        yield Obstacle(rule, "No debe nada: no hace falta un compromiso.")
        return
    if (plan := running_plan(facts, now)) is not None:
        when = wording.moment(terms.operator, plan.agreed_at)
        yield Obstacle(terms.policy.rules["negotiated"], f"Tiene un plan de pago desde el {when}.", "Siga las cuotas del plan.")
    if (running := running_promise(facts, now)) is not None:
        when = wording.moment(terms.operator, running.due_at)
        yield Obstacle(rule, f"El compromiso {running.ordinal} corre hasta el {when}.", "Espere a que se cumpla o venza.", running.due_at)
    month = wording.month(terms.operator, debts[0].period)
    made = [each for each in facts.promises if each.period == debts[0].period]
    if len(made) >= limits.max_per_month:
        allowed = "no admite compromisos" if not limits.max_per_month else f"admite {limits.max_per_month}"
        yield Obstacle(rule, f"Ya hizo {len(made)} compromiso(s) por {month} y la política {allowed} por mes.", _instead(facts))
    elif made and now >= made[-1].due_at + limits.second_within:
        last, span = wording.moment(terms.operator, made[-1].due_at), wording.span(limits.second_within)
        yield Obstacle(
            rule,
            f"El compromiso anterior de {month} venció el {last} y el siguiente no podía pasar de {span} más.",
            _instead(facts),
        )


def _instead(facts: Facts) -> str:
    if any(each.state == SuspensionState.SUSPENDED for each in facts.suspensions):
        return "Acuerde un plan de pago o espere el pago."
    return "Acuerde un plan de pago, o siga con el aviso y la suspensión."


def plan_obstacles(facts: Facts, terms: Terms, now: datetime) -> Iterator[Obstacle]:
    """One plan at a time; one of unknown terms gives way to one that we know."""
    rule = terms.policy.rules["negotiated"]
    if not unpaid(facts, now):
        yield Obstacle(rule, "No debe nada: no hace falta un plan de pago.")
    plan = running_plan(facts, now)
    if plan is not None and plan.instalments:
        when = wording.moment(terms.operator, plan.agreed_at)
        yield Obstacle(rule, f"Ya tiene un plan de pago desde el {when}.", "Espere a que se cumpla o se incumpla.")


def review_obstacles(facts: Facts, terms: Terms) -> Iterator[Obstacle]:
    """One review at a time."""
    opened = next((each for each in facts.reviews if each.closed_at is None), None)
    if opened is not None:
        when = wording.moment(terms.operator, opened.opened_at)
        yield Obstacle(
            terms.policy.rules["negotiated"], f"Ya hay una revisión abierta desde el {when}: {opened.reason}", "Conclúyala primero."
        )


def promise_limit(facts: Facts, terms: Terms, now: datetime) -> datetime:
    """The latest instant for which a promise made now may be: the policy's longest, and for a later one so long after the one before."""
    debts = unpaid(facts, now)
    made = [each for each in facts.promises if debts and each.period == debts[0].period]
    if not made:
        return terms.longest_promise(now)
    return made[-1].due_at + terms.policy.promises.second_within


def promise_terms(facts: Facts, terms: Terms, now: datetime) -> str:
    """Which promise may be made now, and for when at the latest, in words."""
    period = unpaid(facts, now)[0].period
    made = [each for each in facts.promises if each.period == period]
    latest = promise_limit(facts, terms, now)
    return (
        f"Puede hacer el compromiso {len(made) + 1} de {terms.policy.promises.max_per_month} por {wording.month(terms.operator, period)}, "
        f"a más tardar para {wording.until(terms.operator, latest)}."
    )
