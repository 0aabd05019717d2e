"""What an agent agrees with a customer: promises, payment plans, and reviews of what was billed (VIP-11, VIP-20 … VIP-23)."""

from pydantic import Field

from services.collections.api.access import OnCustomer
from services.collections.api.details import show_plan, show_promise, show_review
from services.collections.api.inputs import Instant
from services.collections.api.shapes import PlanView, PromiseView, ReviewView
from services.collections.operations import plans, promises, reviews
from services.collections.operations.plans import NewInstalment
from services.collections.queries.accounts import instalments_of
from shared.web import Input, command_router
from shared.web.shapes import MoneyInput, Words, example

router = command_router(tags=["acuerdos"])


class PromiseInput(Input):
    """The customer promises to pay this amount by an instant."""

    amount: MoneyInput
    due_at: Instant

    model_config = example(amount={"amount": "460.00", "currency": "USD"}, due_at="2026-03-20T17:00:00-06:00")


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


@router.post("/customers/{customer_id}/promises", status_code=201)
async def make_promise(asked: OnCustomer, body: PromiseInput) -> PromiseView:
    """The customer promises to pay; the ledger will say whether the promise was kept (VIP-11)."""
    await asked.begin()
    made = await promises.make_promise(
        asked.session,
        customer_id=asked.customer_id,
        amount=body.amount.amount,
        currency=body.amount.currency,
        due_at=body.due_at,
        actor=asked.actor,
        operator=asked.documents,
        now=asked.now,
    )
    await asked.show_where()
    return show_promise(made, asked.documents)


@router.post("/customers/{customer_id}/payment-plans", status_code=201)
async def agree_plan(asked: OnCustomer, body: PlanInput) -> PlanView:
    """Agree that all that is owed is paid in instalments (VIP-23)."""
    await asked.begin()
    parts = [NewInstalment(each.due_at, each.amount.amount, each.amount.currency) for each in body.instalments]
    made = await plans.agree_plan(
        asked.session, customer_id=asked.customer_id, instalments=parts, actor=asked.actor, operator=asked.documents, now=asked.now
    )
    await asked.show_where()
    return show_plan(made, await instalments_of(asked.session, made), asked.documents)


@router.post("/customers/{customer_id}/reviews", status_code=201)
async def open_review(asked: OnCustomer, body: ReviewInput) -> ReviewView:
    """Begin to look into the customer's billing; nobody is cut meanwhile (VIP-23)."""
    await asked.begin()
    made = await reviews.open_review(
        asked.session, customer_id=asked.customer_id, reason=body.reason, actor=asked.actor, operator=asked.documents, now=asked.now
    )
    await asked.show_where()
    return show_review(made)


@router.post("/customers/{customer_id}/reviews/close")
async def close_review(asked: OnCustomer, body: ReviewEnd) -> ReviewView:
    """Conclude the open review."""
    await asked.begin()
    found = await reviews.close_review(
        asked.session, customer_id=asked.customer_id, conclusion=body.conclusion, actor=asked.actor, operator=asked.documents, now=asked.now
    )
    await asked.show_where()
    return show_review(found)
