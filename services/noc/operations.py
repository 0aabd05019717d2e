"""Writes of the NOC: what is known of customers, and outages from their declaration to their closing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.noc.models import AccessNode, Outage, OutageState
from services.noc.queries import customers_behind, open_outage, unknown_node
from shared.db import execute, lock
from shared.errors import Conflict, Refused
from shared.events.noc import OutageClosed, OutageDeclared
from shared.outbox import publish

RULE = "NOC-1"


@dataclass(frozen=True)
class Attachment:
    """A service of a customer that hangs on a node; both dates count."""

    service_id: UUID
    customer_id: UUID
    access_node: str
    active_from: date
    active_to: date | None


async def attach_customers(session: AsyncSession, *, attachments: Mapping[UUID, Iterable[Attachment]], now: datetime) -> None:
    """Keep what hangs where: for each customer (by id) its services on nodes, which replace those known before."""
    services = [each for found in attachments.values() for each in found]
    await execute(
        session,
        "INSERT INTO access_node (code, known_since) SELECT DISTINCT code, $2::timestamptz FROM unnest($1::text[]) AS t(code) "
        "ORDER BY code ON CONFLICT DO NOTHING",
        [each.access_node for each in services],
        now,
    )
    await execute(session, "DELETE FROM connection WHERE customer_id = ANY($1::uuid[])", list(attachments))
    await execute(
        session,
        "INSERT INTO connection (service_id, customer_id, access_node, active_from, active_to) "
        "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::date[], $5::date[])",
        [each.service_id for each in services],
        [each.customer_id for each in services],
        [each.access_node for each in services],
        [each.active_from for each in services],
        [each.active_to for each in services],
    )


async def declare_outage(session: AsyncSession, *, node: str, description: str, by: str, today: date, now: datetime) -> Outage:
    """Declare a node down. Raises NotFound for a node that nobody is behind, and Refused (NOC-1) while it has an open outage.

    The node's row is locked first, so that an outage is told after the closing of the one before it.
    """
    if await session.get(AccessNode, node, with_for_update=True) is None:
        raise await unknown_node(session, node)
    already = await open_outage(session, node)
    if already is not None:
        raise Refused(
            RULE,
            f"El nodo {node} ya tiene un corte abierto: {already.id}, declarado por {already.declared_by}.",
            remedy=f"Siga el corte {already.id}; se puede declarar otro cuando esté cerrado.",
        )
    outage = Outage(
        access_node=node,
        description=description,
        customers=await customers_behind(session, node, today=today),
        declared_by=by,
        declared_at=now,
    )
    session.add(outage)
    event = OutageDeclared(outage_id=outage.id, access_node=node, description=description, declared_by=by, declared_at=now)
    await publish(session, event, subject=f"outage/{outage.id}", version=outage.version, now=now)
    return outage


async def close_outage(session: AsyncSession, *, outage_id: UUID, solution: str, by: str, now: datetime) -> Outage:
    """Say that the node works again, and how that came about. Raises NotFound, and Conflict for one that is closed already."""
    outage = await lock(session, Outage, outage_id)
    if outage.state == OutageState.CLOSED:
        raise Conflict(f"El corte {outage_id} ya lo cerró {outage.closed_by}.", remedy="Si el nodo cayó de nuevo, declare otro corte.")
    outage.state, outage.solution, outage.closed_by, outage.closed_at = OutageState.CLOSED, solution, by, now
    outage.version += 1
    event = OutageClosed(outage_id=outage_id, access_node=outage.access_node, solution=solution, closed_by=by, closed_at=now)
    await publish(session, event, subject=f"outage/{outage_id}", version=outage.version, now=now)
    return outage
