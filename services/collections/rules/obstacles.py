"""What stands in the way of a cut (VIP-9 … VIP-12, NOC-1, COB-1 … COB-3): one list for commands, explanations and the system itself."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from services.collections.rules import wording
from services.collections.rules.agreements import running_promise
from services.collections.rules.cuts import cuttable, last_failed, open_outages, unfinished, valid_notice
from services.collections.rules.debts import (
    open_disputes,
    owed,
    unpaid,
    unpaid_months,
)
from services.collections.rules.facts import Facts
from services.collections.rules.holds import ended, held, told_hold
from services.collections.rules.records import dataclass
from services.collections.rules.standing import may_be_cut, standing
from services.collections.rules.terms import Terms

INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that forbids an action now: the rule, why (Spanish, with figures), what would help, and when it ends by time alone."""

    rule: str
    reason: str
    remedy: str | None = None
    until: datetime | None = None


def cut_obstacles(facts: Facts, terms: Terms, now: datetime, *, person: str | None) -> Iterator[Obstacle]:
    """Everything that forbids ordering a cut now; nothing when it is allowed. `person` is who would order it, None the system itself."""
    yield from order_obstacles(facts, terms, now, person=person)
    yield from _debt(facts, terms, now)
    yield from _dates(facts, terms, now)
    yield from _notice(facts, terms, now)
    yield from outage_obstacles(facts, terms, now)
    yield from _approval(facts, terms, now)


def order_obstacles(facts: Facts, terms: Terms, now: datetime, *, person: str | None) -> Iterator[Obstacle]:
    """What forbids a cut whatever is owed: one is under way already, somebody else's customer, another status (VIP-9), a hold (COB-1)."""
    yield from _already(facts, terms)
    yield from _who(facts, terms, now, person)
    yield from _status(facts, terms, now)
    yield from _hold(facts, terms, now)


def _already(facts: Facts, terms: Terms) -> Iterator[Obstacle]:
    cut = unfinished(facts)
    if cut is None:
        return
    rule, when = terms.policy.rules["status"], wording.moment(terms.operator, cut.requested_at)
    if cut.suspended_at is not None:
        yield Obstacle(rule, f"El servicio ya está suspendido desde el {wording.moment(terms.operator, cut.suspended_at)}.")
    elif cut.withdrawn_at is not None:
        yield Obstacle(rule, f"La suspensión solicitada el {when} se retiró y el ticket todavía no lo confirma.", "Espere la respuesta.")
    else:
        yield Obstacle(rule, f"La suspensión ya está solicitada desde el {when}.", "Siga el ticket que se abrió.")


def _hold(facts: Facts, terms: Terms, now: datetime) -> Iterator[Obstacle]:
    """Nobody who is left out is told of a cut or cut (COB-1)."""
    hold = held(facts, now)
    if hold is not None:
        owner = wording.who(terms.operator, hold.owner)
        remedy = f"Espere a que termine, o pida a {owner} que termine la exclusión."
        yield Obstacle(terms.policy.rules["hold"], told_hold(hold, terms), remedy, ended(hold))


def _debt(facts: Facts, terms: Terms, now: datetime) -> Iterator[Obstacle]:
    if unpaid_months(facts, now):
        return
    rule, disputes = terms.policy.rules["day"], open_disputes(facts, now)
    waiting = [each for each in facts.payments if each.confirmed_at is None and each.rejected_at is None and each.reported_at <= now]
    if waiting:
        total = sum((each.amount for each in waiting), waiting[0].amount * 0)
        amount = wording.money(terms.operator, total, facts.currency)
        yield Obstacle(
            rule,
            f"Hay pagos reportados por {amount} que cubren todo lo que debe; mientras no se rechacen, no se suspende.",
            "Confirme o rechace el pago en facturación.",
        )
    elif disputes:
        amount = wording.money(terms.operator, sum((each.amount for each in disputes), disputes[0].amount * 0), facts.currency)
        yield Obstacle(
            rule, f"No debe nada más que los {amount} que disputa; lo disputado no se cobra.", "Resuelva la disputa en facturación."
        )
    elif unpaid(facts, now):
        amount = wording.money(terms.operator, owed(facts.invoices, now), facts.currency)
        yield Obstacle(rule, f"Debe solo cargos por {amount}, ningún mes: por un cargo no se suspende.")
    else:
        yield Obstacle(rule, "No debe nada.")


def _who(facts: Facts, terms: Terms, now: datetime, person: str | None) -> Iterator[Obstacle]:
    """The assigned agent, or whoever stands in for it now (COB-3)."""
    if person is None or not terms.policy.suspension.only_assigned_agent or person in agents_now(facts, now):
        return
    rule = terms.policy.rules["agent"]
    if facts.agent is None:
        yield Obstacle(rule, "El cliente no tiene gestor asignado.", "Gerencia lo asigna a una cartera.")
        return
    name, covering = wording.who(terms.operator, facts.agent), covering_agents(facts, now)
    if covering:
        by = wording.listed([f"{wording.who(terms.operator, each)} ({each})" for each in covering])
        reason = f"Solo el gestor asignado inicia la suspensión: {name} ({facts.agent}), a quien hoy cubre {by}."
        yield Obstacle(rule, reason, f"Pídalo a {wording.listed([wording.who(terms.operator, each) for each in covering])}.")
    else:
        reason = f"Solo el gestor asignado inicia la suspensión: {name} ({facts.agent})."
        yield Obstacle(rule, reason, f"Pídalo a {name}, o reasígnelo.")


def covering_agents(facts: Facts, now: datetime) -> list[str]:
    """Who stands in for the account's agent at this instant."""
    running = (each for each in facts.covers if each.from_at <= now < min(each.until, each.ended_at or each.until))
    return list(dict.fromkeys(each.covered_by for each in running))


def agents_now(facts: Facts, now: datetime) -> list[str]:
    """Whose work the account is at this instant: its agent's, and that of those who stand in for it."""
    return [facts.agent, *covering_agents(facts, now)] if facts.agent is not None else []


def _status(facts: Facts, terms: Terms, now: datetime) -> Iterator[Obstacle]:
    wanted, actual = terms.policy.suspension.requires_status, standing(facts, terms, now)
    if may_be_cut(actual, wanted) or actual.code in ("suspended", "recovery"):
        return
    labels = terms.policy.statuses
    yield Obstacle(
        terms.policy.rules["status"],
        f"El cliente está en {labels[actual.code]} desde el {wording.moment(terms.operator, actual.since)}; "  # type: ignore[index]
        f"solo se suspende a un cliente en {labels[wanted]}.",
        _how_back(actual.cause),
    )


def _how_back(cause: str) -> str:
    if cause == "review":
        return "Concluya la revisión."
    if cause == "dispute":
        return "La disputa tiene que resolverse en facturación antes."
    if cause == "plan":
        return "El plan de pago tiene que cumplirse o incumplirse antes."
    return "El pago tiene que confirmarse o rechazarse antes."


def _dates(facts: Facts, terms: Terms, now: datetime) -> Iterator[Obstacle]:
    """Neither a day nor a promised date may still run (VIP-12)."""
    debts = unpaid_months(facts, now)
    promise = running_promise(facts, now)
    if promise is not None:
        yield Obstacle(
            terms.policy.rules["day"],
            f"El compromiso {promise.ordinal} de {wording.month(terms.operator, promise.period)} corre hasta el "
            f"{wording.moment(terms.operator, promise.due_at)}.",
            "Espere a que venza; si se incumple y el plazo del mes pasó, se puede suspender.",
            promise.due_at + INSTANT,
        )
    if not debts:
        return
    first = min(debts, key=terms.cut_from)
    if now < terms.cut_from(first):
        yield Obstacle(
            terms.policy.rules["day"],
            f"La factura {first.number} de {wording.month(terms.operator, first.period)} se puede pagar hasta que termine el "
            f"{wording.day(terms.operator, terms.last_day_to_pay(first))}.",
            f"Se podrá suspender desde el {wording.moment(terms.operator, terms.cut_from(first))}, si sigue impaga.",
            terms.cut_from(first),
        )
    elif terms.policy.suspension.reported_payment_counts == "any" and not cuttable(facts, terms, now):
        yield Obstacle(
            terms.policy.rules["day"],
            "Hay un pago reportado para el mes impago y con eso basta para no suspender.",
            "Si el pago se rechaza, se podrá suspender.",
        )


def _notice(facts: Facts, terms: Terms, now: datetime) -> Iterator[Obstacle]:
    """The desks must have been told long enough before (VIP-10)."""
    wanted = terms.policy.suspension.notice
    if wanted is None or not unpaid_months(facts, now):
        return  # without a debt there is nothing to give notice of, and a notice that was given waits for the reported payment
    rule, hours = terms.policy.rules["notice"], wording.span(wanted.before)
    notice = valid_notice(facts, now)
    if notice is None:
        failed = last_failed(facts, now)
        reason = "El último aviso de suspensión no llegó a todos sus destinatarios." if failed else "Falta el aviso de suspensión."
        yield Obstacle(rule, reason, f"Envíe el aviso; la suspensión se permite {hours} después de que lo acepten todos los correos.")
    elif notice.accepted_at is None:
        when = wording.moment(terms.operator, notice.requested_at)
        yield Obstacle(rule, f"El aviso pedido el {when} todavía no fue aceptado por todos los correos.", "Mire los mensajes del aviso.")
    elif now < notice.accepted_at + wanted.before:
        until = notice.accepted_at + wanted.before
        left, accepted = wording.span(until - now), wording.moment(terms.operator, notice.accepted_at)
        yield Obstacle(
            rule,
            f"Desde el aviso, aceptado el {accepted}, tienen que pasar {hours}; todavía faltan {left}.",
            f"Suspenda a partir del {wording.moment(terms.operator, until)}.",
            until,
        )


def outage_obstacles(facts: Facts, terms: Terms, now: datetime) -> Iterator[Obstacle]:
    """Nobody behind a node that is down is cut."""
    for outage in open_outages(facts, now):
        when = wording.moment(terms.operator, outage.declared_at)
        yield Obstacle(
            terms.policy.rules["outage"],
            f"Hay una avería declarada en el nodo {outage.access_node} desde el {when}.",
            "Espere a que el NOC la cierre.",
        )


def _approval(facts: Facts, terms: Terms, now: datetime) -> Iterator[Obstacle]:
    """Where the policy wants it, a manager has approved the cuts of the day (COB-2)."""
    wanted = terms.policy.suspension.approval
    if wanted is None or not wanted.required or not unpaid_months(facts, now) or approved(facts, now):
        return
    later = [each.from_at for each in facts.approvals if each.approved_at <= now < each.from_at]
    if later:
        reason = f"La gerencia aprobó suspenderlo desde el {wording.moment(terms.operator, min(later))}."
        yield Obstacle(wanted.rule, reason, "Espere a esa hora.", min(later))
    else:
        reason = "La gerencia no ha aprobado suspenderlo hoy."
        yield Obstacle(wanted.rule, reason, "Simule el corte del día y apruébelo.")


def approved(facts: Facts, now: datetime) -> bool:
    """Did a manager approve that the account is cut at this instant?"""
    return any(each.approved_at <= now and each.from_at <= now < each.until for each in facts.approvals)
