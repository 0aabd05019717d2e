"""Notices, orders to cut and orders to reconnect. An order is *solicitada* until ticketing answers (VIP-9 … VIP-14, VIP-20 … VIP-22)."""

from typing import Literal

from services.collections.api.inputs import Words
from shared.web import Input, command_router

router = command_router(tags=["suspensión y reconexión"])


class ReasonInput(Input):
    """Why, where the agent wants to say more than the rule does."""

    reason: Words | None = None

    model_config = {"json_schema_extra": {"examples": [{"reason": "Falta de pago de la factura de marzo."}]}}


class ReconnectionInput(Input):
    """What was negotiated: a payment was reported, a promise or a plan agreed, or the invoice is being reviewed."""

    basis: Literal["payment", "promise", "payment_plan", "review"]

    model_config = {"json_schema_extra": {"examples": [{"basis": "payment"}]}}
