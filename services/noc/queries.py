"""Reads of the NOC."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from services.noc.models import AccessNode, Outage, OutageState
from shared.db import rows
from shared.errors import NotFound, nearest
from shared.invariants import Sentences
from shared.sorting import Order, Placed, Sorting, identity, instant, number, text

BEHIND = "count(DISTINCT c.customer_id) FILTER (WHERE c.active_to IS NULL OR c.active_to >= $1::date)"
NODE_LIST = f"""
SELECT n.* {{key}} FROM (
    SELECT n.code, n.known_since, o.id AS outage_id,
        (SELECT {BEHIND} FROM connection c WHERE c.access_node = n.code) AS customers
    FROM access_node n LEFT JOIN outage o ON o.access_node = n.code AND o.state = 'OPEN'
) AS n WHERE true {{page}}
"""
NODES = Sorting(
    "access_node",
    text("n.code"),
    access_node=text("n.code"),
    customers=number("n.customers"),
    known_since=instant("n.known_since"),
)
OUTAGES = Sorting(
    "-declared_at",
    identity("outage.id"),
    declared_at=instant("outage.declared_at"),
    access_node=text("outage.access_node"),
    state=text("outage.state"),
    customers=number("outage.customers"),
    declared_by=text("outage.declared_by"),
    closed_at=instant("outage.closed_at", empty=True),
    closed_by=text("outage.closed_by", empty=True),
)


@dataclass(frozen=True)
class NodeView:
    """A node with the number of customers that have an active service on it, and its open outage if it is down."""

    code: str
    known_since: datetime
    customers: int
    outage_id: UUID | None


async def find_nodes(session: AsyncSession, order: Order, *, today: date) -> list[Placed[NodeView]]:
    """Nodes; `today` is the operator's day on which services count as active."""
    found = await order.rows(session, NODE_LIST, today)
    return [each.now(NodeView(each.item.code, each.item.known_since, each.item.customers, each.item.outage_id)) for each in found]


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
    session: AsyncSession, order: Order, *, state: OutageState | None = None, node: str | None = None
) -> list[Placed[Outage]]:
    """Outages."""
    query = select(Outage)
    if state is not None:
        query = query.where(Outage.state == state)
    if node is not None:
        query = query.where(Outage.access_node == node)
    return await order.select(session, query)


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
