"""Reads of the NOC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.noc.models import AccessNode, Outage, OutageState
from shared.db import rows
from shared.errors import NotFound, nearest
from shared.invariants import Sentences

BEHIND = "count(DISTINCT c.customer_id) FILTER (WHERE c.active_to IS NULL OR c.active_to >= $1::date)"


@dataclass(frozen=True)
class NodeView:
    """A node with the number of customers that have an active service on it, and its open outage if it is down."""

    code: str
    known_since: datetime
    customers: int
    outage_id: UUID | None


async def find_nodes(session: AsyncSession, *, today: date, after: str | None = None, limit: int = 50) -> list[NodeView]:
    """Nodes by code; `today` is the operator's day on which services count as active."""
    found = await rows(
        session,
        f"SELECT n.code, n.known_since, {BEHIND} AS customers, o.id AS outage_id FROM access_node n "
        "LEFT JOIN connection c ON c.access_node = n.code LEFT JOIN outage o ON o.access_node = n.code AND o.state = 'OPEN' "
        "WHERE $2::text IS NULL OR n.code > $2 GROUP BY n.code, o.id ORDER BY n.code LIMIT $3",
        today,
        after,
        limit,
    )
    return [NodeView(row.code, row.known_since, row.customers, row.outage_id) for row in found]


async def customers_behind(session: AsyncSession, node: str, *, today: date) -> int:
    """How many customers have an active service on the node."""
    found = await rows(session, f"SELECT {BEHIND} AS customers FROM connection c WHERE c.access_node = $2", today, node)
    return int(found[0].customers)


async def get_outage(session: AsyncSession, outage_id: UUID) -> Outage:
    """An outage. Raises NotFound."""
    found = await session.get(Outage, outage_id)
    if found is None:
        raise NotFound(f"No existe el corte {outage_id}.")
    return found


async def open_outage(session: AsyncSession, node: str) -> Outage | None:
    """The outage that the node has now; None while it works."""
    query = select(Outage).where(Outage.access_node == node, Outage.state == OutageState.OPEN)
    return (await session.execute(query)).scalar_one_or_none()


async def find_outages(
    session: AsyncSession,
    *,
    state: OutageState | None = None,
    node: str | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> Sequence[Outage]:
    """Outages, the latest first; `before` is declaration and id of the last seen."""
    query = select(Outage).order_by(col(Outage.declared_at).desc(), col(Outage.id).desc()).limit(limit)
    if state is not None:
        query = query.where(Outage.state == state)
    if node is not None:
        query = query.where(Outage.access_node == node)
    if before is not None:
        query = query.where(tuple_(col(Outage.declared_at), col(Outage.id)) < tuple_(*before))
    return (await session.execute(query)).scalars().all()


async def unknown_node(session: AsyncSession, node: str) -> NotFound:
    """The error for a node that nobody is behind, with the nearest one that there is."""
    known = (await session.execute(select(AccessNode.code))).scalars().all()
    return NotFound(f"Ningún cliente cuelga del nodo «{node}»{nearest(node, known)}.", remedy="Los nodos están en GET /noc/access-nodes.")


async def count_open_outages(session: AsyncSession) -> int:
    """How many nodes are down now."""
    return int((await rows(session, "SELECT count(*) AS open FROM outage WHERE state = 'OPEN'"))[0].open)


# What must hold at any time: each query answers the rows that break the sentence.
CHECKS = {
    "cada avería contó su comienzo, y su fin cuando terminó": """
        SELECT id FROM outage WHERE version <> CASE state WHEN 'OPEN' THEN 1 ELSE 2 END""",
    "una avería termina después de declararse": "SELECT id FROM outage WHERE closed_at < declared_at",
    "cada servicio cuelga de un nodo conocido": """
        SELECT c.service_id FROM connection c LEFT JOIN access_node n ON n.code = c.access_node WHERE n.code IS NULL""",
}
SENTENCES = Sentences(CHECKS)
