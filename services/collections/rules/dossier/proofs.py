"""The parts of a dossier that prove what was done: contacts, agreements, notices, the network, tickets, the status."""

from collections.abc import Iterator
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from services.collections.rules.dossier.blocks import Block, heading, pairs, paragraph, section, table
from services.collections.rules.dossier.story import Story, Told
from services.collections.rules.sentences import KEPT
from services.collections.rules.wording import dated, moment
from shared.events.collections import ContactRecorded, SuspensionNoticeRequested, SuspensionRequested
from shared.events.notifier import MessageAccepted, MessageFailed
from shared.events.ticketing import (
    ServiceReconnected,
    ServiceSuspended,
    StepFinished,
    SwitchProof,
    TicketClosed,
    TicketOpened,
    WorkOrderScheduled,
)

CONTACTS = {
    "invoice_sent": "Envío de factura",
    "receipt_confirmed": "Recepción confirmada",
    "follow_up": "Seguimiento",
    "terms_told": "Condiciones de pago",
    "promise_talk": "Compromiso de pago",
}
TELLING = ("Fecha", "*Hecho", "Quién", "Regla")


def contacts(story: Story) -> dict[str, Any]:
    """Every contact with the customer (VIP-7)."""
    rows = [
        (story.stamp(told.at), CONTACTS.get(event.kind, "Gestión"), event.channel, story.who(event.agent), event.said)
        for told, event in story.of(ContactRecorded)
    ]
    return section(
        "Gestiones con el cliente",
        table(("Fecha", "Gestión", "Canal", "Gestor", "*Lo que se dijo"), rows, none="No hay gestiones documentadas."),
    )


def agreements(story: Story) -> dict[str, Any]:
    """Promises, payment plans, reviews, holds, and what became of them."""
    rows = list(_sentences(story, "agreements"))
    return section("Compromisos, planes de pago y revisiones", table(TELLING, rows, none="No hay acuerdos con el cliente."))


def notices(story: Story) -> dict[str, Any]:
    """What was sent, and that the receivers' servers took it."""
    accepted = [event for _, event in story.of(MessageAccepted)]
    failed = [event for _, event in story.of(MessageFailed)]
    asked = list(story.of(SuspensionNoticeRequested))
    ids = {str(event.notice_id) for _, event in asked}
    blocks: list[Block] = [
        paragraph(
            "La hora de aceptación es la que el servidor de correo del destinatario contestó al recibir el mensaje; el Message-ID lo "
            "identifica en los registros de ambos servidores."
        )
    ]
    for told, event in asked:
        mine = [each for each in accepted if each.reference == str(event.notice_id)]
        lost = [each for each in failed if each.reference == str(event.notice_id)]
        blocks += _notice(story, told, event, mine, lost)
    others = [each for each in accepted if each.reference not in ids]
    blocks += [heading("Otros correos aceptados"), _mails(story, others)]
    return section("Avisos y prueba de su envío", *blocks)


def _notice(
    story: Story, told: Told, event: SuspensionNoticeRequested, accepted: list[MessageAccepted], failed: list[MessageFailed]
) -> Iterator[Block]:
    yield heading(f"Aviso de suspensión del {moment(story.operator, told.at)}")
    everybody = max((each.accepted_at for each in accepted), default=None)
    yield pairs([
        ("Pedido por", story.who(event.requested_by)),
        ("Motivo", event.reason),
        ("Importe", story.money(event.amount)),
        ("Aceptado por todos los servidores", story.exact(everybody) or "no"),
    ])  # fmt: skip
    yield _deliveries(story, accepted)
    for each in failed:
        yield paragraph(f"No llegó a {each.recipient} ({story.stamp(each.failed_at)}): {each.reason}")


def _deliveries(story: Story, messages: list[MessageAccepted]) -> Block:
    rows = [
        (each.name, each.recipient, story.exact(each.accepted_at), f"{each.code or ''} {each.reply}".strip(), each.message_id)
        for message in messages
        for each in message.deliveries
    ]
    return table(
        ("*Destinatario", "*Dirección", "Aceptado", "*Respuesta del servidor", "*Message-ID"),
        rows,
        none="No hay constancia de que un servidor lo aceptara.",
        code=[1, 4],
    )


def _mails(story: Story, messages: list[MessageAccepted]) -> Block:
    return table(
        ("Aceptado", "*Asunto", "*Destinatarios", "*Message-ID"),
        [_mail(story, each) for each in messages],
        none="No hay otros correos.",
        code=[2, 3],
    )


def _mail(story: Story, message: MessageAccepted) -> tuple[str, ...]:
    receivers = "\n".join(each.recipient for each in message.deliveries) or str(message.recipients)
    ids = "\n".join(each.message_id for each in message.deliveries) or str(message.message_id)
    return story.exact(message.accepted_at), message.subject or message.notice, receivers, ids


def network(story: Story) -> dict[str, Any]:
    """Orders to cut and to reconnect, and what the network proved."""
    blocks: list[Block] = []
    for told, order in story.of(SuspensionRequested):
        marked = "este caso" if order.suspension_id == story.case else ""
        blocks += [heading(f"Suspensión solicitada el {moment(story.operator, told.at)}", marked=marked), *_order(story, order)]
    if not blocks:
        blocks.append(paragraph("No se ha solicitado ninguna suspensión."))
    rows = list(_sentences(story, "outages"))
    blocks += [heading("Fallas de red"), table(TELLING, rows, none="")] if rows else []
    return section("Suspensiones y reconexiones, con la prueba de la red", *blocks)


def _order(story: Story, order: SuspensionRequested) -> Iterator[Block]:
    cut = next((event for _, event in story.of(ServiceSuspended) if event.suspension_id == order.suspension_id), None)
    back = next((event for _, event in story.of(ServiceReconnected) if event.suspension_id == order.suspension_id), None)
    opened = {event.ticket_id: event for _, event in story.of(TicketOpened)}
    ticket = opened.get(cut.ticket_id) if cut else None
    yield pairs([
        ("Solicitada por", story.who(order.agent)),
        ("Regla", order.rule),
        ("Motivo", order.reason),
        ("Importe", story.money(order.amount)),
        ("Facturas", ", ".join(story.words.invoice(each).strip() for each in order.invoice_ids)),
        ("Ticket", f"{ticket.number} «{ticket.kind}»" if ticket else ""),
        ("Servicio suspendido", story.exact(cut.suspended_at) if cut else "no"),
        ("Servicio reconectado", story.exact(back.reconnected_at) if back else ""),
    ])  # fmt: skip
    proofs = [("Suspensión", each) for each in (cut.proof if cut else [])] + [("Reconexión", each) for each in (back.proof if back else [])]
    if proofs:
        yield table(
            ("Cambio", "*Usuario de red", "Nodo", "Confirmado", "Intentos", "*Medio y respuesta", "*Orden a la red"),
            [_proof(story, what, each) for what, each in proofs],
            none="",
            code=[1, 6],
        )


def _proof(story: Story, what: str, proof: SwitchProof) -> tuple[str, ...]:
    means = "red" if proof.adapter == "network" else "ticket"
    reply = f"{means}: {proof.detail}" if proof.detail else f"{means}: hecho"
    return what, proof.network_login, proof.access_node, story.exact(proof.settled_at), f"{proof.attempts}", reply, str(proof.switch_id)


def tickets(story: Story) -> dict[str, Any]:
    """Every ticket with its tasks, work orders and what was written down and signed in them."""
    opened = list(story.of(TicketOpened))
    blocks = [block for _, event in opened for block in _ticket(story, event)]
    return section("Tickets, tareas y órdenes de trabajo", *(blocks or [paragraph("No se ha abierto ningún ticket.")]))


def _ticket(story: Story, opened: TicketOpened) -> Iterator[Block]:
    closed = next((event for _, event in story.of(TicketClosed) if event.ticket_id == opened.ticket_id), None)
    procedure = story.operator.procedures.get(opened.procedure)
    end = procedure.outcomes.get(closed.outcome, closed.outcome) if closed and procedure else closed.outcome if closed else ""
    yield heading(f"Ticket {opened.number} · {opened.kind}")
    yield pairs([
        ("Abierto", story.stamp(opened.opened_at)),
        ("Pedido por", story.who(opened.requested_by)),
        ("Escritorio", story.desks([opened.desk])),
        *((each.label, each.value) for each in opened.details),
        ("Cerrado", f"{story.stamp(closed.closed_at)}: {end}" if closed else "sigue abierto"),
    ])  # fmt: skip
    rows = sorted([*_tasks(story, opened.ticket_id), *_visits(story, opened.ticket_id)], key=itemgetter(0))
    if rows:
        yield table(("Fecha", "*Tarea", "*Resultado", "Quién", "*Lo que se registró"), [row[1:] for row in rows], none="")


def _tasks(story: Story, ticket_id: UUID) -> Iterator[tuple[datetime, str, str, str, str, str]]:
    for told, event in story.of(StepFinished):
        if event.ticket_id == ticket_id:
            written = [f"{each.label}: {each.value}" for each in event.captured if each.kind != "comment"]
            written += [f"«{event.comment}»"] if event.comment else []
            outcome = f"{event.label}, fuera de plazo" if event.late else event.label
            yield told.at, story.stamp(told.at), event.name, outcome, story.who(event.finished_by), "\n".join(written)


def _visits(story: Story, ticket_id: UUID) -> Iterator[tuple[datetime, str, str, str, str, str]]:
    for told, event in story.of(WorkOrderScheduled):
        if event.ticket_id == ticket_id:
            visit = f"visita el {story.day(event.day.isoformat())}, de {event.opens:%H:%M} a {event.closes:%H:%M}"
            name = f"Orden de trabajo {event.order}: {event.name}"
            yield told.at, story.stamp(told.at), name, visit, story.who(event.scheduled_by), f"Técnico: {story.who(event.technician)}"


def statuses(story: Story) -> dict[str, Any]:
    """Every step of the status and the rule behind it."""
    steps = story.content["statuses"]
    rows = [(story.stamp(datetime.fromisoformat(each["changed_at"])), each["label"], each["reason"], each["rule"]) for each in steps]
    return section("Estados del cliente", table(("Fecha", "*Estado", "*Motivo", "Regla"), rows, none="El estado no ha cambiado."))


def timeline(story: Story) -> dict[str, Any]:
    """Everything that happened, in order."""
    rows = [(stamp, said.text, story.who(said.who), said.rule or "") for _, said, stamp in story.sentences]
    return section("Cronología completa", table(TELLING, rows, none=""))


def rules(story: Story) -> dict[str, Any]:
    """The rules of the operator's documents that were quoted."""
    quoted = {said.rule for _, said, _ in story.sentences} | {each["rule"] for each in story.content["statuses"]}
    known = [story.operator.rules[each] for each in sorted(filter(None, quoted), key=_natural) if each in story.operator.rules]
    rows = [(each.id, f"{each.text}\n{each.choice}" if each.choice else each.text, each.page) for each in known]
    return section("Reglas citadas", table(("Regla", "*Lo que dice", "*Dónde está"), rows, none="No se cita ninguna regla."))


def _natural(rule: str) -> tuple[str, int]:
    name, _, number = rule.rpartition("-")
    return name, int(number) if number.isdigit() else 0


def _sentences(story: Story, topic: str) -> Iterator[tuple[str, str, str, str]]:
    for told, said, stamp in story.sentences:
        if told is not None and KEPT[told.event.TYPE].topic == topic:
            yield stamp, said.text, story.who(said.who), said.rule or ""


def described(story: Story) -> str:
    """The case in a line."""
    order = next((each for each in story.of(SuspensionRequested) if each[1].suspension_id == story.case), None)
    return f"Suspensión solicitada el {dated(story.operator, order[0].at)}" if order else "Historia completa del cliente"
