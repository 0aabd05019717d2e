"""What ticketing, the notifier and the NOC tell, in sentences."""

from services.collections.rules.sentences.base import Said, Words, says
from services.collections.rules.states import SYSTEM
from services.collections.rules.wording import counted, day
from shared.events.noc import OutageClosed, OutageDeclared
from shared.events.notifier import MessageAccepted, MessageFailed
from shared.events.ticketing import (
    AgreementReached,
    ChangeUnresolved,
    ReconnectionOrdered,
    RestrictionEnded,
    RestrictionUnresolved,
    ServiceReconnected,
    ServiceRestricted,
    ServiceSuspended,
    StepFinished,
    StepOverdue,
    SuspensionCancelled,
    SwitchUnresolved,
    TicketClosed,
    TicketOpened,
    WorkOrderScheduled,
)

ENDED = {
    "payment": "La suspensión no se hizo: el pago llegó antes.",
    "withdrawn": "La suspensión no se hizo: se retiró a tiempo.",
    "refused": "La suspensión no se hizo: no fue posible cortar el servicio.",
}
RESTRICTION_ENDED = {
    "released": "Servicio sin restricción de nuevo.",
    "suspended": "La suspensión toma el lugar de la restricción.",
    "cancelled": "La restricción no se hizo: se retiró a tiempo.",
    "refused": "La restricción no se hizo: la red la rechazó.",
}


@says(TicketOpened, "tickets", at="opened_at")
def ticket_opened(words: Words, told: TicketOpened) -> Said:
    text = f"Se abre el ticket {told.number} «{told.kind}» en {_desk(words, told.desk)}."
    details = "; ".join(f"{each.label}: {each.value.rstrip('.')}" for each in told.details)
    text = f"{text} {details}." if details else text
    return Said("ticket_opened", text, told.requested_by, words.procedure_rule(told.procedure), told.ticket_id)


@says(TicketClosed, "tickets", at="closed_at")
def ticket_closed(words: Words, told: TicketClosed) -> Said:
    procedure = words.operator.procedures.get(told.procedure)
    outcome = procedure.outcomes.get(told.outcome, told.outcome) if procedure else told.outcome
    said = f" {told.comment}" if told.comment else ""
    text = f"Se cierra el ticket {told.number} «{told.kind}»: {outcome.rstrip('.')}.{said}"
    return Said("ticket_closed", text, rule=words.procedure_rule(told.procedure), fact_id=told.ticket_id)


@says(StepFinished, "tickets", at="finished_at")
def step_finished(words: Words, told: StepFinished) -> Said:
    late = ", fuera de plazo" if told.late else ""
    captured = "; ".join(f"{each.label}: {each.value.rstrip('.')}" for each in told.captured if each.kind != "comment")
    parts = [f"Ticket {told.number}, {told.name}: {told.label.rstrip('.')}{late}."]
    parts += [f"{captured}."] if captured else []
    parts += [f"«{told.comment}»"] if told.comment else []
    return Said("step_finished", " ".join(parts), told.finished_by, words.procedure_rule(told.procedure), told.ticket_id)


@says(StepOverdue, "tickets", at="at")
def step_overdue(words: Words, told: StepOverdue) -> Said:
    whose = words.who(told.person) if told.person else _desk(words, told.desk)
    text = f"Ticket {told.number}: a {whose} se le venció el plazo de «{told.name}», que era el {words.moment(told.deadline)}."
    text = f"{text} Sigue: {told.outcome_label}." if told.outcome_label else text
    return Said("step_overdue", text, SYSTEM, words.procedure_rule(told.procedure), told.ticket_id)


@says(WorkOrderScheduled, "tickets", at="scheduled_at")
def work_order(words: Words, told: WorkOrderScheduled) -> Said:
    when = f"el {day(words.operator, told.day)}, entre las {told.opens:%H:%M} y las {told.closes:%H:%M}"
    text = f"Orden de trabajo {told.order}, {told.name}: visita {when}, a cargo de {words.who(told.technician)}."
    return Said("work_order", text, told.scheduled_by, words.procedure_rule(told.procedure), told.ticket_id)


@says(AgreementReached, "tickets", at="agreed_at")
def agreement(words: Words, told: AgreementReached) -> Said:
    text = f"Se acordó con el cliente, desde el {day(words.operator, told.effective_from)}: {told.detail}"
    return Said("agreement", text, told.agreed_by, fact_id=told.agreement_id)


@says(ServiceSuspended, "network", at="suspended_at")
def suspended(words: Words, told: ServiceSuspended) -> Said:
    return Said("suspended", f"Servicio suspendido.{_network(told)}", rule=words.rule("suspended"), fact_id=told.suspension_id)


@says(ServiceReconnected, "network", at="reconnected_at")
def reconnected(words: Words, told: ServiceReconnected) -> Said:
    return Said("reconnected", f"Servicio reconectado.{_network(told)}", rule=words.rule("reconnection"), fact_id=told.suspension_id)


@says(SuspensionCancelled, "network", at="cancelled_at")
def suspension_ended(words: Words, told: SuspensionCancelled) -> Said:
    return Said("suspension_ended", ENDED[told.cause], fact_id=told.suspension_id)


@says(ReconnectionOrdered, "network", at="ordered_at")
def reconnection_ordered(words: Words, told: ReconnectionOrdered) -> Said:
    why = "un pago y el corte se cruzaron" if told.cause == "payment" else "la orden se retiró cuando el corte ya estaba hecho"
    return Said("reconnection", f"El sistema ordena la reconexión: {why}.", SYSTEM, words.rule("reconnection"), told.reconnection_id)


@says(ServiceRestricted, "network", at="restricted_at")
def restricted(words: Words, told: ServiceRestricted) -> Said:
    text = f"Servicio restringido: conectado, solo ve la página de pago.{_network(told)}"
    return Said("restricted", text, rule=words.rule("restriction"), fact_id=told.restriction_id)


@says(RestrictionEnded, "network", at="ended_at")
def restriction_ended(words: Words, told: RestrictionEnded) -> Said:
    text = f"{RESTRICTION_ENDED[told.outcome]}{_network(told)}"
    return Said("restriction_ended", text, rule=words.rule("restriction"), fact_id=told.restriction_id)


@says(RestrictionUnresolved, "network", at="at")
def restriction_unresolved(words: Words, told: RestrictionUnresolved) -> Said:
    what = "La restricción no quedó hecha" if told.action == "restrict" else "La restricción no se pudo quitar"
    return Said("restriction_unresolved", f"{what} en la red: {told.detail}", fact_id=told.switch_id)


@says(SwitchUnresolved, "network", at="at")
def switch_unresolved(words: Words, told: SwitchUnresolved) -> Said:
    return Said("switch_unresolved", f"La red no contestó con claridad: {told.detail}", fact_id=told.switch_id)


@says(ChangeUnresolved, "network", at="at")
def change_unresolved(words: Words, told: ChangeUnresolved) -> Said:
    text = f"El cambio al plan {told.plan_code} no quedó hecho en la red: {told.detail}"
    return Said("change_unresolved", text, fact_id=told.switch_id)


@says(MessageAccepted, "messages", at="accepted_at")
def message_accepted(words: Words, told: MessageAccepted) -> Said:
    if _is_cut_notice(words, told.notice):
        text = "Los servidores de correo de todos los destinatarios aceptaron el aviso."
        return Said("suspension_notice_accepted", text, rule=words.rule("notice"), fact_id=told.message_id)
    what = f"«{told.subject}»" if told.subject else "un mensaje"
    text = f"Los servidores de correo aceptaron {what} para {counted(told.recipients, 'destinatario')}."
    return Said("message_accepted", text, fact_id=told.message_id)


@says(MessageFailed, "messages", at="failed_at")
def message_failed(words: Words, told: MessageFailed) -> Said:
    cut = _is_cut_notice(words, told.notice)
    what, kind = ("El aviso", "suspension_notice_failed") if cut else ("Un correo", "message_failed")
    text = f"{what} no le llegó a {told.recipient}: {told.reason}"
    return Said(kind, text, rule=words.rule("notice") if cut else None, fact_id=told.message_id)


@says(OutageDeclared, "outages", at="declared_at")
def outage(words: Words, told: OutageDeclared) -> Said:
    text = f"El NOC declara caído el nodo {told.access_node}: nadie detrás de él se suspende."
    return Said("outage", text, told.declared_by, words.rule("outage"), told.outage_id)


@says(OutageClosed, "outages", at="closed_at")
def outage_closed(words: Words, told: OutageClosed) -> Said:
    text = f"El nodo {told.access_node} funciona de nuevo."
    return Said("outage_closed", text, told.closed_by, words.rule("outage"), told.outage_id)


def _is_cut_notice(words: Words, notice: str) -> bool:
    """Is it the notice whose acceptance a cut waits for, by whichever policy?"""
    wanted = [each.suspension.notice for each in words.operator.policies.values()]
    return notice in {each.name for each in wanted if each is not None}


def _network(told: ServiceSuspended | ServiceReconnected | ServiceRestricted | RestrictionEnded) -> str:
    """Where it was switched."""
    nodes = sorted({each.access_node for each in told.proof if each.access_node and each.adapter != "manual"})
    by_ticket = any(each.adapter == "manual" for each in told.proof)
    return f" Nodo {', '.join(nodes)}." if nodes else " Lo confirma el ticket." if by_ticket else ""


def _desk(words: Words, code: str | None) -> str:
    return ", ".join(words.operator.desk_names([code])) if code else "nadie"
