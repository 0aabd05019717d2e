"""The timeline's rows: every event that touches a customer is kept as it was told, whoever told it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Happening
from services.collections.rules.sentences import instant_of, is_kept
from shared.bulk import Part, Records
from shared.db import execute, ring, rows
from shared.events import Event
from shared.events.noc import OutageClosed, OutageDeclared
from shared.outbox import Outgoing, publish_many
from shared.routing import FactMissing

STREAMS = "streams"  # whom a new happening wakes: who watches a customer
# Under the account's lock, so that one customer's numbers grow as they are committed: whoever has read up to one has missed none.
KEEP = """
WITH locked AS (SELECT id FROM account WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE)
INSERT INTO happening (customer_id, at, type, data)
SELECT t.customer_id, t.at, t.type, t.data
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::jsonb[]) WITH ORDINALITY AS t(customer_id, at, type, data, place)
JOIN locked ON locked.id = t.customer_id ORDER BY t.place
"""
COLUMNS = ("customer_id", "at", "type", "data")
BEHIND = """
WITH locked AS (SELECT id FROM account WHERE nodes && $1::text[] ORDER BY id FOR NO KEY UPDATE)
INSERT INTO happening (customer_id, at, type, data) SELECT id, $2, $3, $4::jsonb FROM locked
"""
UNKNOWN = "SELECT t.id FROM unnest($1::uuid[]) AS t(id) LEFT JOIN account a ON a.id = t.id WHERE a.id IS NULL"


async def keep(session: AsyncSession, events: Iterable[Event], *, now: datetime) -> None:
    """Keep the events that a timeline tells of, in their order. Raises FactMissing for a customer that billing has not told of yet."""
    wanted = [each for each in events if is_kept(each)]
    for each in wanted:
        if isinstance(each, OutageDeclared | OutageClosed):
            await execute(session, BEHIND, [each.access_node], instant_of(each, now), each.TYPE, each.model_dump_json())
    table = [
        (each.customer_id, instant_of(each, now), each.TYPE, each.model_dump_json())  # type: ignore[attr-defined]
        for each in wanted
        if not isinstance(each, OutageDeclared | OutageClosed)
    ]
    if table and await execute(session, KEEP, *map(list, zip(*table, strict=True))) < len(table):
        lost = await rows(session, UNKNOWN, [row[0] for row in table])
        raise FactMissing(f"customer {lost[0].id} is not known yet")
    if wanted:
        ring(session, STREAMS)


async def tell_all(session: AsyncSession, items: Sequence[Outgoing], *, now: datetime, beside: Sequence[Part] = ()) -> None:
    """Publish events of collections and keep them for the timeline, in one statement with what is to be written beside them: the only way
    in which collections tells anything. Of accounts that are locked, as it takes to know their versions."""
    told = [
        (item.event.customer_id, instant_of(item.event, now), item.event.TYPE, item.data)  # type: ignore[attr-defined]
        for item in items
        if is_kept(item.event)
    ]
    await publish_many(session, items, now=now, beside=[*beside, Records(Happening, COLUMNS, told)])
    if told:
        ring(session, STREAMS)
