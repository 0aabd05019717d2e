"""What an agent agrees with a customer: promises, payment plans, and reviews of what was billed (VIP-11, VIP-20 … VIP-23)."""

from uuid import UUID

from fastapi import Response
from pydantic import Field

from services.collections.api.access import WORK, Seen, expect_unchanged
from services.collections.api.details import show_plan, show_promise, show_review, show_where
from services.collections.api.inputs import Instant
from services.collections.api.shapes import PlanView, PromiseView, ReviewView
from services.collections.operations import plans, promises, reviews
from services.collections.operations.plans import NewInstalment
from services.collections.queries.accounts import instalments_of
from shared.web import Actor, Documents, Input, Now, Session, command_router, permits
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
async def make_promise(
    customer_id: UUID,
    body: PromiseInput,
    response: Response,
    session: Session,
    now: Now,
    actor: Actor,
    documents: Documents,
    seen: Seen = None,
) -> PromiseView:
    """The customer promises to pay; the ledger will say whether the promise was kept (VIP-11)."""
    permits(actor, documents, WORK)
    await expect_unchanged(session, customer_id, seen)
    made = await promises.make_promise(
        session,
        customer_id=customer_id,
        amount=body.amount.amount,
        currency=body.amount.currency,
        due_at=body.due_at,
        actor=actor,
        operator=documents,
        now=now,
    )
    await show_where(response, session, customer_id)
    return show_promise(made, documents)


@router.post("/customers/{customer_id}/payment-plans", status_code=201)
async def agree_plan(
    customer_id: UUID,
    body: PlanInput,
    response: Response,
    session: Session,
    now: Now,
    actor: Actor,
    documents: Documents,
    seen: Seen = None,
) -> PlanView:
    """Agree that all that is owed is paid in instalments (VIP-23)."""
    permits(actor, documents, WORK)
    await expect_unchanged(session, customer_id, seen)
    parts = [NewInstalment(each.due_at, each.amount.amount, each.amount.currency) for each in body.instalments]
    made = await plans.agree_plan(session, customer_id=customer_id, instalments=parts, actor=actor, operator=documents, now=now)
    await show_where(response, session, customer_id)
    return show_plan(made, await instalments_of(session, made), documents)


@router.post("/customers/{customer_id}/reviews", status_code=201)
async def open_review(
    customer_id: UUID,
    body: ReviewInput,
    response: Response,
    session: Session,
    now: Now,
    actor: Actor,
    documents: Documents,
    seen: Seen = None,
) -> ReviewView:
    """Begin to look into the customer's billing; nobody is cut meanwhile (VIP-23)."""
    permits(actor, documents, WORK)
    await expect_unchanged(session, customer_id, seen)
    made = await reviews.open_review(session, customer_id=customer_id, reason=body.reason, actor=actor, operator=documents, now=now)
    await show_where(response, session, customer_id)
    return show_review(made)


@router.post("/customers/{customer_id}/reviews/close")
async def close_review(
    customer_id: UUID,
    body: ReviewEnd,
    response: Response,
    session: Session,
    now: Now,
    actor: Actor,
    documents: Documents,
    seen: Seen = None,
) -> ReviewView:
    """Conclude the open review."""
    permits(actor, documents, WORK)
    await expect_unchanged(session, customer_id, seen)
    found = await reviews.close_review(
        session, customer_id=customer_id, conclusion=body.conclusion, actor=actor, operator=documents, now=now
    )
    await show_where(response, session, customer_id)
    return show_review(found)
