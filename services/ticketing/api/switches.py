"""Switches of the network over HTTP: looked up, and resolved by hand when nobody knows what the network did."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import StringConstraints

from services.ticketing.api.shapes import SwitchShown, show_switch
from services.ticketing.operations.switches import resolve_switch
from services.ticketing.queries.switches import SWITCHES, list_switches
from services.ticketing.rules.states import SwitchState
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, sorted_by
from shared.web.shapes import example

router = command_router(tags=["switches"])


class ResolveInput(Input):
    """What a person found in the network."""

    model_config = example(outcome="done", detail="Visto en el OLT: el puerto está cerrado")
    outcome: Literal["done", "refused"]
    detail: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


@router.get("/switches")
async def read_switches(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(SWITCHES)],
    state: Annotated[SwitchState | None, Query(description="UNKNOWN: las que una persona debe mirar")] = None,
) -> Page[SwitchShown]:
    """Lista las conmutaciones de la red, las más antiguas primero."""
    permits(actor, documents, "ticketing.read")
    return page(await list_switches(session, order, state=state), order, show=show_switch)


@router.post("/switches/{switch_id}/resolve")
async def resolve(switch_id: UUID, body: ResolveInput, session: Session, actor: Actor, documents: Documents, now: Now) -> SwitchShown:
    """Dice qué hizo la red de verdad, cuando ella no contesta; el ticket sigue con eso."""
    permits(actor, documents, "ticketing.network")
    switch = await resolve_switch(
        session, switch_id=switch_id, outcome=body.outcome, detail=body.detail, by=actor.person, operator=documents, now=now
    )
    return show_switch(switch)
