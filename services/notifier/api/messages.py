"""Messages and their deliveries: what was said to whom, whether it arrived, and another try."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel

from services.notifier.adapters.mails import mail_of, print_invoice
from services.notifier.models import Delivery, Message
from services.notifier.operations.deliveries import retry_delivery
from services.notifier.queries import (
    MESSAGES,
    MessageView,
    deliveries_of,
    find_messages,
    get_delivery,
    get_message,
    printable_invoices,
    riders_of,
)
from services.notifier.rules.states import DeliveryState, MessageState
from shared.errors import FieldError, Invalid
from shared.web import Actor, Documents, Now, Order, Page, Session, command_router, page, permits, sorted_by
from shared.web.columns import NOT_IN_FILES

router = command_router(tags=["mensajes"])
READ, RETRY = "notifier.read", "notifier.retry"

SUMMARY: dict[str, Any] = {
    "id": "019c8a5e-000b-7a31-8c52-9d0e4b7f6a12",
    "notice": "aviso_suspension_vip",
    "event_type": "collections.suspension_notice_requested.v1",
    "customer_id": "019c8a5e-0001-7a31-8c52-9d0e4b7f6a12",
    "reference": "019c8a5e-000a-7a31-8c52-9d0e4b7f6a12",
    "state": "ACCEPTED",
    "subject": "Suspensión en 24 horas: Hotel Maya Real, S. A. (Cliente C-000412)",
    "recipients": ["gerente.ventas@redsula.example", "gerente.cobros@redsula.example"],
    "rules": ["VIP-10"],
    "created_at": "2026-03-26T15:00:00Z",
    "accepted_at": "2026-03-26T15:00:04Z",
}
DELIVERY: dict[str, Any] = {
    "id": "019c8a5e-00d1-7a31-8c52-9d0e4b7f6a12",
    "name": "Gerente de Ventas",
    "address": "gerente.ventas@redsula.example",
    "message_id": "<019c8a5e-00d1-7a31-8c52-9d0e4b7f6a12@redsula.example>",
    "state": "ACCEPTED",
    "attempts": 1,
    "smtp_code": 250,
    "detail": "OK",
    "attempted_at": "2026-03-26T15:00:04Z",
    "accepted_at": "2026-03-26T15:00:04Z",
}


class MessageSummary(BaseModel):
    """A message in a list. `reference` is what it is about: a notice, a ticket, an invoice, a payment. While the customer's policy makes it
    wait, it says until when and why."""

    model_config = {"json_schema_extra": {"examples": [SUMMARY]}}
    id: UUID
    notice: str
    event_type: Annotated[str, NOT_IN_FILES]
    customer_id: UUID | None
    reference: str
    state: MessageState
    subject: str
    recipients: list[str]
    rules: list[str]
    created_at: datetime
    accepted_at: datetime | None
    waits_until: datetime | None = None
    waits_because: str = ""


class DeliveryView(BaseModel):
    """A message on its way to one address; `detail` is what the mail server said, `held` why the customer's policy made it wait. One that
    `rides_with` another delivery goes out in that one's mail. Without an address nobody can be reached yet."""

    model_config = {"json_schema_extra": {"examples": [DELIVERY]}}
    id: UUID
    name: str
    address: str | None
    message_id: str
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None = None
    held: str = ""
    rides_with: UUID | None = None
    smtp_code: int | None = None
    detail: str = ""
    attempted_at: datetime | None = None
    accepted_at: datetime | None = None


class MessageDetail(MessageSummary):
    """A message with its words and its deliveries."""

    model_config = {"json_schema_extra": {"examples": [{**SUMMARY, "text": "…", "html": "…", "deliveries": [DELIVERY]}]}}
    text: str
    html: str
    attached_invoice_id: UUID | None = None
    deliveries: list[DeliveryView]


@router.get("/messages")
async def list_messages(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(MESSAGES)],
    customer_id: UUID | None = None,
    notice: Annotated[str | None, Query(max_length=60, description="código del aviso: aviso_suspension_vip, factura_del_mes …")] = None,
    state: MessageState | None = None,
) -> Page[MessageSummary]:
    """Los mensajes, el más reciente primero."""
    permits(actor, documents, READ)
    found = await find_messages(session, order, customer_id=customer_id, notice=notice, state=state)
    deliveries = await deliveries_of(session, [each.item.id for each in found])
    return page(found, order, show=lambda each: MessageSummary(**_common(each, deliveries[each.id])))


@router.get("/messages/{message_id}")
async def read_message(message_id: UUID, session: Session, actor: Actor, documents: Documents) -> MessageDetail:
    """Un mensaje: qué dice, a quién fue y qué contestó cada servidor de correo."""
    permits(actor, documents, READ)
    return _detail(await get_message(session, message_id))


@router.get(
    "/messages/{message_id}/source",
    response_class=Response,
    responses={200: {"content": {"message/rfc822": {"example": "Message-ID: <019c8a5e-00d1-…@redsula.example>\r\nSubject: …"}}}},
)
async def read_source(
    message_id: UUID,
    session: Session,
    actor: Actor,
    documents: Documents,
    delivery: Annotated[UUID | None, Query(description="una entrega del mensaje; sin ella, la primera")] = None,
) -> Response:
    """El correo tal como sale, para abrirlo con cualquier programa de correo (.eml); lo que va en el correo de otro mensaje, en ese."""
    permits(actor, documents, READ)
    view = await get_message(session, message_id)
    chosen = next((each for each in view.deliveries if delivery in {None, each.id}), None)
    if chosen is None:
        error = FieldError(field="delivery", message="no es una entrega de este mensaje")
        raise Invalid(f"El mensaje no tiene la entrega {delivery}.", errors=[error])
    if chosen.rides_with is not None:
        chosen = await get_delivery(session, chosen.rides_with)
    message = (await get_message(session, chosen.message_id)).message
    riders = (await riders_of(session, [chosen.id])).get(chosen.id, [])
    attached = [each.attached_invoice_id for each in (message, *riders) if each.attached_invoice_id]
    printed = [await print_invoice(documents, each) for each in (await printable_invoices(session, attached)).values()]
    mail = mail_of(documents, message, chosen, printed, riders)
    headers = {"Content-Disposition": f'inline; filename="{chosen.id}.eml"'}
    return Response(mail.as_bytes(), media_type="message/rfc822", headers=headers)


@router.post("/deliveries/{delivery_id}/retry", status_code=202)
async def retry(delivery_id: UUID, session: Session, now: Now, actor: Actor, documents: Documents) -> MessageDetail:
    """Intentar de nuevo una entrega fallida o de resultado desconocido; si no tenía dirección, a la que el cliente tenga ahora."""
    permits(actor, documents, RETRY)
    message = await retry_delivery(session, operator=documents, delivery_id=delivery_id, now=now)
    return _detail(await get_message(session, message.id))


def _detail(view: MessageView) -> MessageDetail:
    message = view.message
    return MessageDetail(
        **_common(message, view.deliveries),
        text=message.text,
        html=message.html,
        attached_invoice_id=message.attached_invoice_id,
        deliveries=[_delivery(each) for each in view.deliveries],
    )


def _common(message: Message, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    names = ("id", "notice", "event_type", "customer_id", "reference", "state", "subject", "rules", "created_at", "accepted_at")
    waiting = next((each for each in deliveries if each.held and each.state == DeliveryState.QUEUED), None)
    return {
        **{name: getattr(message, name) for name in names},
        "recipients": [each["address"] for each in message.recipients],
        "waits_until": waiting.next_attempt_at if waiting else None,
        "waits_because": waiting.held if waiting else "",
    }


def _delivery(delivery: Delivery) -> DeliveryView:
    return DeliveryView(**delivery.model_dump(include=set(DeliveryView.model_fields) - {"message_id"}), message_id=delivery.header_id)
