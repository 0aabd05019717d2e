"""Portfolios: which agent looks after which customers (VIP-4), and what all of them do (VIP-31)."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, Field

from services.collections.api.access import PORTFOLIOS, READ, agent_shown
from services.collections.api.inputs import Day
from services.collections.operations import portfolios
from services.collections.queries import portfolios as queries
from services.collections.queries.activity import activity
from services.collections.rules.terms import Book
from services.collections.rules.wording import who
from services.collections.rules.worklist import Reason
from shared.errors import FieldError, Invalid
from shared.operator.policies import Policy
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, arranged_whole, command_router, page, permits, sorted_by
from shared.web.columns import NOT_IN_FILES

router = command_router(tags=["carteras"])
MAX_CUSTOMERS = 5000
MAX_DAYS = 366


class AssignmentInput(Input):
    """Customers for an agent, and why."""

    customer_ids: list[UUID] = Field(min_length=1, max_length=MAX_CUSTOMERS)
    agent: str = Field(min_length=1, max_length=60)
    reason: str = Field(min_length=1, max_length=500)

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "customer_ids": ["01920000-0000-7000-8000-000000000001"],
                    "agent": "ana.martinez",
                    "reason": "Reparto de la cartera del mes de marzo.",
                }
            ]
        }
    }


class AssignmentView(BaseModel):
    """How many accounts changed hands, and how many were that agent's already."""

    agent: str
    agent_name: str
    assigned: int
    unchanged: int


class PortfolioView(BaseModel):
    """The accounts of one agent (`agent` null: of nobody) under one policy, by status, and by the operator's word for it."""

    agent: str | None
    agent_name: str
    policy: str
    policy_name: str
    customers: int
    by_status: Annotated[dict[str, int], NOT_IN_FILES]
    statuses: dict[str, int]


class PortfolioChangeView(BaseModel):
    """A customer came into somebody's portfolio: from whose, by whom, when and why."""

    customer_id: UUID
    customer_name: str
    previous: str | None
    agent: str
    agent_name: str
    reason: str
    assigned_by: str
    assigned_at: AwareDatetime


class ActivityView(BaseModel):
    """One agent's work (`agent` null: what nobody looks after). `done` by kind in the days asked for: contacts by what they were about,
    promise, payment_plan, notice, suspension, reconnection. `to_do` by the most urgent reason, as the list is now."""

    agent: str | None
    agent_name: str
    done: dict[str, int]
    to_do: dict[Reason, int]
    done_today: int


class ActivityReport(BaseModel):
    """What all agents did from a day to another, both included, and what their lists hold now."""

    from_day: date
    to_day: date
    agents: list[ActivityView]


@router.post("/portfolios/assignments", status_code=201)
async def assign(body: AssignmentInput, session: Session, now: Now, actor: Actor, documents: Documents) -> AssignmentView:
    """Give customers to an agent, with the reason; an unknown customer or agent stops it all (VIP-4)."""
    permits(actor, documents, PORTFOLIOS)
    done = await portfolios.assign(
        session, customer_ids=body.customer_ids, agent=body.agent, reason=body.reason, actor=actor, operator=documents, now=now
    )
    return AssignmentView(agent=done.agent, agent_name=who(documents, done.agent), assigned=done.assigned, unchanged=done.unchanged)


@router.get("/portfolios")
async def get_portfolios(
    session: Session, actor: Actor, documents: Documents, sort: Annotated[str | None, arranged_whole(queries.PORTFOLIOS)]
) -> list[PortfolioView]:
    """Portfolios and how many customers each has in every status; an agent sees its own. `agent` null: nobody looks after these."""
    permits(actor, documents, READ)
    found = await queries.portfolios(session, agent=agent_shown(actor, documents, None))
    return [
        PortfolioView(
            agent=each.agent,
            agent_name=who(documents, each.agent) if each.agent else "Sin gestor",
            policy=each.policy,
            policy_name=documents.policy(each.policy).name,
            customers=sum(each.by_status.values()),
            by_status=each.by_status,
            statuses=_by_word(documents.policy(each.policy), each.by_status),
        )
        for each in queries.PORTFOLIOS.arrange(found, sort)
    ]


def _by_word(policy: Policy, by_status: Mapping[str, int]) -> dict[str, int]:
    words = {str(code): text for code, text in policy.statuses.items()}
    return {words.get(code, code): count for code, count in by_status.items()}


@router.get("/portfolios/changes")
async def list_portfolio_changes(
    session: Session,
    order: Annotated[Order, sorted_by(queries.CHANGES)],
    actor: Actor,
    documents: Documents,
    agent: Annotated[str | None, Query(max_length=60, description="quien la dio o la recibió")] = None,
    customer_id: Annotated[UUID | None, Query(description="solo de este cliente")] = None,
) -> Page[PortfolioChangeView]:
    """Which customers changed hands, the latest first; an agent sees what it gave and got."""
    permits(actor, documents, READ)
    shown = None if customer_id is not None else agent_shown(actor, documents, agent)
    return page(
        await queries.changes(session, order, agent=shown, customer_id=customer_id),
        order,
        show=lambda each: PortfolioChangeView(
            customer_name=each[1], agent_name=who(documents, each[0].agent), **each[0].model_dump(exclude={"id"})
        ),
    )


@router.get("/portfolios/activity")
async def get_activity(
    session: Session,
    now: Now,
    actor: Actor,
    documents: Documents,
    from_day: Annotated[Day | None, Query(description="primer día; hoy si no se dice")] = None,
    to_day: Annotated[Day | None, Query(description="último día, incluido; el primero si no se dice")] = None,
) -> ActivityReport:
    """What the agents did (sending, collecting, suspending, reconnecting) and have to do, over all portfolios (VIP-31)."""
    permits(actor, documents, PORTFOLIOS)
    calendar = Book(documents).calendar
    first = from_day or calendar.today(now)
    last = to_day or first
    if (last - first).days not in range(MAX_DAYS):
        error = FieldError(field="to_day", message=f"desde from_day, y a lo sumo {MAX_DAYS} días")
        raise Invalid("Los días no están en orden.", errors=[error])
    found = await activity(session, calendar.start_of_day(first), calendar.end_of_day(last))
    agents = [
        ActivityView(
            agent=each.person,
            agent_name=who(documents, each.person) if each.person else "Sin gestor",
            done=each.done,
            to_do={Reason(reason): count for reason, count in each.to_do.items()},
            done_today=each.done_today,
        )
        for each in found
    ]
    return ActivityReport(from_day=first, to_day=last, agents=agents)
