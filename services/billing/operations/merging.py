"""Staged rows become customers: a block of lines per transaction, set-based. New ones are registered with their opening state, changed ones
updated with history, unchanged ones left alone."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.customers import customer_states, tell_changes, tell_customers
from services.billing.operations.openings import take_openings
from services.billing.operations.planning import by_index
from shared.calendar import BusinessCalendar
from shared.db import Fetched, execute, new_id, rows
from shared.events.billing import CustomerRegistered
from shared.operator import Operator

LINE = (1 << 48) - 1  # the part of a new customer's id that is its line
OPENING_HASH = "CASE WHEN s.openings <> '[]' OR s.opening_credit > 0 THEN md5(s.openings::text || s.opening_credit::text) END"

# $5 the ids' prefix; the rest of an id is its line, which LINE cuts out.
REGISTER = f"""
INSERT INTO customer (id, external_source, external_id, name, search_name, tax_id, contacts, is_isp, special_negotiation, assigned_agent,
    policy, currency, opening_status, last_billed, source_agent, source_hash, opening_hash, version, created_at, updated_at)
SELECT ($5 || lpad(to_hex(s.line), 12, '0'))::uuid, $4::text, s.external_id, s.name, s.search_name, s.tax_id, s.contacts,
    coalesce(s.is_isp, false), s.special_negotiation, s.agent, s.policy, $6,
    s.opening_status, s.last_billed, s.agent, s.hash, {OPENING_HASH}, 1, $7, $7
FROM staged_customer s
WHERE s.batch_id = $1 AND s.line BETWEEN $2 AND $3 AND NOT s.broken
  AND (SELECT c.id FROM customer c WHERE c.external_source = $4::text AND c.external_id = s.external_id) IS NULL
ORDER BY s.line ON CONFLICT (external_source, external_id) DO NOTHING RETURNING id
"""

CHANGED = """
SELECT t.line, c.id FROM (
    SELECT s.line, (SELECT c.id FROM customer c WHERE c.external_source = $4::text AND c.external_id = s.external_id
            AND c.source_hash IS DISTINCT FROM s.hash) AS id
    FROM staged_customer s WHERE s.batch_id = $1 AND s.line BETWEEN $2 AND $3 AND NOT s.broken AND s.line <> ALL($5::int[])
) AS t JOIN customer c ON c.id = t.id ORDER BY c.id FOR UPDATE OF c
"""

# The rows behind are those of customers that are known by now: $2 lines and $3 ids.
STAGED = "FROM unnest($2::int[], $3::uuid[]) AS t(line, id) JOIN staged_customer s ON s.batch_id = $1 AND s.line = t.line"

# What the mapping does not have stays; an agent that collections assigned since stays unless the source changed its own mind.
CHANGE = f"""
UPDATE customer c SET name = s.name, search_name = s.search_name, source_hash = s.hash, source_agent = s.agent,
    contacts = CASE WHEN 'contacts' = ANY($4::text[]) THEN s.contacts ELSE c.contacts END,
    tax_id = CASE WHEN 'tax_id' = ANY($4::text[]) THEN s.tax_id ELSE c.tax_id END,
    is_isp = coalesce(s.is_isp, c.is_isp),
    special_negotiation = CASE WHEN 'special_negotiation' = ANY($4::text[]) THEN s.special_negotiation ELSE c.special_negotiation END,
    assigned_agent = CASE WHEN s.agent IS DISTINCT FROM c.source_agent THEN coalesce(s.agent, c.assigned_agent) ELSE c.assigned_agent END,
    last_billed = greatest(c.last_billed, s.last_billed)
{STAGED} WHERE c.id = t.id
"""

CONTRACT = f"""
INSERT INTO contract (customer_id, number, kind, start_date, end_date)
SELECT t.id, s.contract_number, s.contract_kind, s.contract_start, s.contract_end {STAGED}
ON CONFLICT (customer_id) DO UPDATE SET number = coalesce(excluded.number, contract.number),
    kind = coalesce(excluded.kind, contract.kind), start_date = coalesce(excluded.start_date, contract.start_date),
    end_date = CASE WHEN $4 THEN excluded.end_date ELSE contract.end_date END
"""

# $4 the ids' prefix, $5 today: a service without a date begins when it first comes in. $6 the currency.
SERVICES = f"""
INSERT INTO service (id, customer_id, code, plan_code, plan_kind, delivery, network_login, access_node, monthly_amount, currency,
    active_from, active_to)
SELECT ($4 || lpad(to_hex(row_number() OVER (ORDER BY s.line, x.code)), 12, '0'))::uuid, t.id, x.code, x.plan, x.kind, x.delivery,
    x.login, x.node, x.amount, $6,
    coalesce(x."from", (SELECT old.active_from FROM service old WHERE old.customer_id = t.id AND old.code = x.code), $5), x."to"
{STAGED} CROSS JOIN LATERAL jsonb_to_recordset(s.services) AS x(code text, plan text, kind text, amount numeric, delivery text, login text,
    node text, "from" date, "to" date)
ON CONFLICT (customer_id, code) DO UPDATE SET plan_code = excluded.plan_code, plan_kind = excluded.plan_kind, delivery = excluded.delivery,
    network_login = excluded.network_login, access_node = excluded.access_node, monthly_amount = excluded.monthly_amount,
    active_from = excluded.active_from, active_to = excluded.active_to
"""

# A service that the source no longer has ended yesterday.
END_SERVICES = f"""
UPDATE service v SET active_to = greatest($4::date - 1, v.active_from - 1)
{STAGED} WHERE v.customer_id = t.id AND (v.active_to IS NULL OR v.active_to >= $4::date)
  AND NOT EXISTS (SELECT FROM jsonb_array_elements(s.services) AS x WHERE x ->> 'code' = v.code)
"""

GOOD = "SELECT count(*) AS good FROM staged_customer WHERE batch_id = $1 AND line BETWEEN $2 AND $3 AND NOT broken"

MISSING = """
INSERT INTO import_missing (batch_id, external_id, customer_id)
SELECT $1, c.external_id, c.id FROM customer c
WHERE c.external_source = $2 AND NOT EXISTS (SELECT FROM staged_customer s WHERE s.batch_id = $1 AND s.external_id = c.external_id)
"""

OTHER_OPENING = f"""
SELECT count(*) AS others FROM staged_customer s JOIN customer c ON c.external_source = $2 AND c.external_id = s.external_id
WHERE s.batch_id = $1 AND NOT s.broken AND c.opening_hash IS DISTINCT FROM {OPENING_HASH}
"""

# New customers of this import by the state in which they come, and how many of each bring no open invoice.
CAME = """
SELECT s.opening_status AS status, count(*) AS customers, count(*) FILTER (WHERE s.openings = '[]') AS owing_nothing
FROM staged_customer s JOIN customer c ON c.external_source = $2 AND c.external_id = s.external_id
WHERE s.batch_id = $1 AND NOT s.broken AND c.created_at = $3 AND s.opening_status IS NOT NULL GROUP BY s.opening_status ORDER BY 1
"""


@dataclass(frozen=True)
class Block:
    """Some lines of a staged file, and what the mapping says of it. `today` is the operator's date."""

    batch_id: UUID
    source: str
    first_line: int
    last_line: int
    mapped: Collection[str]
    currency: str
    today: date


@dataclass(frozen=True)
class Pairs:
    """Lines of the file, and in the same order the customers that they are."""

    lines: list[int]
    ids: list[UUID]


@dataclass(frozen=True)
class Merged:
    """What became of a block's good rows."""

    new: int
    changed: int
    unchanged: int


async def next_block(session: AsyncSession, *, batch_id: UUID, after: int, size: int) -> tuple[int, int] | None:
    """First and last line of the next `size` staged rows behind `after`; None at the end."""
    found = await rows(
        session,
        "SELECT min(line) AS first, max(line) AS last FROM (SELECT line FROM staged_customer WHERE batch_id = $1 AND line > $2 "
        "AND NOT broken ORDER BY line LIMIT $3) AS t",
        batch_id,
        after,
        size,
    )
    return (found[0].first, found[0].last) if found[0].first is not None else None


async def merge_block(session: AsyncSession, *, block: Block, calendar: BusinessCalendar, by: str, now: datetime) -> Merged:
    """Apply a block of staged rows. Applying it again changes nothing and tells nothing."""
    await by_index(session)
    lines = (block.batch_id, block.first_line, block.last_line, block.source)
    good = (await rows(session, GOOD, *lines[:3]))[0].good
    made = [row.id for row in await rows(session, REGISTER, *lines, str(new_id())[:24], block.currency, now)]
    new = Pairs([each.int & LINE for each in made], made)
    found = await rows(session, CHANGED, *lines, new.lines) if len(made) < good else []
    known = Pairs([row.line for row in found], [row.id for row in found])
    before = await customer_states(session, known.ids, today=block.today) if found else {}
    await _write(session, block, new, known)
    if made:
        await tell_customers(session, made, CustomerRegistered, today=block.today, now=now)
        await take_openings(session, batch_id=block.batch_id, lines=new.lines, ids=made, calendar=calendar, now=now)
    changed = await tell_changes(session, before, by=by, today=block.today, now=now) if found else 0
    return Merged(len(made), changed, good - len(made) - changed)


async def _write(session: AsyncSession, block: Block, new: Pairs, known: Pairs) -> None:
    """Write what the rows say of these customers: known ones are changed, and get and lose services."""
    if known.ids:
        await execute(session, CHANGE, block.batch_id, known.lines, known.ids, list(block.mapped))
    touched = (block.batch_id, new.lines + known.lines, new.ids + known.ids)
    if touched[1]:
        await execute(session, CONTRACT, *touched, "contract_end" in block.mapped)
        await execute(session, SERVICES, *touched, str(new_id())[:24], block.today, block.currency)
    if known.ids and "services" in block.mapped:
        await execute(session, END_SERVICES, block.batch_id, known.lines, known.ids, block.today)


async def list_missing(session: AsyncSession, *, batch_id: UUID, source: str) -> int:
    """List the source's customers that the file does not have; nothing else happens to them. Answers how many."""
    return await execute(session, MISSING, batch_id, source)


async def count_other_openings(session: AsyncSession, *, batch_id: UUID, source: str) -> int:
    """How many customers come with another opening state than the one that was taken when they were new."""
    return (await rows(session, OTHER_OPENING, batch_id, source))[0].others  # type: ignore[no-any-return]


async def came_in_recovery(session: AsyncSession, *, batch_id: UUID, source: str, operator: Operator, now: datetime) -> list[Fetched]:
    """The states in which new customers of this import come and that mean that their case is in recovery (VIP-16), with how many they are
    and how many of those bring no open invoice."""
    found = await rows(session, CAME, batch_id, source, now)
    return [row for row in found if "recovery" in operator.statuses_named(row.status).values()]
