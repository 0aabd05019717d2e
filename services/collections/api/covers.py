"""Standing in for an absent agent (COB-3)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import AwareDatetime, BaseModel, StringConstraints

from services.collections.api.access import PORTFOLIOS, READ
from services.collections.api.inputs import Instant
from services.collections.models import PortfolioCover
from services.collections.operations import covers
from services.collections.queries import portfolios as queries
from services.collections.rules.wording import who
from shared.operator import Operator
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, sorted_by
from shared.web.shapes import Words, example

router = command_router(tags=["carteras"])
Person = Annotated[str, StringConstraints(min_length=1, max_length=60)]


class CoverInput(Input):
    """Who is absent, who stands in, from when and until when, and why."""

    agent: Person
    covered_by: Person
    from_at: Instant
    until: Instant
    reason: Words

    model_config = example(
        agent="ana.martinez",
        covered_by="carlos.rivera",
        from_at="2026-03-23T00:00:00-06:00",
        until="2026-03-28T00:00:00-06:00",
        reason="Vacaciones de Ana Martínez.",
    )


class CoverView(BaseModel):
    """A cover. `running` from `from_at` until `until`, or until it was called off before."""

    id: UUID
    agent: str
    agent_name: str
    covered_by: str
    covered_by_name: str
    from_at: AwareDatetime
    until: AwareDatetime
    running: bool
    reason: str
    made_by: str
    made_at: AwareDatetime
    ended_at: AwareDatetime | None
    ended_by: str | None


@router.post("/portfolios/covers", status_code=201)
async def cover_agent(body: CoverInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents) -> CoverView:
    """Have somebody stand in for an absent agent: the list and what only the assigned agent may do, in both names (COB-3, VIP-9)."""
    permits(actor, documents, PORTFOLIOS)
    made = await covers.cover(session, **body.model_dump(), actor=actor, operator=documents, now=now)
    response.headers["Location"] = "/collections/portfolios/covers"
    return _show(made, documents, now)


@router.post("/portfolios/covers/{cover_id}/end")
async def end_cover(cover_id: UUID, session: Session, now: Now, actor: Actor, documents: Documents) -> CoverView:
    """The agent is back before it was expected."""
    permits(actor, documents, PORTFOLIOS)
    ended = await covers.end_cover(session, cover_id=cover_id, actor=actor, operator=documents, now=now)
    return _show(ended, documents, now)


@router.get("/portfolios/covers")
async def list_covers(
    session: Session,
    order: Annotated[Order, sorted_by(queries.COVERS)],
    now: Now,
    actor: Actor,
    documents: Documents,
    ended: Annotated[bool, Query(description="también las que ya terminaron")] = False,
) -> Page[CoverView]:
    """Who stands in for whom, now or later, by when it begins."""
    permits(actor, documents, READ)
    found = await queries.covers(session, order, now=now, over=ended)
    return page(found, order, show=lambda each: _show(each, documents, now))


def _show(cover: PortfolioCover, documents: Operator, now: datetime) -> CoverView:
    return CoverView(
        agent_name=who(documents, cover.agent),
        covered_by_name=who(documents, cover.covered_by),
        running=cover.from_at <= now < cover.until and cover.ended_at is None,
        **cover.model_dump(),
    )
