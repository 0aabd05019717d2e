"""Portfolios: which agent looks after which customers (VIP-4)."""

from uuid import UUID

from pydantic import BaseModel, Field

from services.collections.api.access import PORTFOLIOS, READ, agent_shown
from services.collections.operations import portfolios
from services.collections.queries import portfolios as queries
from services.collections.rules.wording import who
from shared.web import Actor, Documents, Input, Now, Session, command_router, permits

router = command_router(tags=["carteras"])
MAX_CUSTOMERS = 5000


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
    """The accounts of one agent (`agent` null: of nobody) under one policy, by status."""

    agent: str | None
    agent_name: str
    policy: str
    policy_name: str
    customers: int
    by_status: dict[str, int]


@router.post("/portfolios/assignments", status_code=201)
async def assign(body: AssignmentInput, session: Session, now: Now, actor: Actor, documents: Documents) -> AssignmentView:
    """Give customers to an agent, with the reason; an unknown customer or agent stops it all (VIP-4)."""
    permits(actor, documents, PORTFOLIOS)
    done = await portfolios.assign(
        session, customer_ids=body.customer_ids, agent=body.agent, reason=body.reason, actor=actor, operator=documents, now=now
    )
    return AssignmentView(agent=done.agent, agent_name=who(documents, done.agent), assigned=done.assigned, unchanged=done.unchanged)


@router.get("/portfolios")
async def get_portfolios(session: Session, actor: Actor, documents: Documents) -> list[PortfolioView]:
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
        )
        for each in found
    ]
