"""What may be done with an account now, by whom, and which rule forbids the rest: commands refuse and explanations explain from this."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from services.collections.rules import wording
from services.collections.rules.agreeing import plan_obstacles, promise_obstacles, promise_terms, review_obstacles
from services.collections.rules.charging import reconnection_fee
from services.collections.rules.cuts import unfinished, valid_notice
from services.collections.rules.debts import exists, unpaid_months
from services.collections.rules.facts import Facts, Invoice
from services.collections.rules.obstacles import Obstacle, covering_agents, cut_obstacles, order_obstacles
from services.collections.rules.reconnecting import WORDS, no_basis, no_cut, possible_bases
from services.collections.rules.standing import standing
from services.collections.rules.terms import Terms
from shared.errors import Refused

ActionCode = Literal["send_invoice", "confirm_receipt", "promise", "payment_plan", "review", "notice", "suspend", "reconnect"]
LADDER: tuple[ActionCode, ...] = ("reconnect", "suspend", "notice")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an action is allowed now. `by` says who does it (Spanish), `rule` and `reason` what forbids or allows it, `allowed_from`
    from when it would be allowed if nothing but time passes. `obstacles` is everything in its way, the first one told by a refusal."""

    action: ActionCode
    allowed: bool
    by: str
    rule: str
    reason: str
    remedy: str | None = None
    allowed_from: datetime | None = None
    obstacles: tuple[Obstacle, ...] = ()

    def require(self) -> None:
        """Raise Refused unless the action is allowed."""
        if not self.allowed:
            more = [each.reason for each in self.obstacles[1:]]
            detail = self.reason + (f" Además: {' '.join(more)}" if more else "")
            raise Refused(self.rule, detail, remedy=self.remedy)


def verdicts(facts: Facts, terms: Terms, now: datetime, *, person: str | None) -> list[Verdict]:
    """A verdict for every action, in the order in which a month usually takes them. `person` asks; None is the system."""
    return [verdict(action, facts, terms, now, person=person) for action in get_args(ActionCode)]


def verdict(action: ActionCode, facts: Facts, terms: Terms, now: datetime, *, person: str | None) -> Verdict:
    """May this person do this now?"""
    decision, allowed_reason, obstacles = RULES[action]
    found = tuple(obstacles(facts, terms, now, person))
    by = _by(action, facts, terms, now)
    if not found:
        return Verdict(action, True, by, terms.policy.rules[decision], allowed_reason(facts, terms, now), allowed_from=now)  # type: ignore[index]
    ends = [each.until for each in found]
    from_ = max((each for each in ends if each is not None), default=None) if all(ends) else None
    return Verdict(action, False, by, found[0].rule, found[0].reason, found[0].remedy, from_, found)


def next_step(facts: Facts, terms: Terms, now: datetime) -> Verdict:
    """The next step of the ladder for whose work it is: reconnecting what may be on again, cutting, giving notice; the first that is
    allowed now, else the one that time alone allows first, else the cut with what stands in its way."""
    steps = [verdict(action, facts, terms, now, person=facts.agent or "") for action in LADDER]
    allowed = next((each for each in steps if each.allowed), None)
    if allowed is not None:
        return allowed
    later = [each for each in steps[1:] if each.allowed_from is not None]
    return min(later, key=lambda each: each.allowed_from or now, default=steps[1])


def reconnect_verdict(facts: Facts, terms: Terms, now: datetime, *, basis: str) -> Verdict:
    """May the service be switched on again for this reason (VIP-20)?"""
    by, rule = _by("reconnect", facts, terms, now), terms.policy.rules["reconnection"]
    found = (*no_cut(facts, terms), *no_basis(facts, terms, now, basis))
    if not found:
        return Verdict("reconnect", True, by, rule, WORDS[basis], allowed_from=now)
    return Verdict("reconnect", False, by, found[0].rule, found[0].reason, found[0].remedy, None, found)


def _send_invoice(facts: Facts, terms: Terms, now: datetime, person: str | None) -> Iterator[Obstacle]:
    rule, invoice = terms.policy.rules["dispatch"], latest_invoice(facts, now)
    if invoice is None:
        yield Obstacle(rule, "Todavía no hay ninguna factura emitida.", "Espere la facturación del mes.")
    elif now < terms.dispatch_from(invoice):
        from_ = terms.dispatch_from(invoice)
        yield Obstacle(rule, f"La factura {invoice.number} se envía desde el {wording.moment(terms.operator, from_)}.", None, from_)


def _confirm_receipt(facts: Facts, terms: Terms, now: datetime, person: str | None) -> Iterator[Obstacle]:
    rule, invoice = terms.policy.rules["receipt"], latest_invoice(facts, now)
    if invoice is None or invoice.dispatched_at is None:
        yield Obstacle(rule, "La factura del mes todavía no fue enviada.", "Envíela primero.")
    elif invoice.receipt_confirmed_at is not None:
        when = wording.moment(terms.operator, invoice.receipt_confirmed_at)
        yield Obstacle(rule, f"El cliente ya confirmó el {when} que recibió la factura {invoice.number}.")


def _notice(facts: Facts, terms: Terms, now: datetime, person: str | None) -> Iterator[Obstacle]:
    """The desks are told of a cut that the month is heading for: something is overdue, and whoever may cut tells it (VIP-10)."""
    rule = terms.policy.rules["notice"]
    if terms.policy.suspension.notice is None:
        yield Obstacle(rule, f"{terms.policy.name}: no se avisa antes de suspender.")
        return
    yield from order_obstacles(facts, terms, now, person=person)
    debts = unpaid_months(facts, now)
    if not any(each.due_ends_at <= now for each in debts):
        until = debts[0].due_ends_at if debts else None
        last = f"; se puede pagar hasta el {wording.day(terms.operator, debts[0].due_date)}" if debts else ""
        yield Obstacle(rule, f"No tiene nada vencido{last}.", None, until)
        return
    notice = valid_notice(facts, now)
    if notice is not None:
        when = wording.moment(terms.operator, notice.requested_at)
        yield Obstacle(rule, f"El aviso de este mes ya se pidió el {when}.", "Espere a que pasen las horas del aviso.")


def _suspend(facts: Facts, terms: Terms, now: datetime, person: str | None) -> Iterator[Obstacle]:
    yield from cut_obstacles(facts, terms, now, person=person)


def _reconnect(facts: Facts, terms: Terms, now: datetime, person: str | None) -> Iterator[Obstacle]:
    missing = tuple(no_cut(facts, terms))
    yield from missing
    if not missing and not possible_bases(facts, terms, now):
        yield Obstacle(
            terms.policy.rules["reconnection"],
            "No hay ningún pago reportado que cubra lo que debe, ni un compromiso, plan de pago o revisión en curso.",
            "Registre el pago, o acuerde un compromiso o un plan de pago.",
        )


def latest_invoice(facts: Facts, now: datetime) -> Invoice | None:
    """The newest invoice that counts: the month's."""
    found = [each for each in facts.invoices if exists(each, now) and each.fee is None]
    return max(found, key=lambda each: (each.period, each.issued_at), default=None)


def _by(action: ActionCode, facts: Facts, terms: Terms, now: datetime) -> str:
    """Who does this, in words: the same people whose command is let through."""
    agent = wording.who(terms.operator, facts.agent) if facts.agent else None
    policy = terms.policy
    if action in ("suspend", "notice"):
        if policy.decided_by == "system":
            return "el sistema"
        if policy.suspension.only_assigned_agent:
            return _only(facts, terms, now, agent)
    if action == "reconnect" and policy.reconnection.decided_by == "system":
        return "el sistema cuando se reporta el pago; un gestor por acuerdo"
    if action == "send_invoice" and policy.invoice.sent_by == "system":
        return "el sistema"
    desks = terms.operator.desks_with("collections.work")
    return f"cualquier persona de {desks}; {f'su gestor es {agent}' if agent else 'el cliente no tiene gestor'}"


def _only(facts: Facts, terms: Terms, now: datetime, agent: str | None) -> str:
    """The assigned agent, and who stands in for it."""
    if agent is None:
        return "solo el gestor asignado (no hay ninguno)"
    covering = [wording.who(terms.operator, each) for each in covering_agents(facts, now)]
    return f"solo el gestor asignado: {agent}" + (f", a quien hoy cubre {wording.listed(covering)}" if covering else "")


def _yes_invoice(facts: Facts, terms: Terms, now: datetime) -> str:
    invoice = latest_invoice(facts, now)
    assert invoice is not None
    if invoice.dispatched_at is not None:
        return f"La factura {invoice.number} se envió el {wording.moment(terms.operator, invoice.dispatched_at)}; se puede enviar de nuevo."
    by = terms.policy.invoice.send_by_day
    return f"La factura {invoice.number} está por enviarse, a más tardar el día {by}."


def _yes_receipt(facts: Facts, terms: Terms, now: datetime) -> str:
    if not terms.policy.invoice.confirm_receipt:
        return f"La factura se envió; {terms.policy.name} no pide confirmar que la recibió, y se puede anotar si el cliente lo dice."
    return "La factura se envió; falta confirmar con el cliente que la recibió."


def _yes_plan(facts: Facts, terms: Terms, now: datetime) -> str:
    return "Debe algo y no tiene un plan de pago en curso."


def _yes_review(facts: Facts, terms: Terms, now: datetime) -> str:
    label = terms.policy.statuses["under_review"]
    return f"Se puede pasar a {label} mientras se revisa su facturación."


def _yes_notice(facts: Facts, terms: Terms, now: datetime) -> str:
    wanted = terms.policy.suspension.notice
    span = wording.span(wanted.before) if wanted else ""
    return f"Hay una factura vencida; la suspensión se permite {span} después de que todos los correos acepten el aviso."


def _yes_suspend(facts: Facts, terms: Terms, now: datetime) -> str:
    actual = standing(facts, terms, now).code
    return f"Está en {terms.policy.statuses[actual]}, el plazo pasó sin pago reportado y nada más lo impide."  # type: ignore[index]


def _yes_reconnect(facts: Facts, terms: Terms, now: datetime) -> str:
    words = " ".join(WORDS[each] for each in possible_bases(facts, terms, now))
    cut = unfinished(facts)
    fee = reconnection_fee(cut, facts, terms) if cut is not None else None
    if fee is None:
        return words
    return f"{words} Se cobra un cargo por reconexión de {wording.money(terms.operator, fee.amount, facts.currency)} más impuestos."


Obstacles = Callable[[Facts, Terms, datetime, str | None], Iterator[Obstacle]]
RULES: dict[ActionCode, tuple[str, Callable[[Facts, Terms, datetime], str], Obstacles]] = {
    "send_invoice": ("dispatch", _yes_invoice, _send_invoice),
    "confirm_receipt": ("receipt", _yes_receipt, _confirm_receipt),
    "promise": ("promises", promise_terms, lambda facts, terms, now, _: promise_obstacles(facts, terms, now)),
    "payment_plan": ("negotiated", _yes_plan, lambda facts, terms, now, _: plan_obstacles(facts, terms, now)),
    "review": ("negotiated", _yes_review, lambda facts, terms, now, _: review_obstacles(facts, terms)),
    "notice": ("notice", _yes_notice, _notice),
    "suspend": ("day", _yes_suspend, _suspend),
    "reconnect": ("reconnection", _yes_reconnect, _reconnect),
}
