"""Which switches a worker calls the network for now, and what is known of the access nodes that do not answer.

# Note [A dead access node delays nobody]
A call that gets no answer holds its worker up for as long as a call may take. So an access node has PER_NODE calls under way at most, and
one that was silent is left alone until its next turn: then one switch asks for all of its node, out of a budget that only silent nodes
use. Its other switches stay as they are (a cut that nobody has called for can still be cancelled); at the first answer all are due.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.rules.switching import NODE_PAUSES, SwitchAction
from shared.db import execute, ring, rows
from shared.lease import LEASE, holds, prolong

PER_NODE = 4
# What the transaction begins with that claims: else two workers would not count each other's calls.
IN_TURN = "SELECT pg_advisory_xact_lock(hashtext('ticketing.claim'))"
# A switch whose worker died comes up again when the lease (machine time) ends, under the same id.
DUE = f"""((s.state = 'QUEUED' AND coalesce(s.next_attempt_at <= $1, true)) OR (s.state = 'UNKNOWN' AND s.next_attempt_at <= $1)
    OR (s.state = 'CLAIMED' AND NOT {holds("s.claimed_until", "$3")}))"""
# Who paid goes before who is cut.
CLAIM = f"""
WITH busy AS (
    SELECT access_node, count(*) AS calls FROM network_switch
    WHERE state = 'CLAIMED' AND {holds("claimed_until", "$3")} GROUP BY access_node
), due AS (
    SELECT s.id, s.action, coalesce(s.next_attempt_at, s.queued_at) AS since, n.name IS NOT NULL AS silent,
        row_number() OVER (PARTITION BY s.access_node ORDER BY s.action, coalesce(s.next_attempt_at, s.queued_at), s.id)
            + coalesce(b.calls, 0) AS place
    FROM network_switch s LEFT JOIN busy b ON b.access_node = s.access_node LEFT JOIN silent_node n ON n.name = s.access_node
    WHERE {DUE} AND (n.name IS NULL OR n.retry_at <= $1) AND coalesce(b.calls, 0) < $4
), chosen AS (
    (SELECT id, silent FROM due WHERE NOT silent AND place <= $4 ORDER BY action, since, id LIMIT $5)
    UNION ALL (SELECT id, silent FROM due WHERE silent AND place = 1 ORDER BY action, since, id LIMIT $6)
), taken AS (
    SELECT s.id, s.access_node, c.silent FROM network_switch s JOIN chosen c ON c.id = s.id WHERE {DUE} FOR UPDATE OF s SKIP LOCKED
)
UPDATE network_switch s SET state = 'CLAIMED', attempts = attempts + 1, claimed_by = $2,
    claimed_until = clock_timestamp() + $3::interval
FROM taken t WHERE s.id = t.id
RETURNING s.id, s.customer_id, s.action, s.plan, s.adapter, s.network_login, s.access_node, s.service_id, s.attempts, t.silent
"""
SILENT = """
INSERT INTO silent_node AS n (name, silent_answers, retry_at)
SELECT name, 1, $2::timestamptz + ($3::interval[])[1] FROM unnest($1::text[]) AS name ORDER BY name
ON CONFLICT (name) DO UPDATE SET silent_answers = n.silent_answers + 1,
    retry_at = $2::timestamptz + ($3::interval[])[least(n.silent_answers + 1, cardinality($3::interval[]))]
WHERE n.name = ANY($4::text[])
"""
ANSWERED = """
WITH back AS (DELETE FROM silent_node WHERE name = ANY($1::text[]) RETURNING name)
UPDATE network_switch s SET next_attempt_at = $2 FROM back
WHERE s.access_node = back.name AND s.state = 'UNKNOWN' AND s.next_attempt_at > $2
"""


@dataclass(frozen=True)
class Claim:
    """A switch that one worker has to itself. `plan` is what a change gives the service. `again`: somebody may have called the network for
    it already. `silent`: it asks for an access node that did not answer last time."""

    id: UUID
    holder: str
    customer_id: UUID
    action: SwitchAction
    adapter: Literal["network", "manual"]
    service_id: UUID
    login: str
    node: str
    again: bool
    silent: bool
    plan: str | None = None


async def claim_switches(session: AsyncSession, *, holder: str, limit: int, silent_limit: int, now: datetime) -> list[Claim]:
    """Take the switches that are due, at most so many, and of silent access nodes so many, in a transaction that began with IN_TURN. From
    its commit on none can be cancelled."""
    found = await rows(session, CLAIM, now, holder, LEASE, PER_NODE, limit, silent_limit)
    return [
        Claim(
            id=row.id,
            holder=holder,
            customer_id=row.customer_id,
            action=row.action,
            adapter=row.adapter,
            service_id=row.service_id,
            login=row.network_login,
            node=row.access_node,
            again=row.attempts > 1,
            silent=row.silent,
            plan=row.plan,
        )
        for row in found
    ]


async def renew_claims(session: AsyncSession, *, holders: Collection[str]) -> None:
    """These callers are alive: what they have stays their own."""
    await prolong(session, "network_switch", "state = 'CLAIMED' AND claimed_by = ANY($1::text[])", list(holders))


async def note_nodes(session: AsyncSession, *, answered: Collection[str], silent: Mapping[str, bool], now: datetime) -> None:
    """Keep which access nodes answered and which did not (with whether that was their own turn: other calls began before anybody knew);
    what waited for one that answers again is due at once."""
    if quiet := sorted(silent.keys() - set(answered) - {""}):
        await execute(session, SILENT, quiet, now, NODE_PAUSES, [each for each in quiet if silent[each]])
    if answered:
        await execute(session, ANSWERED, list(answered), now)
        ring(session, "switching")
