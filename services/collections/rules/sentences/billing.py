"""What billing tells, in sentences: invoices, payments, credit notes, disputes, plans of services."""

from services.collections.rules.sentences.base import Said, Words, says
from services.collections.rules.wording import counted, day, month
from shared.events.billing import (
    AgreementRefused,
    CreditNoteIssued,
    CreditRefunded,
    DisputeOpened,
    DisputeResolved,
    InvoiceIssued,
    InvoiceOverdue,
    InvoicePaid,
    InvoiceVoided,
    PaymentAllocated,
    PaymentConfirmed,
    PaymentRejected,
    PaymentReported,
    PaymentReversed,
    ServicePlanChanged,
)

FEES = {"late": "Factura de recargo por mora", "reconnection": "Factura de cargo por reconexión"}


@says(InvoiceIssued, "invoices", at=None)
def invoice(words: Words, told: InvoiceIssued) -> Said:
    amount, due = words.money(told.balance, told.currency), day(words.operator, told.due_date)
    what = f"{FEES[told.fee]} {told.number}" if told.fee else f"Factura {told.number} de {month(words.operator, told.period)}"
    text = f"{what} por {amount}; se paga a más tardar el {due}."
    return Said("invoice", text, rule=words.rule("due"), fact_id=told.invoice_id)


@says(InvoiceOverdue, "invoices", at=None)
def invoice_overdue(words: Words, told: InvoiceOverdue) -> Said:
    return Said("invoice_overdue", f"La factura {told.number} vence sin estar pagada.", rule=words.rule("due"), fact_id=told.invoice_id)


@says(InvoicePaid, "invoices", at="paid_at")
def invoice_paid(words: Words, told: InvoicePaid) -> Said:
    return Said("invoice_paid", f"La factura {told.number} queda pagada.", fact_id=told.invoice_id)


@says(InvoiceVoided, "invoices", at="voided_at")
def invoice_voided(words: Words, told: InvoiceVoided) -> Said:
    return Said("invoice_voided", f"La factura {told.number} se anula. Motivo: {told.reason}", fact_id=told.invoice_id)


@says(PaymentReported, "payments", at="reported_at")
def payment_reported(words: Words, told: PaymentReported) -> Said:
    text = f"Pago reportado: {words.money(told.amount, told.currency)} por {told.channel}, referencia {told.reference}."
    return Said("payment_reported", text, told.reported_by, fact_id=told.payment_id)


@says(PaymentConfirmed, "payments", at="confirmed_at")
def payment_confirmed(words: Words, told: PaymentConfirmed) -> Said:
    text = f"Pago confirmado: {words.money(told.amount, told.currency)}, referencia {told.reference}."
    return Said("payment_confirmed", text, fact_id=told.payment_id)


@says(PaymentRejected, "payments", at="rejected_at")
def payment_rejected(words: Words, told: PaymentRejected) -> Said:
    text = f"Pago rechazado: {words.money(told.amount, told.currency)}, referencia {told.reference}. Motivo: {told.reason}"
    return Said("payment_rejected", text, fact_id=told.payment_id)


@says(PaymentReversed, "payments", at="reversed_at")
def payment_reversed(words: Words, told: PaymentReversed) -> Said:
    amount = words.money(told.amount, told.currency)
    what = "El pago era de otro cliente y se le quita a este" if told.moved_to else "El banco devolvió el pago"
    text = f"{what}: {amount}, referencia {told.reference}. Motivo: {told.reason}"
    return Said("payment_reversed", text, fact_id=told.payment_id)


@says(PaymentAllocated, "payments", at="allocated_at")
def payment_allocated(words: Words, told: PaymentAllocated) -> Said:
    amount = words.money(sum((each.amount for each in told.allocations), start=told.open_after * 0), told.currency)
    text = f"Se aplican {amount} del saldo a favor a {counted(len(told.allocations), 'factura')}."
    return Said("payment_allocated", text, fact_id=told.payment_id)


@says(CreditNoteIssued, "invoices", at="issued_at")
def credit_note(words: Words, told: CreditNoteIssued) -> Said:
    amount, invoice = words.money(told.amount, told.currency), words.invoice(told.invoice_id)
    text = f"Nota de crédito {told.number} por {amount} sobre la factura{invoice}. Motivo: {told.reason}"
    return Said("credit_note", text, fact_id=told.credit_note_id)


@says(CreditRefunded, "payments", at="refunded_at")
def credit_refunded(words: Words, told: CreditRefunded) -> Said:
    text = f"Se devuelven {words.money(told.amount, told.currency)} del saldo a favor, referencia {told.reference}."
    return Said("credit_refunded", text, told.refunded_by, fact_id=told.refund_id)


@says(DisputeOpened, "invoices", at="opened_at")
def dispute(words: Words, told: DisputeOpened) -> Said:
    amount, invoice = words.money(told.amount, told.currency), words.invoice(told.invoice_id)
    text = f"El cliente no reconoce {amount} de la factura{invoice}: ese importe no se cobra mientras se investiga. Motivo: {told.reason}"
    return Said("dispute", text, told.opened_by, words.rule("negotiated"), told.dispute_id)


@says(DisputeResolved, "invoices", at="resolved_at")
def dispute_resolved(words: Words, told: DisputeResolved) -> Said:
    amount, invoice = words.money(told.amount, told.currency), words.invoice(told.invoice_id)
    end = "se le da la razón al cliente" if told.outcome == "accepted" else "el importe se debe"
    text = f"Termina el reclamo por {amount} de la factura{invoice}: {end}."
    return Said("dispute_resolved", text, told.resolved_by, words.rule("negotiated"), told.dispute_id)


@says(ServicePlanChanged, "account", at=None)
def plan_changed(words: Words, told: ServicePlanChanged) -> Said:
    names = {each.code: each.name for each in words.operator.plans}
    before, after = names.get(told.from_plan, told.from_plan), names.get(told.to_plan, told.to_plan)
    since, amount = day(words.operator, told.effective_from), words.money(told.monthly_amount, told.currency)
    text = f"Un servicio pasa del plan {before} al plan {after}, {amount} al mes, desde el {since}."
    return Said("plan_changed", f"{text} Motivo: {told.reason}" if told.reason else text, fact_id=told.service_id)


@says(AgreementRefused, "tickets", at="refused_at")
def agreement_refused(words: Words, told: AgreementRefused) -> Said:
    return Said("agreement_refused", f"Lo acordado no se puede ejecutar en facturación: {told.detail}", fact_id=told.agreement_id)
