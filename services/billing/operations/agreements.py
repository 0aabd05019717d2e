"""What was agreed with a customer in a ticket, carried out: a change of plan, or a note. What cannot be done is kept for people to see."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import Agreement, Customer
from services.billing.operations.plans import NewPlan, change_plan, only_service
from services.billing.rules.prices import Price
from services.billing.rules.states import AgreementState
from shared.calendar import BusinessCalendar
from shared.db import lock
from shared.errors import Invalid, NotFound, Problem, Refused
from shared.events.billing import AgreementRefused
from shared.events.ticketing import AgreementReached
from shared.operator import Operator
from shared.outbox import publish

RULE = "FACT-6"


async def carry_out(
    session: AsyncSession, *, agreed: AgreementReached, operator: Operator, prices: Mapping[str, Price], now: datetime
) -> Agreement:
    """Change the plan as agreed, or keep a note where nothing of billing changes; once per agreement.

    What the catalogue or a rule speaks against is kept as refused and told (AgreementRefused). Raises NotFound for an unknown customer.
    """
    await lock(session, Customer, agreed.customer_id)
    kept = await session.get(Agreement, agreed.agreement_id)
    if kept is not None:
        return kept
    agreement = Agreement(
        id=agreed.agreement_id,
        state=AgreementState.NOTED,
        received_at=now,
        **agreed.model_dump(include=set(Agreement.model_fields) - {"id", "state", "received_at"}),
    )
    try:
        async with session.begin_nested():
            if agreed.kind != "other":
                new = await _new_plan(session, agreed, operator, now)
                await change_plan(session, new=new, operator=operator, prices=prices, now=now)
                agreement.state = AgreementState.CARRIED_OUT
    except (Invalid, NotFound, Refused) as problem:
        await _refuse(session, agreement, _why(problem), now)
    session.add(agreement)
    await session.flush()
    return agreement


async def _refuse(session: AsyncSession, agreement: Agreement, why: str, now: datetime) -> None:
    agreement.state, agreement.refusal = AgreementState.REFUSED, why
    event = AgreementRefused(
        agreement_id=agreement.id, ticket_id=agreement.ticket_id, customer_id=agreement.customer_id, detail=why, refused_at=now
    )
    await publish(session, event, subject=f"agreement/{agreement.id}", version=1, now=now)


async def _new_plan(session: AsyncSession, agreed: AgreementReached, operator: Operator, now: datetime) -> NewPlan:
    today = BusinessCalendar(operator).today(now)
    service_id = agreed.service_id or await only_service(session, agreed.customer_id, today)
    if service_id is None:
        raise Refused(RULE, "El acuerdo no dice de qué servicio es, y el cliente no tiene uno solo.", remedy="Indique el servicio.")
    if agreed.plan_code is None:
        raise Refused(RULE, "El acuerdo no dice a qué plan se cambia.", remedy="Indique el plan del catálogo.")
    return NewPlan(
        customer_id=agreed.customer_id,
        service_id=service_id,
        plan_code=agreed.plan_code,
        effective_from=agreed.effective_from,
        reason=agreed.detail,
        by=agreed.agreed_by,
        reference=agreed.ticket_id,
    )


def _why(problem: Problem) -> str:
    return " ".join(filter(None, (problem.detail, problem.remedy)))
