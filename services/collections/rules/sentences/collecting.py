"""What collections itself tells, in sentences: portfolios, contacts, agreements, notices, orders, holds, the status."""

from services.collections.rules.sentences.base import Said, Words, says
from services.collections.rules.states import SYSTEM
from services.collections.rules.wording import counted, day, month, until
from shared.events.collections import (
    AgentAssigned,
    ContactRecorded,
    FeeDue,
    HoldEnded,
    HoldPlaced,
    InvoiceDispatchRequested,
    PaymentPlanAgreed,
    PaymentPlanBroken,
    PaymentPlanCompleted,
    PaymentPlanLapsed,
    PromiseBroken,
    PromiseKept,
    PromiseLapsed,
    PromiseMade,
    ReconnectionRequested,
    RecoveryRequested,
    ReminderRequested,
    RestrictionReleaseRequested,
    RestrictionRequested,
    ReviewClosed,
    ReviewOpened,
    SegmentChanged,
    StatusChanged,
    SuspensionNoticeRequested,
    SuspensionRequested,
    SuspensionWithdrawn,
)

CONTACTS: dict[str, tuple[str, str]] = {
    "invoice_sent": ("Envió la factura{invoice} por {channel}", "documentation"),
    "receipt_confirmed": ("Confirmó por {channel} que el cliente recibió la factura{invoice}", "receipt"),
    "follow_up": ("Dio seguimiento al pago por {channel}", "follow_up"),
    "terms_told": ("Le informó al cliente las condiciones de pago por {channel}", "due"),
    "promise_talk": ("Habló de un compromiso de pago por {channel}", "promises"),
    "other": ("Habló con el cliente por {channel}", "documentation"),
}
BASES = {
    "payment": "el cliente reportó un pago",
    "promise": "hay un compromiso de pago",
    "payment_plan": "hay un plan de pago",
    "review": "la factura está en revisión",
}
FEES = {"late": "por mora", "reconnection": "por reconexión"}


@says(SegmentChanged, "account", at="changed_at")
def segment(words: Words, told: SegmentChanged) -> Said:
    policy = words.operator.policy(told.policy)
    since = f"de {words.operator.policy(told.previous).name} " if told.previous else ""
    return Said("segment", f"Pasa {since}a {policy.name}. Nota: {told.note}", told.changed_by, policy.rules["segment"])


@says(AgentAssigned, "account", at="assigned_at")
def portfolio(words: Words, told: AgentAssigned) -> Said:
    before = f" (antes: {words.who(told.previous)})" if told.previous else ""
    why = f" Motivo: {told.reason}" if told.reason else ""
    return Said("portfolio", f"Pasa a la cartera de {words.who(told.agent)}{before}.{why}", told.assigned_by, words.rule("portfolio"))


@says(StatusChanged, "status", at="changed_at")
def status(words: Words, told: StatusChanged) -> Said:
    return Said("status", f"Estado: {told.label}. {told.reason}".strip(), SYSTEM, told.rule or None)


@says(InvoiceDispatchRequested, "invoices", at="requested_at")
def invoice_dispatch(words: Words, told: InvoiceDispatchRequested) -> Said:
    text = f"Se envía la factura {told.number} al cliente por correo."
    return Said("invoice_dispatch", text, told.requested_by, words.rule("dispatch"), told.invoice_id)


@says(ReminderRequested, "messages", at="requested_at")
def reminder(words: Words, told: ReminderRequested) -> Said:
    amount, due = words.money(told.amount, told.currency), day(words.operator, told.due_date)
    return Said("reminder", f"Se le recuerda al cliente el pago de {amount}, con fecha {due}.", SYSTEM, words.rule("follow_up"))


@says(FeeDue, "invoices", at="due_at")
def fee(words: Words, told: FeeDue) -> Said:
    text = f"Corresponde un cargo {FEES[told.kind]} de {words.money(told.amount, told.currency)}: {told.reason}"
    return Said("fee", text, SYSTEM, told.rule, told.fee_id)


@says(ContactRecorded, "contacts", at="contacted_at")
def contact(words: Words, told: ContactRecorded) -> Said:
    form, decision = CONTACTS.get(told.kind, CONTACTS["other"])
    text = form.format(invoice=words.invoice(told.invoice_id), channel=told.channel)
    return Said(told.kind, f"{text}: «{told.said}»", told.agent, words.rule(decision), told.contact_id)


@says(PromiseMade, "agreements", at=None)
def promise(words: Words, told: PromiseMade) -> Said:
    of = f" de {month(words.operator, told.period)}" if told.period else ""
    text = f"Compromiso {told.ordinal}{of}: {words.money(told.amount, told.currency)} a más tardar el {words.moment(told.due_at)}."
    return Said("promise", text, told.agent, words.rule("promises"), told.promise_id)


@says(PromiseKept, "agreements", at="kept_at")
def promise_kept(words: Words, told: PromiseKept) -> Said:
    return Said("promise_kept", f"Cumplió el compromiso {told.ordinal}.", SYSTEM, words.rule("promises"), told.promise_id)


@says(PromiseBroken, "agreements", at="due_at")
def promise_broken(words: Words, told: PromiseBroken) -> Said:
    text = f"Incumplió el compromiso {told.ordinal} de {words.money(told.amount, told.currency)}."
    return Said("promise_broken", text, SYSTEM, words.rule("promises"), told.promise_id)


@says(PromiseLapsed, "agreements", at="lapsed_at")
def promise_lapsed(words: Words, told: PromiseLapsed) -> Said:
    return Said("promise_lapsed", f"Queda sin efecto el compromiso {told.ordinal}.", SYSTEM, words.rule("promises"), told.promise_id)


@says(PaymentPlanAgreed, "agreements", at="agreed_at")
def plan(words: Words, told: PaymentPlanAgreed) -> Said:
    parts = "; ".join(f"{words.money(each.amount, told.currency)} el {words.moment(each.due_at)}" for each in told.instalments)
    text = f"Plan de pago de {counted(len(told.instalments), 'cuota')}: {parts}."
    return Said("payment_plan", text, told.agent, words.rule("negotiated"), told.plan_id)


@says(PaymentPlanBroken, "agreements", at="broken_at")
def plan_broken(words: Words, told: PaymentPlanBroken) -> Said:
    text = f"Incumplió el plan de pago en la cuota {told.instalment}."
    return Said("payment_plan_broken", text, SYSTEM, words.rule("negotiated"), told.plan_id)


@says(PaymentPlanCompleted, "agreements", at="completed_at")
def plan_completed(words: Words, told: PaymentPlanCompleted) -> Said:
    return Said("payment_plan_completed", "Cumplió el plan de pago.", SYSTEM, words.rule("negotiated"), told.plan_id)


@says(PaymentPlanLapsed, "agreements", at="lapsed_at")
def plan_lapsed(words: Words, told: PaymentPlanLapsed) -> Said:
    return Said("payment_plan_lapsed", "El plan de pago llegó a su fin.", SYSTEM, words.rule("negotiated"), told.plan_id)


@says(ReviewOpened, "agreements", at="opened_at")
def review(words: Words, told: ReviewOpened) -> Said:
    return Said("review", f"Se investiga la facturación: {told.reason}", told.opened_by, words.rule("negotiated"), told.review_id)


@says(ReviewClosed, "agreements", at="closed_at")
def review_closed(words: Words, told: ReviewClosed) -> Said:
    return Said("review_closed", f"Termina la investigación: {told.conclusion}", told.closed_by, words.rule("negotiated"), told.review_id)


@says(SuspensionNoticeRequested, "messages", at="requested_at")
def notice(words: Words, told: SuspensionNoticeRequested) -> Said:
    text = f"Se avisa a los escritorios de la suspensión por {words.money(told.amount, told.currency)}: {told.reason}"
    return Said("suspension_notice", text, told.requested_by, words.rule("notice"), told.notice_id)


@says(RestrictionRequested, "network", at="requested_at")
def restriction(words: Words, told: RestrictionRequested) -> Said:
    text = f"Restricción del servicio a la página de pago solicitada por {words.money(told.amount, told.currency)}: {told.reason}"
    if told.except_services:
        text = f"{text.rstrip('.')}. No se restringe {counted(len(told.except_services), 'servicio')} en espera."
    return Said("restriction", text, SYSTEM, told.rule, told.restriction_id)


@says(RestrictionReleaseRequested, "network", at="requested_at")
def restriction_release(words: Words, told: RestrictionReleaseRequested) -> Said:
    return Said("restriction_release", f"La restricción se quita: {told.reason}", SYSTEM, told.rule, told.restriction_id)


@says(SuspensionRequested, "network", at="requested_at")
def suspension(words: Words, told: SuspensionRequested) -> Said:
    text = f"Suspensión solicitada por {words.money(told.amount, told.currency)}: {told.reason}"
    if told.except_services:
        text = f"{text.rstrip('.')}. No se corta {counted(len(told.except_services), 'servicio')} en espera."
    return Said("suspension", text, told.agent, told.rule, told.suspension_id)


@says(SuspensionWithdrawn, "network", at="withdrawn_at")
def suspension_withdrawn(words: Words, told: SuspensionWithdrawn) -> Said:
    return Said("suspension_withdrawn", f"La orden de suspensión se retira: {told.reason}", SYSTEM, fact_id=told.suspension_id)


@says(ReconnectionRequested, "network", at="requested_at")
def reconnection(words: Words, told: ReconnectionRequested) -> Said:
    return Said("reconnection", f"Reconexión solicitada: {BASES[told.basis]}.", told.agent, told.rule, told.reconnection_id)


@says(RecoveryRequested, "network", at="requested_at")
def recovery(words: Words, told: RecoveryRequested) -> Said:
    text = f"El caso pasa a Recuperaciones por {words.money(told.amount, told.currency)}: {told.reason}"
    return Said("recovery", text, told.agent, told.rule, told.recovery_id)


@says(HoldPlaced, "agreements", at="placed_at")
def hold(words: Words, told: HoldPlaced) -> Said:
    whom, last = "El cliente" if told.service_id is None else "Un servicio", until(words.operator, told.until)
    text = f"{whom} queda fuera de recordatorios, avisos y cortes hasta {last}; responde {words.who(told.owner)}."
    return Said("hold", f"{text} Motivo: {told.reason}", told.placed_by, words.rule("hold"), told.hold_id)


@says(HoldEnded, "agreements", at="ended_at")
def hold_ended(words: Words, told: HoldEnded) -> Said:
    text = "Termina el plazo de la espera." if told.cause == "expired" else f"Se termina la espera antes de su plazo. Motivo: {told.reason}"
    return Said("hold_ended", text, told.ended_by, words.rule("hold"), told.hold_id)
