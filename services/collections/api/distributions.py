"""Portfolios divided by a rule: shown first, then applied as it was shown (VIP-4)."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from services.collections.api.access import PORTFOLIOS
from services.collections.api.views import MoneyView, money_view
from services.collections.operations import distributing
from services.collections.queries import portfolios as queries
from services.collections.queries.portfolios import DistributionView, Share
from services.collections.rules.wording import who
from shared.operator import Operator
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, sorted_by
from shared.web.shapes import Words, example

router = command_router(tags=["carteras"])
Person = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Zones = Annotated[list[Person], Field(max_length=50)]


class DistributionInput(Input):
    """How customers of a policy are to be divided: among whom, balanced by their number or by what they pay a month, `zones` the beginnings
    of the access nodes that an agent works. `everybody`: all of them, else only those of nobody."""

    policy: Person
    agents: list[Person] = Field(min_length=1, max_length=100)
    balance: Literal["count", "amount"] = "count"
    zones: dict[Person, Zones] = Field(default={}, max_length=100)
    everybody: bool = False
    reason: Words

    model_config = example(
        policy="vip",
        agents=["ana.martinez", "carlos.rivera"],
        balance="amount",
        zones={"ana.martinez": ["SPS-"], "carlos.rivera": ["TGU-"]},
        everybody=True,
        reason="Reparto de la cartera de abril.",
    )


class ShareView(BaseModel):
    """What an agent has of the policy's customers before and after; `agent` null: those of nobody."""

    agent: str | None
    agent_name: str
    customers: int
    amount: MoneyView
    customers_after: int
    amount_after: MoneyView


class DistributionShown(BaseModel):
    """A distribution: a proposal until it is applied."""

    id: UUID
    policy: str
    balance: str
    reason: str
    made_by: str
    made_at: AwareDatetime
    applied_by: str | None
    applied_at: AwareDatetime | None
    moves: int
    shares: list[ShareView]


class MoveView(BaseModel):
    """A customer that changes hands."""

    customer_id: UUID
    customer_name: str
    previous: str | None
    previous_name: str
    agent: str
    agent_name: str
    amount: MoneyView


class DistributionApplied(BaseModel):
    """How many changed hands, and how many did not because somebody else had moved them since."""

    id: UUID
    moved: int
    changed_meanwhile: int


@router.post("/portfolios/distributions", status_code=201)
async def propose_distribution(
    body: DistributionInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> DistributionShown:
    """Work out who is to have which customers, without moving anybody: look at it, then apply it (VIP-4)."""
    permits(actor, documents, PORTFOLIOS)
    made = await distributing.propose(session, **body.model_dump(), actor=actor, operator=documents, now=now)
    response.headers["Location"] = f"/collections/portfolios/distributions/{made.id}"
    return _show(await queries.view_distribution(session, made.id), documents)


@router.get("/portfolios/distributions/{distribution_id}")
async def get_distribution(distribution_id: UUID, session: Session, actor: Actor, documents: Documents) -> DistributionShown:
    """A distribution: what everybody has before and after it."""
    permits(actor, documents, PORTFOLIOS)
    return _show(await queries.view_distribution(session, distribution_id), documents)


@router.get("/portfolios/distributions/{distribution_id}/moves")
async def list_moves(
    distribution_id: UUID, session: Session, order: Annotated[Order, sorted_by(queries.MOVES)], actor: Actor, documents: Documents
) -> Page[MoveView]:
    """Who changes hands by a distribution."""
    permits(actor, documents, PORTFOLIOS)
    return page(
        await queries.moves_of(session, distribution_id, order),
        order,
        show=lambda each: MoveView(
            customer_id=each[0].account_id,
            customer_name=each[1],
            previous=each[0].previous,
            previous_name=_name(documents, each[0].previous),
            agent=each[0].agent,
            agent_name=who(documents, each[0].agent),
            amount=money_view(documents, each[0].amount, each[0].currency),
        ),
    )


@router.post("/portfolios/distributions/{distribution_id}/apply")
async def apply_distribution(distribution_id: UUID, session: Session, now: Now, actor: Actor, documents: Documents) -> DistributionApplied:
    """Move the customers as it was shown; whoever changed hands since stays there (VIP-4)."""
    permits(actor, documents, PORTFOLIOS)
    done = await distributing.apply(session, distribution_id=distribution_id, actor=actor, operator=documents, now=now)
    return DistributionApplied(id=done.distribution.id, moved=done.moved, changed_meanwhile=done.changed_meanwhile)


def _show(view: DistributionView, documents: Operator) -> DistributionShown:
    found = view.distribution
    return DistributionShown(
        balance=found.balanced_by,
        moves=view.moves,
        shares=[_share(each, documents) for each in view.shares],
        **found.model_dump(exclude={"balanced_by"}),
    )


def _share(share: Share, documents: Operator) -> ShareView:
    return ShareView(
        agent=share.agent,
        agent_name=_name(documents, share.agent),
        customers=share.customers,
        amount=money_view(documents, share.amount, documents.currency),
        customers_after=share.customers_after,
        amount_after=money_view(documents, share.amount_after, documents.currency),
    )


def _name(documents: Operator, agent: str | None) -> str:
    return who(documents, agent) if agent is not None else "Sin gestor"
