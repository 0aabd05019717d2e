"""Spanish words for the values of ours that lists hold, for those who read a list as a file: states and kinds by their type's name, what is
kept as plain text by `Model.field`. What the operator names (statuses, desks, plans, channels) has its words in the operator's files."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, get_args, get_origin

STEPS = {
    "REMIND": "recordatorio",
    "RESTRICT": "restricción",
    "NOTICE": "aviso de suspensión",
    "CUT": "suspensión",
    "NOTICE_POSSIBLE": "aviso que un gestor podría enviar",
    "CUT_POSSIBLE": "suspensión que un gestor podría pedir",
    "HELD_REMIND": "recordatorio excluido",
    "HELD_RESTRICT": "restricción excluida",
    "HELD_NOTICE": "aviso excluido",
    "HELD_CUT": "suspensión excluida",
}
CONTACTS = {
    "invoice_sent": "factura enviada",
    "receipt_confirmed": "recibo confirmado",
    "follow_up": "seguimiento",
    "terms_told": "condiciones dichas",
    "promise_talk": "conversación de compromiso",
    "other": "otro",
}
DELIVERIES = {"own": "propia", "third_party": "por terceros"}
VALUES: Mapping[str, Mapping[str, str]] = {
    # billing
    "PaymentState": {"REPORTED": "reportado", "CONFIRMED": "confirmado", "REJECTED": "rechazado", "REVERSED": "reversado"},
    "InvoiceState": {"OPEN": "abierta", "PAID": "pagada", "VOIDED": "anulada"},
    "DisputeState": {"OPEN": "abierta", "ACCEPTED": "aceptada", "REJECTED": "rechazada"},
    "AgreementState": {"CARRIED_OUT": "cumplido", "NOTED": "anotado", "REFUSED": "no se pudo cumplir"},
    "RunState": {"REFUSED": "no se hizo", "RUNNING": "en curso", "COMPLETED": "completa"},
    "ImportState": {"QUEUED": "en espera", "READING": "leyendo", "MERGING": "aplicando", "DONE": "terminada", "FAILED": "falló"},
    "Severity": {"ERROR": "error", "NOTICE": "advertencia"},
    "ImportShown.kind": {"customers": "clientes", "payments": "pagos"},
    "InvoiceListed.origin": {"run": "facturación del mes", "manual": "aparte", "opening": "de antes"},
    "SeriesShown.document": {"invoice": "factura", "credit_note": "nota de crédito"},
    "AgreementShown.kind": {"upgrade": "plan mayor", "downgrade": "plan menor", "plan_change": "cambio de plan", "other": "otro"},
    # collections
    "Reason": {
        "reconnect": "reconectar",
        "cut_possible": "se puede suspender",
        "promise_broken": "compromiso incumplido",
        "plan_broken": "plan de pago incumplido",
        "promise_due": "vence un compromiso",
        "instalment_due": "vence una cuota",
        "notice_to_send": "aviso por enviar",
        "invoice_not_sent": "factura sin enviar",
        "restricted": "restringido a la página de pago",
        "receipt_not_confirmed": "recibo sin confirmar",
        "follow_up": "seguimiento",
        "review_open": "en revisión",
    },
    "StepKind": STEPS,
    "SimulationState": {"QUEUED": "en espera", "RUNNING": "en curso", "DONE": "lista"},
    "Why": {
        "paid": "pagó",
        "hold": "fue excluido",
        "agreement": "hay un acuerdo",
        "outage": "hay una falla",
        "cap": "pasa del máximo del día",
        "not_approved": "no se aprobó",
        "rule": "una regla lo impide",
        "pending": "sigue pendiente",
    },
    "DossierState": {"QUEUED": "en espera", "READY": "listo", "FAILED": "falló"},
    "LatestContactView.kind": CONTACTS,
    "AgeingRow.bucket": {"current": "sin vencer"},
    "TimelineEntry.topic": {
        "account": "cliente",
        "status": "estado",
        "invoices": "facturas",
        "payments": "pagos",
        "contacts": "contactos",
        "agreements": "acuerdos",
        "messages": "mensajes",
        "network": "red",
        "tickets": "casos",
        "outages": "fallas",
    },
    # ticketing
    "SwitchState": {
        "QUEUED": "en espera",
        "CLAIMED": "en curso",
        "UNKNOWN": "resultado desconocido",
        "DONE": "hecho",
        "REFUSED": "rechazado",
        "CANCELLED": "cancelado",
    },
    "SwitchShown.action": {
        "suspend": "suspender",
        "reconnect": "reconectar",
        "restrict": "restringir",
        "release": "quitar la restricción",
        "change": "cambiar",
    },
    "SwitchShown.adapter": {"network": "red propia", "manual": "una persona"},
    "TicketShown.state": {"open": "abierto", "closed": "cerrado"},
    # noc
    "OutageState": {"OPEN": "abierta", "CLOSED": "cerrada"},
    # notifier
    "MessageState": {"QUEUED": "en espera", "ACCEPTED": "aceptado", "FAILED": "no salió", "UNKNOWN": "sin confirmar"},
    "WebhookState": {"ACTIVE": "activa", "PAUSED": "en pausa", "DISABLED": "desactivada"},
    "PostState": {"QUEUED": "en espera", "SENDING": "enviando", "DELIVERED": "entregado", "FAILED": "se dio por perdido"},
    # every service
    "AuditState": {"WAITING": "en espera", "SOUND": "todo se cumple", "BROKEN": "algo no se cumple", "FAILED": "no se pudo terminar"},
    "DeadLetter.reason": {"dead": "falló", "waiting": "espera"},
}


def words_of(kind: Any, owner: str, field: str) -> Mapping[str, str]:
    """The words for the values of a model's field of this type; none where they are somebody's own."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return VALUES[kind.__name__]
    return VALUES[f"{owner}.{field}"] if get_origin(kind) is Literal else VALUES.get(f"{owner}.{field}", {})


def spoken(kind: Any) -> frozenset[str]:
    """The values that a type can have, where it says so."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return frozenset(str(each.value) for each in kind)
    return frozenset(map(str, get_args(kind))) if get_origin(kind) is Literal else frozenset()
