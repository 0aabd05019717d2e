"""Staged rows become customers: a block of lines per transaction, set-based. New ones are registered with their opening state, changed ones
updated with history, unchanged ones left alone."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.customers import customer_states, tell_changes, tell_customers
from services.billing.operations.openings import take_openings
from services.billing.operations.prorating import keep_plans, settle_rows
from services.billing.queries.plans import services_of
from services.billing.rules.cells import Fault
from services.billing.rules.prices import Price
from services.billing.rules.proration import Sold
from services.billing.rules.states import Severity
from shared.calendar import BusinessCalendar
from shared.db import BY_INDEX, execute, id_prefix, rows
from shared.errors import Refused
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

# $4 the ids' prefix, $5 today: a service without a date begins when it first comes in. $6 the currency. A plan that is decided for a day to
# come is not overtaken by the file's.
SERVICES = f"""
INSERT INTO service (id, customer_id, code, plan_code, plan_kind, delivery, network_login, access_node, monthly_amount, currency,
    active_from, active_to)
SELECT ($4 || lpad(to_hex(row_number() OVER (ORDER BY s.line, x.code)), 12, '0'))::uuid, t.id, x.code, x.plan, x.kind, x.delivery,
    x.login, x.node, x.amount, $6,
    coalesce(x."from", (SELECT old.active_from FROM service old WHERE old.customer_id = t.id AND old.code = x.code), $5), x."to"
{STAGED} CROSS JOIN LATERAL jsonb_to_recordset(s.services) AS x(code text, plan text, kind text, amount numeric, delivery text, login text,
    node text, "from" date, "to" date)
ON CONFLICT (customer_id, code) DO UPDATE SET delivery = excluded.delivery, network_login = excluded.network_login,
    access_node = excluded.access_node, active_from = excluded.active_from, active_to = excluded.active_to,
    (plan_code, plan_kind, monthly_amount) = (
        SELECT CASE WHEN waits THEN service.plan_code ELSE excluded.plan_code END,
            CASE WHEN waits THEN service.plan_kind ELSE excluded.plan_kind END,
            CASE WHEN waits THEN service.monthly_amount ELSE excluded.monthly_amount END
        FROM (SELECT EXISTS (SELECT FROM plan_change p WHERE p.service_id = service.id AND p.applied_at IS NULL) AS waits) AS decided)
"""

# A service that the source no longer has ended yesterday.
END_SERVICES = f"""
UPDATE service v SET active_to = greatest($4::date - 1, v.active_from - 1)
{STAGED} WHERE v.customer_id = t.id AND (v.active_to IS NULL OR v.active_to >= $4::date)
  AND NOT EXISTS (SELECT FROM jsonb_array_elements(s.services) AS x WHERE x ->> 'code' = v.code)
"""

# Whether the lines have more than so many known services ($5) with another plan or price.
REPRICED = """
SELECT count(*) > $5 AS many FROM (
    SELECT FROM staged_customer s
    JOIN customer c ON c.external_source = $4::text AND c.external_id = s.external_id AND c.source_hash IS DISTINCT FROM s.hash
    CROSS JOIN LATERAL jsonb_to_recordset(s.services) AS x(code text, plan text, amount numeric)
    JOIN service v ON v.customer_id = c.id AND v.code = x.code AND (v.plan_code, v.monthly_amount) IS DISTINCT FROM (x.plan, x.amount)
    WHERE s.batch_id = $1 AND s.line BETWEEN $2 AND $3 AND NOT s.broken LIMIT $5 + 1
) AS found
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
    """What became of a block's good rows. `sold` are the services of known customers as they were, whose billed months are yet to be put
    right (`settle_block`); `lines` are theirs."""

    new: int
    changed: int
    unchanged: int
    sold: Mapping[UUID, Sequence[Sold]] = field(default_factory=dict)
    lines: Mapping[UUID, int] = field(default_factory=dict)


async def is_repriced(session: AsyncSession, *, batch_id: UUID, source: str, span: tuple[int, int], many: int) -> bool:
    """Do these lines bring another plan or price for more than so many services? Months that are billed take their time to be put right."""
    await execute(session, BY_INDEX)
    return bool((await rows(session, REPRICED, batch_id, *span, source, many))[0].many)


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
    """Apply a block of staged rows. Applying it again changes nothing and tells nothing. Plans and prices that differ count from today on;
    `settle_block` puts billed months right."""
    await execute(session, BY_INDEX)
    span = (block.batch_id, block.first_line, block.last_line, block.source)
    good = (await rows(session, GOOD, *span[:3]))[0].good
    made = [row.id for row in await rows(session, REGISTER, *span, id_prefix(), block.currency, now)]
    new = Pairs([each.int & LINE for each in made], made)
    found = await rows(session, CHANGED, *span, new.lines) if len(made) < good else []
    known = Pairs([row.line for row in found], [row.id for row in found])
    before = await customer_states(session, known.ids, today=block.today) if found else {}
    sold = await services_of(session, known.ids) if found else {}
    await _write(session, block, new, known)
    were = [each for services in sold.values() for each in services]
    await keep_plans(session, before=were, reason=f"Archivo de {block.source}", by=by, today=block.today, now=now)
    if made:
        await tell_customers(session, made, CustomerRegistered, today=block.today, now=now)
        await take_openings(session, batch_id=block.batch_id, lines=new.lines, ids=made, calendar=calendar, now=now)
    changed = await tell_changes(session, before, by=by, today=block.today, now=now) if found else 0
    lines = dict(zip(known.ids, known.lines, strict=True))
    return Merged(len(made), changed, good - len(made) - changed, {key: sold.get(key, []) for key in known.ids}, lines)


async def _write(session: AsyncSession, block: Block, new: Pairs, known: Pairs) -> None:
    """Write what the rows say of these customers: known ones are changed, and get and lose services."""
    if known.ids:
        await execute(session, CHANGE, block.batch_id, known.lines, known.ids, list(block.mapped))
    touched = (block.batch_id, new.lines + known.lines, new.ids + known.ids)
    if touched[1]:
        await execute(session, CONTRACT, *touched, "contract_end" in block.mapped)
        await execute(session, SERVICES, *touched, id_prefix(), block.today, block.currency)
    if known.ids and "services" in block.mapped:
        await execute(session, END_SERVICES, block.batch_id, known.lines, known.ids, block.today)


@dataclass(frozen=True)
class Settling:
    """By what billed months are put right."""

    key: str
    by: str
    operator: Operator
    prices: Mapping[str, Price]
    now: datetime


async def settle_block(session: AsyncSession, *, merged: Merged, settling: Settling) -> list[Fault]:
    """Charge or credit what the changed services of a block cost in months that are billed already (FACT-6), all together; where a rule
    speaks against one of them each by itself, so that only that one is left to people. Answers those, and why."""
    faults = list[Fault]()
    if not merged.sold:
        return faults
    with contextlib.suppress(Refused):
        async with session.begin_nested():
            await settle_rows(session, before=merged.sold, **vars(settling))
        return []
    for customer_id, services in merged.sold.items():
        try:
            async with session.begin_nested():
                await settle_rows(session, before={customer_id: services}, **vars(settling))
        except Refused as problem:
            why = f"El cambio del servicio se aplicó, pero el mes facturado no se ajustó: {problem.detail}"
            remedy = "Ajústelo con una factura o una nota de crédito."
            faults.append(Fault(merged.lines[customer_id], "(servicios)", "", why, remedy, Severity.NOTICE))
    return faults


async def list_missing(session: AsyncSession, *, batch_id: UUID, source: str) -> int:
    """List the source's customers that the file does not have; nothing else happens to them. Answers how many."""
    return await execute(session, MISSING, batch_id, source)


async def notices_of(session: AsyncSession, *, batch_id: UUID, source: str, operator: Operator, now: datetime) -> list[Fault]:
    """What is to be said once of a whole file: how many customers come with another opening state than the one that was taken when they
    were new, and which new ones come in recovery (VIP-16)."""
    others = (await rows(session, OTHER_OPENING, batch_id, source))[0].others
    came = [row for row in await rows(session, CAME, batch_id, source, now) if "recovery" in operator.statuses_named(row.status).values()]
    return [*([_other_openings(others)] if others else []), *(_in_recovery(*row) for row in came)]


def _other_openings(count: int) -> Fault:
    return Fault(
        0,
        "(saldo inicial)",
        str(count),
        f"{count} clientes traen otro estado inicial que el que se tomó cuando eran nuevos; no se cambia.",
        "Registre sus pagos o facturas en facturación: desde el alta, los saldos los lleva este sistema.",
        Severity.NOTICE,
    )


def _in_recovery(status: str, customers: int, owing_nothing: int) -> Fault:
    later = f" {owing_nothing} no traen ninguna factura abierta: su caso se abre con la primera impaga." if owing_nothing else ""
    return Fault(
        0,
        "(estado inicial)",
        status,
        f"{customers} clientes llegan en {status}: con lo que deben se abre el caso de cada uno, sin mandar correos.{later}",
        "Los trabajos de cada caso están en las listas de sus escritorios: GET /ticketing/tasks.",
        Severity.NOTICE,
    )
