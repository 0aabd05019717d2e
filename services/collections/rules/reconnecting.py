"""What stands in the way of a reconnection (VIP-20): there must be a cut, and something that it rests on."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, get_args

from services.collections.rules import wording
from services.collections.rules.agreements import running_plan, running_promise
from services.collections.rules.cuts import cut_invoices, release_covered, unfinished
from services.collections.rules.debts import open_disputes, owed, unpaid
from services.collections.rules.facts import Facts
from services.collections.rules.obstacles import Obstacle
from services.collections.rules.states import SuspensionState
from services.collections.rules.terms import Terms

Basis = Literal["payment", "promise", "payment_plan", "review"]
BASES: tuple[Basis, ...] = get_args(Basis)
AGREED = {"promise": "un compromiso", "payment_plan": "un plan de pago", "review": "una revisión"}
WORDS = {
    "payment": "Hay un pago reportado.",
    "promise": "Hay un compromiso de pago en curso.",
    "payment_plan": "Hay un plan de pago en curso.",
    "review": "La facturación está en revisión.",
}


def no_cut(facts: Facts, terms: Terms) -> Iterator[Obstacle]:
    """Why there is nothing to reconnect; nothing when there is."""
    rule, cut = terms.policy.rules["reconnection"], unfinished(facts)
    if cut is None:
        yield Obstacle(rule, "El servicio no está suspendido.")
    elif cut.state == SuspensionState.RECONNECTING:
        asked = cut.reconnection_requested_at or cut.requested_at
        yield Obstacle(
            rule, f"La reconexión ya está solicitada desde el {wording.moment(terms.operator, asked)}.", "Siga el ticket que se abrió."
        )
    elif cut.state != SuspensionState.SUSPENDED:
        yield Obstacle(
            rule,
            "La suspensión está solicitada y todavía no fue hecha.",
            "Un pago la cancela por sí solo; un compromiso, plan o revisión la retira.",
        )


def no_basis(facts: Facts, terms: Terms, now: datetime, basis: str) -> Iterator[Obstacle]:
    """Why the account can't be reconnected for this reason; nothing when it can."""
    rule, cut = terms.policy.rules["reconnection"], unfinished(facts)
    if basis != "payment":
        if not _agreed(basis, facts, now):
            yield Obstacle(rule, f"No hay {AGREED[basis]} en curso.", f"Registre primero {AGREED[basis]}.")
    elif cut is not None and not (facts.invoices and release_covered(cut, facts, terms, now)):
        left = wording.money(terms.operator, owed(cut_invoices(cut, facts, terms, now), now), facts.currency)
        yield Obstacle(rule, f"Faltan {left} por reportar de lo que debe.", "Registre el pago, o acuerde un compromiso o un plan.")


def _agreed(basis: str, facts: Facts, now: datetime) -> bool:
    if basis == "promise":
        return running_promise(facts, now) is not None
    if basis == "payment_plan":
        return running_plan(facts, now) is not None
    disputed = bool(open_disputes(facts, now)) and not unpaid(facts, now)
    return disputed or any(each.opened_at <= now and each.closed_at is None for each in facts.reviews)


def possible_bases(facts: Facts, terms: Terms, now: datetime) -> list[Basis]:
    """On what the account could be reconnected now."""
    return [each for each in BASES if not any(True for _ in no_basis(facts, terms, now, each))]
