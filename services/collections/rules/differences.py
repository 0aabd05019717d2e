"""Why something that a simulation showed was not done: the facts that came in between say so. Pure; texts are Spanish."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.collections.rules.assessment import agreement
from services.collections.rules.cuts import open_outages
from services.collections.rules.debts import unpaid
from services.collections.rules.facts import Facts
from services.collections.rules.holds import held
from services.collections.rules.obstacles import approved, cut_obstacles
from services.collections.rules.terms import Terms
from services.collections.rules.verdicts import verdict


class Why(StrEnum):
    """What kept a shown step from being done. PENDING: nothing does, it is still to come; RULE: another rule, which is named."""

    PAID = "paid"
    HOLD = "hold"
    AGREEMENT = "agreement"
    OUTAGE = "outage"
    CAP = "cap"
    NOT_APPROVED = "not_approved"
    RULE = "rule"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class NotDone:
    """Why a step was not done, in a word and in a sentence, and the rule behind it."""

    why: Why
    text: str
    rule: str


def why_not(facts: Facts, terms: Terms, at: datetime, *, notice: bool, cap_reached: bool) -> NotDone:
    """Why the account was not cut (or, `notice`, its desks were not told) at an instant at which a simulation said that it would be.
    `cap_reached`: the day's approvals had used up the policy's daily cap."""
    rule = terms.policy.rules["notice" if notice else "day"]
    if not unpaid(facts, at):
        return NotDone(Why.PAID, "Mientras tanto se reportó el pago de todo lo que debía, o dejó de deberlo.", rule)
    if notice:
        found = list(verdict("notice", facts, terms, at, person=facts.agent or "").obstacles)
    else:
        found = list(cut_obstacles(facts, terms, at, person=None))
    if not found:
        return NotDone(Why.PENDING, "Nada lo impide: está por hacerse.", rule)
    return NotDone(_word(facts, terms, at, notice=notice, cap_reached=cap_reached), found[0].reason, found[0].rule)


def _word(facts: Facts, terms: Terms, at: datetime, *, notice: bool, cap_reached: bool) -> Why:
    if held(facts, at) is not None:
        return Why.HOLD
    if agreement(facts, at) is not None:
        return Why.AGREEMENT
    if open_outages(facts, at):
        return Why.OUTAGE
    wanted = terms.policy.suspension.approval
    if not notice and wanted is not None and wanted.required and not approved(facts, at):
        return Why.CAP if cap_reached else Why.NOT_APPROVED
    return Why.RULE
