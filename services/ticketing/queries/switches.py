"""Switches of the network."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import NetworkSwitch
from shared.bulk import read
from shared.db import Fetched, rows
from shared.errors import NotFound
from shared.lease import holds
from shared.sorting import Order, Placed, Sorting, identity, instant, number, text

# What is queued for a silent access node is due when its node is, and so is what a killed worker had; what one has that may be alive, now.
NEXT_DUE = f"""
SELECT CASE WHEN EXISTS (SELECT 1 FROM network_switch WHERE state = 'CLAIMED' AND {holds("claimed_until")}) THEN $1::timestamptz
ELSE least((
    SELECT min(greatest(coalesce(s.next_attempt_at, s.queued_at), n.retry_at))
    FROM network_switch s LEFT JOIN silent_node n ON n.name = s.access_node
    WHERE s.state = 'QUEUED' OR (s.state = 'UNKNOWN' AND s.next_attempt_at IS NOT NULL)
), (
    SELECT min(greatest($1::timestamptz, n.retry_at))
    FROM network_switch s LEFT JOIN silent_node n ON n.name = s.access_node WHERE s.state = 'CLAIMED'
)) END AS due
"""
LIST = """
SELECT s.*, t.number AS ticket_number, c.name AS customer_name, c.external_id {key}
FROM network_switch s JOIN ticket t ON t.id = s.ticket_id JOIN customer c ON c.id = s.customer_id
WHERE ($1::text IS NULL OR s.state = $1) {page}
"""
SWITCHES = Sorting(
    "id",
    identity("s.id"),
    id=identity("s.id"),
    action=text("s.action"),
    state=text("s.state", indexed=True),
    access_node=text("s.access_node"),
    network_login=text("s.network_login"),
    attempts=number("s.attempts"),
    queued_at=instant("s.queued_at"),
    next_attempt_at=instant("s.next_attempt_at", empty=True),
    settled_at=instant("s.settled_at", empty=True),
)
IN_TURN = "ORDER BY id FOR UPDATE"
GAUGES = """
SELECT 'switches' AS name, state AS label, count(*) AS value FROM network_switch GROUP BY state
UNION ALL SELECT 'switches_untold', action, count(*) FROM network_switch WHERE state = 'UNKNOWN' AND NOT told GROUP BY action
UNION ALL SELECT 'silent_nodes', name, silent_answers FROM silent_node
UNION ALL SELECT 'tasks_open', coalesce(desk, ''), count(*) FROM ticket_step WHERE state = 'OPEN' AND task GROUP BY desk
UNION ALL SELECT 'tasks_overdue', coalesce(desk, ''), count(*) FROM ticket_step WHERE state = 'OPEN' AND task AND late GROUP BY desk
"""


async def get_switch(session: AsyncSession, switch_id: UUID) -> NetworkSwitch:
    """A switch. Raises NotFound."""
    found = await session.get(NetworkSwitch, switch_id)
    if found is None:
        raise NotFound(f"No existe la conmutación {switch_id}.")
    return found


async def lock_switches(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, NetworkSwitch]:
    """These switches as they are now, kept to this transaction, none of them the session's object."""
    return {each.id: each for each in await read(session, NetworkSwitch, f"WHERE id = ANY($1::uuid[]) {IN_TURN}", list(ids))}


async def switches_of_steps(session: AsyncSession, switches: Sequence[NetworkSwitch]) -> dict[tuple[UUID, str, int], list[NetworkSwitch]]:
    """All switches of the same turns of the same steps, by ticket, step and turn."""
    found: dict[tuple[UUID, str, int], list[NetworkSwitch]] = {(each.ticket_id, each.step, each.number): [] for each in switches}
    ids = list({each.ticket_id for each in switches})
    for each in await read(session, NetworkSwitch, f"WHERE ticket_id = ANY($1::uuid[]) {IN_TURN}", ids):
        if (each.ticket_id, each.step, each.number) in found:
            found[(each.ticket_id, each.step, each.number)].append(each)
    return found


async def next_switch_due(session: AsyncSession, now: datetime) -> datetime | None:
    """When the network has to be called next (business time); what is queued or under way is due now."""
    return (await rows(session, NEXT_DUE, now))[0].due  # type: ignore[no-any-return]


async def list_switches(session: AsyncSession, order: Order, *, state: str | None) -> list[Placed[Fetched]]:
    """Switches."""
    return await order.rows(session, LIST, state)


async def gauges(session: AsyncSession) -> Mapping[tuple[str, str], float]:
    """Switches by state, silent access nodes and how often in a row they were, the tasks of each desk that are open or past their hour."""
    return {(f"ticketing_{row.name}", row.label): float(row.value) for row in await rows(session, GAUGES)}
