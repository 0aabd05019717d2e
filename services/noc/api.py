"""The NOC over HTTP: access nodes, and outages declared and closed."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.noc import operations, queries
from services.noc.models import Outage, OutageState
from services.noc.queries import NodeView
from shared.calendar import BusinessCalendar
from shared.web import Actor, Documents, Input, Now, Order, Page, Session, command_router, page, permits, sorted_by

router = command_router(tags=["noc"])
Words = Annotated[str, StringConstraints(min_length=3, max_length=2000)]
NodeCode = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class OutageDeclaration(Input):
    """A node is down. `description`: what is seen."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"access_node": "SPS-NORTE-2", "description": "Fibra cortada en el Boulevard del Norte"}]}
    )
    access_node: NodeCode
    description: Words


class OutageClosing(Input):
    """The node works again. `solution`: what was done."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"solution": "Empalme reparado; el nodo responde"}]})
    solution: Words


class OutageShown(BaseModel):
    """An outage. `customers` is how many were behind the node when it was declared; instants are UTC."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "019d2f6e-2f0b-7c7a-9a35-0a8b0f6f4b51",
                    "access_node": "SPS-NORTE-2",
                    "state": "OPEN",
                    "description": "Fibra cortada en el Boulevard del Norte",
                    "customers": 41,
                    "declared_by": "noc.turno",
                    "declared_at": "2026-03-28T14:10:00Z",
                    "solution": None,
                    "closed_by": None,
                    "closed_at": None,
                }
            ]
        }
    )
    id: UUID
    access_node: str
    state: OutageState
    description: str
    customers: int
    declared_by: str
    declared_at: datetime
    solution: str | None
    closed_by: str | None
    closed_at: datetime | None


class NodeShown(BaseModel):
    """An access node: how many customers have an active service on it, and the outage that it has now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"access_node": "SPS-NORTE-2", "customers": 41, "outage_id": None, "known_since": "2026-03-01T06:00:00Z"}]
        }
    )
    access_node: str
    customers: int
    outage_id: UUID | None = Field(description="el corte abierto; null mientras el nodo funciona")
    known_since: datetime


@router.post("/outages", status_code=201)
async def declare_outage(body: OutageDeclaration, session: Session, now: Now, actor: Actor, documents: Documents) -> OutageShown:
    """Declare a node down: nobody behind it is cut for non-payment until the outage is closed (NOC-1)."""
    permits(actor, documents, "noc.outages")
    today = BusinessCalendar(documents).today(now)
    outage = await operations.declare_outage(
        session, node=body.access_node, description=body.description, by=actor.person, today=today, now=now
    )
    return _show(outage)


@router.post("/outages/{outage_id}/close")
async def close_outage(outage_id: UUID, body: OutageClosing, session: Session, now: Now, actor: Actor, documents: Documents) -> OutageShown:
    """Say that the node works again; what waited for it goes on."""
    permits(actor, documents, "noc.outages")
    return _show(await operations.close_outage(session, outage_id=outage_id, solution=body.solution, by=actor.person, now=now))


@router.get("/outages")
async def list_outages(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(queries.OUTAGES)],
    state: OutageState | None = None,
    access_node: Annotated[str | None, Query(max_length=100)] = None,
) -> Page[OutageShown]:
    """Outages, the latest first."""
    permits(actor, documents, "noc.read")
    return page(await queries.find_outages(session, order, state=state, node=access_node), order, show=_show)


@router.get("/outages/{outage_id}")
async def show_outage(outage_id: UUID, session: Session, actor: Actor, documents: Documents) -> OutageShown:
    """One outage."""
    permits(actor, documents, "noc.read")
    return _show(await queries.get_outage(session, outage_id))


@router.get("/access-nodes")
async def list_access_nodes(
    session: Session, now: Now, actor: Actor, documents: Documents, order: Annotated[Order, sorted_by(queries.NODES)]
) -> Page[NodeShown]:
    """Access nodes by code, with the number of customers behind each."""
    permits(actor, documents, "noc.read")
    return page(await queries.find_nodes(session, order, today=BusinessCalendar(documents).today(now)), order, show=_show_node)


def _show(outage: Outage) -> OutageShown:
    return OutageShown.model_validate(outage, from_attributes=True)


def _show_node(node: NodeView) -> NodeShown:
    return NodeShown(access_node=node.code, customers=node.customers, outage_id=node.outage_id, known_since=node.known_since)
