"""What the network's monitoring tells of a customer's service."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, StringConstraints

from services.ticketing.api.shapes import CUSTOMER_ID, TICKET_ID
from services.ticketing.operations.recoveries import network_told
from shared.operator.procedures import NetworkEvent
from shared.web import Actor, Documents, Input, Now, Session, command_router, permits
from shared.web.shapes import example

router = command_router(tags=["network-events"])


class NetworkEventInput(Input):
    """Something seen at a service: which, under which name the network knows it, when, and what was seen."""

    model_config = example(
        event="equipment_off", network_login="hotel-copan-01", seen_at="2026-04-02T15:04:00-06:00", detail="ONT sin luz desde las 14:55"
    )
    event: NetworkEvent
    network_login: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    seen_at: AwareDatetime
    detail: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class OpenedShown(BaseModel):
    """A ticket that began with it."""

    id: UUID
    number: int
    kind: str
    opened_at: datetime


class NetworkEventShown(BaseModel):
    """Whose service it is, and the tickets that began: none where nothing begins with it now, because the customer is not suspended or
    such a ticket is open already."""

    model_config = example(
        customer_id=CUSTOMER_ID,
        opened=[{"id": TICKET_ID, "number": 131, "kind": "EQUIPOS APAGADOS CLIENTE VIP", "opened_at": "2026-04-02T21:04:10Z"}],
    )
    customer_id: UUID
    opened: list[OpenedShown]


@router.post("/network-events", status_code=202)
async def tell(body: NetworkEventInput, session: Session, actor: Actor, documents: Documents, now: Now) -> NetworkEventShown:
    """Avisa lo que el monitoreo de la red vio en un servicio; empieza los procedimientos que empiezan así, si corresponden."""
    permits(actor, documents, "ticketing.network")
    customer, opened = await network_told(
        session,
        event=body.event,
        login=body.network_login,
        seen_at=body.seen_at,
        detail=body.detail,
        operator=documents,
        now=now,
    )
    return NetworkEventShown(customer_id=customer.id, opened=[OpenedShown.model_validate(each, from_attributes=True) for each in opened])
