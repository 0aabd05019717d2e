"""Notices, orders to cut and orders to reconnect. An order is *solicitada* until ticketing answers (VIP-9 … VIP-14, VIP-20 … VIP-22)."""

from typing import Literal
from uuid import UUID

from fastapi import Response

from services.collections.api.access import WORK, Seen, expect_unchanged
from services.collections.api.details import show_notice, show_suspension, show_where
from services.collections.api.shapes import NoticeView, SuspensionView
from services.collections.operations import notices, reconnections, suspensions
from shared.web import Actor, Documents, Input, Now, Session, command_router, permits
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
async def request_notice(
    customer_id: UUID,
    body: ReasonInput,
    response: Response,
    session: Session,
    now: Now,
    actor: Actor,
    documents: Documents,
    seen: Seen = None,
) -> NoticeAsked:
    """Tell the desks of a coming cut; its hours count from when the last mail server accepts the notice (VIP-10)."""
    permits(actor, documents, WORK)
    await expect_unchanged(session, customer_id, seen)
    made = await notices.request_notice(session, customer_id=customer_id, reason=body.reason, actor=actor, operator=documents, now=now)
    await show_where(response, session, customer_id)
    message = "Aviso solicitado. El plazo corre desde que los correos de todos los destinatarios lo acepten."
    return NoticeAsked(**show_notice(made, documents).model_dump(), message=message)


@router.post("/customers/{customer_id}/suspensions", status_code=202)
async def request_suspension(
    customer_id: UUID,
    body: ReasonInput,
    response: Response,
    session: Session,
    now: Now,
    actor: Actor,
    documents: Documents,
    seen: Seen = None,
) -> OrderAsked:
    """Order the cut: only as the rules allow, and *solicitada* until the ticket answers (VIP-9 … VIP-14)."""
    permits(actor, documents, WORK)
    await expect_unchanged(session, customer_id, seen)
    made = await suspensions.request_suspension(
        session, customer_id=customer_id, reason=body.reason, actor=actor, operator=documents, now=now
    )
    await show_where(response, session, customer_id)
    kind = documents.procedure(made.procedure).kind
    message = f"Suspensión solicitada: se abre el ticket {kind}. El servicio queda suspendido cuando el ticket lo confirme."
    return OrderAsked(**show_suspension(made, documents).model_dump(), message=message)


@router.post("/customers/{customer_id}/reconnections", status_code=202)
async def request_reconnection(
    customer_id: UUID,
    body: ReconnectionInput,
    response: Response,
    session: Session,
    now: Now,
    actor: Actor,
    documents: Documents,
    seen: Seen = None,
) -> OrderAsked:
    """Order the reconnection for what was negotiated; *solicitada* until the ticket answers (VIP-20 … VIP-22)."""
    permits(actor, documents, WORK)
    await expect_unchanged(session, customer_id, seen)
    cut = await reconnections.request_reconnection(
        session, customer_id=customer_id, basis=body.basis, actor=actor, operator=documents, now=now
    )
    await show_where(response, session, customer_id)
    message = "Reconexión solicitada. El servicio queda activo cuando el ticket lo confirme."
    return OrderAsked(**show_suspension(cut, documents).model_dump(), message=message)
