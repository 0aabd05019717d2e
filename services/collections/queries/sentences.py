"""The sentences of a timeline: one function per kind of fact. Each entry says when, what, who and by which rule of the operator."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.collections import models
from services.collections.models import ContactKind
from services.collections.rules.states import SYSTEM, PlanState, PromiseState
from services.collections.rules.wording import day, moment, money, month, who
from shared.operator import Operator, Policy

CONTACTS: dict[str, tuple[str, str]] = {
    ContactKind.INVOICE_SENT: ("Envió la factura{invoice} por {channel}", "documentation"),
    ContactKind.RECEIPT_CONFIRMED: ("Confirmó por {channel} que el cliente recibió la factura{invoice}", "receipt"),
    ContactKind.FOLLOW_UP: ("Dio seguimiento al pago por {channel}", "follow_up"),
    ContactKind.TERMS_TOLD: ("Le informó al cliente las condiciones de pago por {channel}", "due"),
    ContactKind.PROMISE_TALK: ("Habló de un compromiso de pago por {channel}", "promises"),
    ContactKind.OTHER: ("Habló con el cliente por {channel}", "documentation"),
}
BASES = {
    "payment": "el cliente reportó un pago",
    "promise": "hay un compromiso de pago",
    "payment_plan": "hay un plan de pago",
    "review": "la factura está en revisión",
}
ENDED = {
    "payment": "La suspensión no se hizo: el pago llegó antes.",
    "withdrawn": "La suspensión no se hizo: se retiró a tiempo.",
    "refused": "La suspensión no se hizo: no fue posible cortar el servicio.",
}
# What happened in one instant is told in the order in which one leads to another.
ORDER = (
    "registered", "outage", "outage_closed", "segment", "portfolio", "invoice", "invoice_dispatch", "invoice_sent", "receipt_confirmed",
    "invoice_overdue", "reminder", "terms_told", "follow_up", "other", "promise_talk", "promise", "payment_plan", "review",
    "suspension_notice", "suspension_notice_accepted", "suspension_notice_failed", "suspension_withdrawn", "suspension", "suspended",
    "payment_reported", "payment_confirmed", "payment_rejected", "suspension_ended", "invoice_paid", "invoice_voided", "promise_kept",
    "promise_broken", "promise_lapsed", "payment_plan_completed", "payment_plan_broken", "payment_plan_lapsed", "review_closed",
    "reconnection", "reconnected", "switch_unresolved", "status",
)  # fmt: skip
RANKS = {kind: rank for rank, kind in enumerate(ORDER)}


@dataclass(frozen=True)
class Entry:
    """One thing that happened: `at` in UTC, `who` a person's code or `sistema` (None where another service told it), `rule` an id."""

    at: datetime
    kind: str
    text: str
    who: str | None = None
    rule: str | None = None
    fact_id: UUID | None = None

    @property
    def place(self) -> tuple[datetime, int]:
        """Where it stands in the timeline."""
        return (self.at, RANKS[self.kind])


def registered(operator: Operator, policy: Policy, account: models.Account) -> Entry:
    """The account came to be known."""
    opening = f" y el estado «{account.opening_status}»" if account.opening_status else ""
    text = f"El cliente llega de {account.external_source} con el código {account.external_id}{opening}."
    return Entry(account.registered_at, "registered", text, rule=policy.rules["segment"], fact_id=account.id)


def segment(operator: Operator, policy: Policy, change: models.SegmentChange) -> Entry:
    """It moved to another policy."""
    text = f"Pasa de {operator.policy(change.previous).name} a {operator.policy(change.policy).name}. Nota: {change.note}"
    rule = operator.policy(change.policy).rules["segment"]
    return Entry(change.changed_at, "segment", text, change.changed_by, rule, change.id)


def portfolio(operator: Operator, policy: Policy, change: models.PortfolioChange) -> Entry:
    """It moved to another agent."""
    before = f" (antes: {who(operator, change.previous)})" if change.previous else ""
    text = f"Pasa a la cartera de {who(operator, change.agent)}{before}. Motivo: {change.reason}"
    return Entry(change.assigned_at, "portfolio", text, change.assigned_by, policy.rules["portfolio"], change.id)


def contact(operator: Operator, policy: Policy, made: models.Contact, numbers: Mapping[UUID, str]) -> Entry:
    """Somebody spoke with the customer."""
    form, decision = CONTACTS[made.kind]
    invoice_number = numbers.get(made.invoice_id) if made.invoice_id else None
    text = form.format(invoice=f" {invoice_number}" if invoice_number else "", channel=made.channel)
    rule = policy.rules[decision]  # type: ignore[index]
    return Entry(made.contacted_at, made.kind, f"{text}: «{made.said}»", made.agent, rule, made.id)


def invoice(operator: Operator, policy: Policy, made: models.Invoice, *, sending_told: bool) -> Iterator[Entry]:
    """An invoice from its issue to its end."""
    amount = money(operator, made.balance, made.currency)
    text = f"Factura {made.number} de {month(operator, made.period)} por {amount}; se paga a más tardar el {day(operator, made.due_date)}."
    yield Entry(made.issued_at, "invoice", text, rule=policy.rules["due"], fact_id=made.id)
    if made.dispatched_at is not None and not sending_told:
        text = f"Se envía la factura {made.number} al cliente por correo."
        yield Entry(made.dispatched_at, "invoice_dispatch", text, made.dispatched_by, policy.rules["dispatch"], made.id)
    if made.overdue_at is not None:
        text = f"La factura {made.number} vence sin estar pagada."
        yield Entry(made.overdue_at, "invoice_overdue", text, rule=policy.rules["due"], fact_id=made.id)
    if made.paid_at is not None:
        yield Entry(made.paid_at, "invoice_paid", f"La factura {made.number} queda pagada.", fact_id=made.id)
    if made.voided_at is not None:
        yield Entry(made.voided_at, "invoice_voided", f"La factura {made.number} se anula.", fact_id=made.id)


def reminder(policy: Policy, made: models.Reminder, numbers: Mapping[UUID, str]) -> Entry:
    """The policy reminded the customer."""
    text = f"Se le recuerda al cliente la factura {numbers.get(made.invoice_id, '')}.".replace(" .", ".")
    return Entry(made.requested_at, "reminder", text, SYSTEM, policy.rules["follow_up"], made.invoice_id)


def payment(operator: Operator, policy: Policy, made: models.Payment) -> Iterator[Entry]:
    """A payment from its report to its end."""
    amount = money(operator, made.amount, made.currency)
    text = f"Pago reportado: {amount} por {made.channel}, referencia {made.reference}."
    yield Entry(made.reported_at, "payment_reported", text, fact_id=made.id)
    if made.confirmed_at is not None:
        text = f"Pago confirmado: {amount}, referencia {made.reference}."
        yield Entry(made.confirmed_at, "payment_confirmed", text, fact_id=made.id)
    if made.rejected_at is not None:
        text = f"Pago rechazado: {amount}, referencia {made.reference}. Motivo: {made.reject_reason or 'sin motivo'}"
        yield Entry(made.rejected_at, "payment_rejected", text, fact_id=made.id)


def promise(operator: Operator, policy: Policy, made: models.Promise) -> Iterator[Entry]:
    """A promise and whether it was kept."""
    rule = policy.rules["promises"]
    amount, due = money(operator, made.amount, made.currency), moment(operator, made.due_at)
    text = f"Compromiso {made.ordinal} de {month(operator, made.period)}: {amount} a más tardar el {due}."
    yield Entry(made.made_at, "promise", text, made.agent, rule, made.id)
    ends = {
        PromiseState.KEPT: "Cumplió el compromiso",
        PromiseState.BROKEN: "Incumplió el compromiso",
        PromiseState.LAPSED: "Queda sin efecto el compromiso",
    }
    if made.state in ends:
        text = f"{ends[PromiseState(made.state)]} {made.ordinal} de {month(operator, made.period)} ({amount})."
        yield Entry(made.state_at, f"promise_{made.state.lower()}", text, SYSTEM, rule, made.id)


def plan(operator: Operator, policy: Policy, made: models.Plan, instalments: Sequence[models.PlanInstalment]) -> Iterator[Entry]:
    """A payment plan and how it ended."""
    parts = sorted(instalments, key=lambda each: each.number)
    listed = "; ".join(f"{money(operator, each.amount, each.currency)} el {moment(operator, each.due_at)}" for each in parts)
    text = f"Plan de pago: {listed}." if parts else "El cliente llegó con un plan de pago del que no se conocen las cuotas."
    yield Entry(made.agreed_at, "payment_plan", text, made.agent, policy.rules["negotiated"], made.id)
    ends = {
        PlanState.COMPLETED: "Cumplió el plan de pago.",
        PlanState.BROKEN: "Incumplió el plan de pago.",
        PlanState.LAPSED: "El plan de pago llegó a su fin.",
    }
    if made.state in ends:
        kind = f"payment_plan_{made.state.lower()}"
        yield Entry(made.state_at, kind, ends[PlanState(made.state)], SYSTEM, policy.rules["negotiated"], made.id)


def review(operator: Operator, policy: Policy, made: models.Review) -> Iterator[Entry]:
    """A review from its opening to its conclusion."""
    rule = policy.rules["negotiated"]
    yield Entry(made.opened_at, "review", f"Se investiga la facturación: {made.reason}", made.opened_by, rule, made.id)
    if made.closed_at is not None:
        text = f"Termina la investigación: {made.conclusion or 'sin conclusión'}"
        yield Entry(made.closed_at, "review_closed", text, made.closed_by, rule, made.id)


def notice(operator: Operator, policy: Policy, made: models.Notice) -> Iterator[Entry]:
    """A notice of a coming cut, until the mail servers took it."""
    rule = policy.rules["notice"]
    text = f"Se avisa a los escritorios de la suspensión por {money(operator, made.amount, made.currency)}: {made.reason}"
    yield Entry(made.requested_at, "suspension_notice", text, made.requested_by, rule, made.id)
    if made.accepted_at is not None:
        text = "Los servidores de correo de todos los destinatarios aceptaron el aviso."
        yield Entry(made.accepted_at, "suspension_notice_accepted", text, rule=rule, fact_id=made.id)
    if made.failed_at is not None:
        text = f"El aviso no llegó a todos: {made.failure or 'sin detalle'}"
        yield Entry(made.failed_at, "suspension_notice_failed", text, rule=rule, fact_id=made.id)


def suspension(operator: Operator, policy: Policy, made: models.Suspension) -> Iterator[Entry]:
    """An order to cut, and what became of it."""
    amount = money(operator, made.amount, made.currency)
    if made.source != "IMPORT":
        again = "otra vez, terminado el corte de red" if made.resumes else f"por {amount}"
        yield Entry(made.requested_at, "suspension", f"Suspensión solicitada {again}: {made.reason}", made.agent, made.rule, made.id)
    if made.withdrawn_at is not None:
        text = f"La orden de suspensión se retira: {made.withdraw_reason or 'sin motivo'}"
        yield Entry(made.withdrawn_at, "suspension_withdrawn", text, SYSTEM, policy.rules["outage"], made.id)
    if made.ended_at is not None:
        text = ENDED.get(made.ended_cause or "", "La suspensión no se hizo.")
        yield Entry(made.ended_at, "suspension_ended", text, fact_id=made.id)
    if made.suspended_at is not None:
        text = "Servicio suspendido." if made.source != "IMPORT" else _arrived(made)
        yield Entry(made.suspended_at, "suspended", text, rule=policy.rules["suspended"], fact_id=made.id)
    yield from _reconnection(operator, policy, made)
    if made.unresolved_at is not None:
        text = f"La red no contestó con claridad: {made.unresolved or 'sin detalle'}"
        yield Entry(made.unresolved_at, "switch_unresolved", text, fact_id=made.id)


def _arrived(made: models.Suspension) -> str:
    """How a customer came to us that had been cut before."""
    if made.reconnected_at is None:
        return "El cliente llegó con el servicio ya suspendido."
    return "El cliente llegó recién reconectado, con lo acordado todavía en curso."


def _reconnection(operator: Operator, policy: Policy, made: models.Suspension) -> Iterator[Entry]:
    if made.reconnection_requested_at is not None:
        why = BASES.get(made.basis or "", "se acordó con el cliente")
        text = f"Reconexión solicitada: {why}."
        at, rule = made.reconnection_requested_at, policy.rules["reconnection"]
        yield Entry(at, "reconnection", text, made.reconnection_by or SYSTEM, rule, made.reconnection_id)
    if made.reconnected_at is not None and made.source != "IMPORT":
        yield Entry(made.reconnected_at, "reconnected", "Servicio reconectado.", rule=policy.rules["reconnection"], fact_id=made.id)


def outage(policy: Policy, made: models.Outage) -> Iterator[Entry]:
    """An outage of a node that the customer hangs on."""
    rule = policy.rules["outage"]
    text = f"El NOC declara caído el nodo {made.access_node}: nadie detrás de él se suspende."
    yield Entry(made.declared_at, "outage", text, rule=rule, fact_id=made.id)
    if made.closed_at is not None:
        text = f"El nodo {made.access_node} funciona de nuevo."
        yield Entry(made.closed_at, "outage_closed", text, rule=rule, fact_id=made.id)


def status(operator: Operator, policy: Policy, change: models.StatusChange) -> Entry:
    """The status changed."""
    text = f"Estado: {change.label}. {change.reason}".strip()
    return Entry(change.changed_at, "status", text, SYSTEM, change.rule or None)
