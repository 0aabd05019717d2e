"""What an agent agrees with a customer: promises, payment plans, and reviews of what was billed (VIP-11, VIP-20 … VIP-23)."""

from pydantic import Field

from services.collections.api.inputs import EXAMPLE_MONEY, Instant, MoneyInput, Words
from shared.web import Input, command_router

router = command_router(tags=["acuerdos"])


class PromiseInput(Input):
    """The customer promises to pay this amount by an instant."""

    amount: MoneyInput
    due_at: Instant

    model_config = {"json_schema_extra": {"examples": [{"amount": EXAMPLE_MONEY, "due_at": "2026-03-20T17:00:00-06:00"}]}}


class InstalmentInput(Input):
    """One part of a plan."""

    due_at: Instant
    amount: MoneyInput


class PlanInput(Input):
    """The debt in instalments."""

    instalments: list[InstalmentInput] = Field(min_length=1, max_length=60)

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "instalments": [
                        {"due_at": "2026-04-15T17:00:00-06:00", "amount": {"amount": "230.00", "currency": "USD"}},
                        {"due_at": "2026-04-30T17:00:00-06:00", "amount": {"amount": "230.00", "currency": "USD"}},
                    ]
                }
            ]
        }
    }


class ReviewInput(Input):
    """Something of the invoice is looked into."""

    reason: Words

    model_config = {"json_schema_extra": {"examples": [{"reason": "El cliente reclama el cargo de instalación."}]}}


class ReviewEnd(Input):
    """What the review came to."""

    conclusion: Words

    model_config = {"json_schema_extra": {"examples": [{"conclusion": "El cargo es correcto; el cliente lo acepta."}]}}
