"""Changes of plan over HTTP, and what tickets agreed."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from services.billing.adapters.price_functions import price_functions
from services.billing.api.shapes import Code
from services.billing.models import Agreement, PlanChange
from services.billing.operations.plans import NewPlan, change_plan
from services.billing.queries.plans import AGREEMENTS, PLAN_CHANGES, find_agreements, find_plan_changes, get_agreement
from services.billing.rules.states import AgreementState
from shared.calendar import BusinessCalendar
from shared.money import Amount, as_kept
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, sorted_by
from shared.web.shapes import Words, example

router = command_router(tags=["plans"])


class PlanInput(Input):
    """The plan that the service has from a day on (without it, from today). Without `monthly_amount` the catalogue's price."""

    model_config = example(plan_code="corporativo_100", effective_from="2026-03-16", reason="Upgrade que pidió el cliente")
    plan_code: Code
    monthly_amount: Annotated[Amount, Field(ge=0)] | None = None
    effective_from: date | None = None
    reason: Words


class PlanChangeShown(BaseModel):
    """A change of plan. Amounts are per month, before tax; `applied_at` is null while its day has not come."""

    model_config = example(
        id="019d2f6e-7f0b-7c7a-9a35-0a8b0f6f4b90",
        customer_id="019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50",
        service_id="019d2f6e-2f0c-7c7a-9a35-0a8b0f6f4b52",
        effective_from="2026-03-16",
        from_plan="corporativo_50",
        from_amount="450.0000",
        to_plan="corporativo_100",
        to_amount="780.0000",
        currency="USD",
        reason="Upgrade que pidió el cliente",
        reference=None,
        changed_at="2026-03-15T16:20:00Z",
        changed_by="sofia.mejia",
        applied_at=None,
    )
    id: UUID
    customer_id: UUID
    service_id: UUID
    effective_from: date
    from_plan: str
    from_amount: Amount
    to_plan: str
    to_amount: Amount
    currency: str
    reason: str
    reference: UUID | None = Field(description="el ticket donde se acordó")
    changed_at: datetime
    changed_by: str
    applied_at: datetime | None


class AgreementShown(BaseModel):
    """What was agreed in a ticket, and what became of it; `refusal` tells why it could not be carried out."""

    model_config = example(
        id="019d2f6e-8f0b-7c7a-9a35-0a8b0f6f4ba0",
        ticket_id="019d2f6e-8f0b-7c7a-9a35-0a8b0f6f4ba1",
        customer_id="019d2f6e-1f0b-7c7a-9a35-0a8b0f6f4b50",
        service_id="019d2f6e-2f0c-7c7a-9a35-0a8b0f6f4b52",
        kind="downgrade",
        plan_code="corporativo_50",
        effective_from="2026-04-01",
        detail="Se queda con 50 Mbps hasta fin de contrato",
        agreed_by="sofia.mejia",
        agreed_at="2026-03-20T16:20:00Z",
        state="CARRIED_OUT",
        refusal=None,
    )
    id: UUID
    ticket_id: UUID
    customer_id: UUID
    service_id: UUID | None
    kind: str
    plan_code: str | None
    effective_from: date
    detail: str
    agreed_by: str
    agreed_at: datetime
    state: AgreementState
    refusal: str | None


@router.post("/customers/{customer_id}/services/{service_id}/plan", status_code=201)
async def change_service_plan(
    customer_id: UUID, service_id: UUID, body: PlanInput, session: Session, now: Now, actor: Actor, documents: Documents
) -> PlanChangeShown:
    """Change the service's plan from a day on (FACT-6). Months that are billed already are charged or credited the difference by days, with
    an invoice or a credit note; the others are billed by days when their run comes."""
    permits(actor, documents, "billing.customers")
    new = NewPlan(
        customer_id=customer_id,
        service_id=service_id,
        plan_code=body.plan_code,
        effective_from=body.effective_from or BusinessCalendar(documents).today(now),
        reason=body.reason,
        by=actor.person,
        monthly_amount=body.monthly_amount,
    )
    change = await change_plan(session, new=new, operator=documents, prices=price_functions(documents), now=now)
    await session.refresh(change)
    return _change(change)


@router.get("/customers/{customer_id}/plan-changes")
async def list_plan_changes(
    customer_id: UUID, session: Session, actor: Actor, documents: Documents, order: Annotated[Order, sorted_by(PLAN_CHANGES)]
) -> Page[PlanChangeShown]:
    """A customer's changes of plan in the order in which they were decided."""
    permits(actor, documents, "billing.read")
    return page(await find_plan_changes(session, customer_id, order), order, show=_change)


@router.get("/agreements")
async def list_agreements(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(AGREEMENTS)],
    customer_id: UUID | None = None,
    state: AgreementState | None = None,
) -> Page[AgreementShown]:
    """What was agreed in tickets. Those in state REFUSED wait for somebody: change the plan by hand, or agree anew in the ticket."""
    permits(actor, documents, "billing.read")
    return page(await find_agreements(session, order, customer_id=customer_id, state=state), order, show=_agreement)


@router.get("/agreements/{agreement_id}")
async def show_agreement(agreement_id: UUID, session: Session, actor: Actor, documents: Documents) -> AgreementShown:
    """What was agreed, and what became of it."""
    permits(actor, documents, "billing.read")
    return _agreement(await get_agreement(session, agreement_id))


def _change(change: PlanChange) -> PlanChangeShown:
    amounts = {name: as_kept(getattr(change, name)) for name in ("from_amount", "to_amount")}
    return PlanChangeShown(**change.model_dump(include=set(PlanChangeShown.model_fields) - set(amounts)), **amounts)


def _agreement(agreement: Agreement) -> AgreementShown:
    return AgreementShown.model_validate(agreement, from_attributes=True)
