"""Notices, orders to cut and orders to reconnect. An order is *solicitada* until ticketing answers (VIP-9 … VIP-14, VIP-20 … VIP-22)."""

from typing import Literal

from services.collections.api.access import OnCustomer
from services.collections.api.details import show_notice, show_suspension
from services.collections.api.shapes import NoticeView, SuspensionView
from services.collections.operations import notices, reconnections, suspensions
from shared.web import Input, command_router
from shared.web.shapes import Words

router = command_router(tags=["suspensión y reconexión"])


class ReasonInput(Input):
    """Why, where the agent wants to say more than the rule does."""

    reason: Words | None = None

    model_config = {"json_schema_extra": {"examples": [{"reason": "Falta de pago de la factura de marzo."}]}}


class ReconnectionInput(Input):
    """What was negotiated: a payment was reported, a promise or a plan agreed, or the invoice is being reviewed."""

    basis: Literal["payment", "promise", "payment_plan", "review"]

    model_config = {"json_schema_extra": {"examples": [{"basis": "payment"}]}}


class NoticeAsked(NoticeView):
    """A notice that was asked for; `message` says what is still to come."""

    message: str


class OrderAsked(SuspensionView):
    """An order that was given; `message` says what is still to come."""

    message: str


@router.post("/customers/{customer_id}/suspension-notices", status_code=202)
async def request_notice(asked: OnCustomer, body: ReasonInput) -> NoticeAsked:
    """Tell the desks of a coming cut; its hours count from when the last mail server accepts the notice (VIP-10)."""
    await asked.begin()
    made = await notices.request_notice(
        asked.session, customer_id=asked.customer_id, reason=body.reason, actor=asked.actor, operator=asked.documents, now=asked.now
    )
    await asked.show_where()
    message = "Aviso solicitado. El plazo corre desde que los correos de todos los destinatarios lo acepten."
    return NoticeAsked(**show_notice(made, asked.documents).model_dump(), message=message)


@router.post("/customers/{customer_id}/suspensions", status_code=202)
async def request_suspension(asked: OnCustomer, body: ReasonInput) -> OrderAsked:
    """Order the cut: only as the rules allow, and *solicitada* until the ticket answers (VIP-9 … VIP-14)."""
    await asked.begin()
    made = await suspensions.request_suspension(
        asked.session, customer_id=asked.customer_id, reason=body.reason, actor=asked.actor, operator=asked.documents, now=asked.now
    )
    await asked.show_where()
    kind = asked.documents.procedure(made.procedure).kind
    message = f"Suspensión solicitada: se abre el ticket {kind}. El servicio queda suspendido cuando el ticket lo confirme."
    return OrderAsked(**show_suspension(made, asked.documents).model_dump(), message=message)


@router.post("/customers/{customer_id}/reconnections", status_code=202)
async def request_reconnection(asked: OnCustomer, body: ReconnectionInput) -> OrderAsked:
    """Order the reconnection for what was negotiated; *solicitada* until the ticket answers (VIP-20 … VIP-22)."""
    await asked.begin()
    cut = await reconnections.request_reconnection(
        asked.session, customer_id=asked.customer_id, basis=body.basis, actor=asked.actor, operator=asked.documents, now=asked.now
    )
    await asked.show_where()
    message = "Reconexión solicitada. El servicio queda activo cuando el ticket lo confirme."
    return OrderAsked(**show_suspension(cut, asked.documents).model_dump(), message=message)
