"""Why an account is where it is, what may be done, what may not and why, and what comes next: one pure function for people and programs.

It decides nothing: status, verdicts and prospects are those that the commands and the review job use.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.collections.rules.facts import Facts
from services.collections.rules.prospects import Prospect, prospects
from services.collections.rules.reasons import standing_reason
from services.collections.rules.recounting import Known, recount
from services.collections.rules.standing import Standing, standing
from services.collections.rules.terms import Terms
from services.collections.rules.verdicts import ActionCode, Verdict, verdicts
from services.collections.rules.wording import moment
from shared.operator import Policy

LABELS: dict[ActionCode, str] = {
    "send_invoice": "Enviar la factura",
    "confirm_receipt": "Confirmar que recibió la factura",
    "promise": "Hacer un compromiso de pago",
    "payment_plan": "Acordar un plan de pago",
    "review": "Abrir una revisión de la facturación",
    "notice": "Enviar el aviso de suspensión",
    "suspend": "Suspender el servicio",
    "reconnect": "Reconectar el servicio",
}
COMMANDS: dict[ActionCode, str] = {
    "send_invoice": "invoice-dispatches",
    "confirm_receipt": "contacts",
    "promise": "promises",
    "payment_plan": "payment-plans",
    "review": "reviews",
    "notice": "suspension-notices",
    "suspend": "suspensions",
    "reconnect": "reconnections",
}


@dataclass(frozen=True)
class ActionView:
    """An action: the verdict for the one whose work it is, and whether the person who asks may do it (`yours` says why not)."""

    verdict: Verdict
    label: str
    command: str
    allowed_for_you: bool
    yours: Verdict


@dataclass(frozen=True)
class Explanation:
    """Everything about one account at one instant. `choices` are what the operator decided where its documents are silent."""

    standing: Standing
    label: str
    reason: str
    summary: str
    actions: list[ActionView]
    known: list[Known]
    next: list[Prospect]
    choices: list[tuple[str, str]]


def explain(facts: Facts, terms: Terms, now: datetime, *, person: str) -> Explanation:
    """Explain the account to a person. Verdicts are given for the assigned agent first: nobody else can do more."""
    actual = standing(facts, terms, now)
    label = label_of(terms.policy, actual.code)
    actions = _actions(facts, terms, now, person)
    following = prospects(facts, terms, now)
    known = recount(facts, terms, now)
    used = [rule_of(terms.policy, actual), *(each.verdict.rule for each in actions), *(each.rule for each in following)]
    return Explanation(
        standing=actual,
        label=label,
        reason=standing_reason(actual, facts, terms, now),
        summary=_summary(facts, terms, now, actual, actions, following),
        actions=actions,
        known=known,
        next=following,
        choices=_choices(terms, used),
    )


def _actions(facts: Facts, terms: Terms, now: datetime, person: str) -> list[ActionView]:
    own = verdicts(facts, terms, now, person=facts.agent or "")
    asked = verdicts(facts, terms, now, person=person)
    return [ActionView(each, LABELS[each.action], COMMANDS[each.action], mine.allowed, mine) for each, mine in zip(own, asked, strict=True)]


def label_of(policy: Policy, code: str) -> str:
    """The operator's own word for a status."""
    return policy.statuses[code]  # type: ignore[index]


def rule_of(policy: Policy, actual: Standing) -> str:
    """The operator's rule that a status rests on."""
    return policy.rules[actual.decision]  # type: ignore[index]


def _summary(facts: Facts, terms: Terms, now: datetime, actual: Standing, actions: list[ActionView], following: list[Prospect]) -> str:
    """The account in three sentences, as one would tell a colleague."""
    head = f"{facts.name or 'El cliente'} está en {label_of(terms.policy, actual.code)}. {standing_reason(actual, facts, terms, now)}"
    cut = next(each.verdict for each in actions if each.verdict.action == "suspend")
    if cut.allowed:
        return f"{head} Se puede suspender: {cut.reason}"
    after = f" Lo próximo, el {moment(terms.operator, following[0].at)}: {following[0].text}" if following else ""
    return f"{head} No se puede suspender: {cut.reason}{after}"


def _choices(terms: Terms, used: Iterable[str]) -> list[tuple[str, str]]:
    """The operator's own decisions, one per rule: those of the policy, and those that the rules named above mention."""
    found = {each.rule: each.text for each in terms.policy.choices}
    for rule_id in used:
        rule = terms.operator.rules.get(rule_id)
        if rule is not None and rule.choice:
            found.setdefault(rule_id, rule.choice)
    return list(found.items())
