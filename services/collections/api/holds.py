"""Holds: customers and single services that are left out of reminders, notices and cuts for a while (COB-1)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import AwareDatetime, BaseModel, StringConstraints

from services.collections.api.access import HOLDS, READ, agent_listed
from services.collections.api.inputs import Instant
from services.collections.models import Hold
from services.collections.operations import holds
from services.collections.queries.accounts import get_account
from services.collections.queries.holds import HELD, find_holds
from services.collections.rules.wording import who
from shared.operator import Operator
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, sorted_by
from shared.web.shapes import Words

router = command_router(tags=["exclusiones"])


class HoldInput(Input):
    """Why, who answers for it, and when it ends by itself; `service_id` for one service alone."""

    reason: Words
    owner: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    until: Instant
    service_id: UUID | None = None

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "reason": "La gerencia revisa el contrato con el cliente.",
                    "owner": "marta.zelaya",
                    "until": "2026-04-01T00:00:00-06:00",
                }
            ]
        }
    }


class HoldEnd(Input):
    """Why a hold ends before its day."""

    reason: Words

    model_config = {"json_schema_extra": {"examples": [{"reason": "El contrato quedó firmado."}]}}


class HoldView(BaseModel):
    """A hold. `running` until `until`, or until somebody ended it before."""

    id: UUID
    customer_id: UUID
    customer_name: str
    service_id: UUID | None
    reason: str
    owner: str
    owner_name: str
    placed_by: str
    placed_at: AwareDatetime
    until: AwareDatetime
    running: bool
    ended_at: AwareDatetime | None
    ended_by: str | None
    end_reason: str | None


@router.post("/customers/{customer_id}/holds", status_code=201)
async def place_hold(
    customer_id: UUID, body: HoldInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> HoldView:
    """Leave a customer, or one of its services, out of reminders, notices and cuts; an order to cut that is out is taken back (COB-1)."""
    permits(actor, documents, HOLDS)
    made = await holds.place(
        session,
        customer_id=customer_id,
        service_id=body.service_id,
        reason=body.reason,
        owner=body.owner,
        until=body.until,
        actor=actor,
        operator=documents,
        now=now,
    )
    response.headers["Location"] = f"/collections/holds?customer_id={customer_id}"
    return _show(made, (await get_account(session, customer_id)).name, documents, now)


@router.post("/holds/{hold_id}/end")
async def end_hold(hold_id: UUID, body: HoldEnd, session: Session, now: Now, actor: Actor, documents: Documents) -> HoldView:
    """End a hold before its day: the policy goes on at once (COB-1)."""
    permits(actor, documents, HOLDS)
    ended = await holds.end(session, hold_id=hold_id, reason=body.reason, actor=actor, operator=documents, now=now)
    return _show(ended, (await get_account(session, ended.account_id)).name, documents, now)


@router.get("/holds")
async def list_holds(
    session: Session,
    order: Annotated[Order, sorted_by(HELD)],
    now: Now,
    actor: Actor,
    documents: Documents,
    customer_id: Annotated[UUID | None, Query(description="solo de este cliente")] = None,
    owner: Annotated[str | None, Query(max_length=60, description="quien responde por ellas")] = None,
    agent: Annotated[str | None, Query(max_length=60, description="de los clientes de este gestor")] = None,
    ended: Annotated[bool, Query(description="también las que ya terminaron")] = False,
) -> Page[HoldView]:
    """Who is left out, why, who answers for it and until when: those that end first stand first. An agent sees those of its customers."""
    permits(actor, documents, READ)
    found = await find_holds(
        session,
        order,
        now=now,
        running=not ended,
        customer_id=customer_id,
        owner=owner,
        agent=None if customer_id is not None else await agent_listed(session, actor, documents, agent, now),
    )
    return page(found, order, show=lambda each: _show(each[0], each[1], documents, now))


def _show(hold: Hold, name: str, documents: Operator, now: datetime) -> HoldView:
    return HoldView(
        customer_id=hold.account_id,
        customer_name=name,
        owner_name=who(documents, hold.owner),
        running=hold.ended_at is None and hold.until > now,
        **hold.model_dump(exclude={"account_id", "known_at"}),
    )
