"""What others told about customers and invoices, kept for the mails."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import execute
from shared.events.billing import Allocation, CustomerState, InvoiceIssued
from shared.operator import Operator

KEEP_CUSTOMERS = """
INSERT INTO customer (id, external_id, name, tax_id, agent, contacts)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
ON CONFLICT (id) DO UPDATE SET external_id = excluded.external_id, name = excluded.name, tax_id = excluded.tax_id,
    agent = excluded.agent, contacts = excluded.contacts
"""
KEEP_INVOICES = """
INSERT INTO invoice (id, customer_id, number, period, due_date, open_amount, currency, data, voided)
SELECT t.*, false FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::date[], $6::numeric[], $7::text[], $8::jsonb[]) AS t
ON CONFLICT (id) DO NOTHING
"""


async def keep_customers(session: AsyncSession, *, states: Sequence[CustomerState]) -> None:
    """The last state of each customer replaces what was known."""
    last = list({each.customer_id: each for each in states}.values())
    await execute(
        session,
        KEEP_CUSTOMERS,
        [each.customer_id for each in last],
        [each.external_id for each in last],
        [each.name for each in last],
        [each.tax_id for each in last],
        [each.assigned_agent for each in last],
        [json.dumps([contact.model_dump(mode="json") for contact in each.contacts]) for each in last],
    )


async def keep_opening_policies(session: AsyncSession, *, operator: Operator, states: Sequence[CustomerState]) -> None:
    """The policy that the status in which a customer came tells by itself. What collections has told already (SegmentChanged) rules."""
    told = {each.customer_id: operator.policy_named(each.opening_status) for each in states}
    await execute(
        session,
        "INSERT INTO assignment (customer_id, policy) SELECT * FROM unnest($1::uuid[], $2::text[]) "
        "ON CONFLICT (customer_id) DO UPDATE SET policy = coalesce(assignment.policy, excluded.policy)",
        list(told),
        list(told.values()),
    )


async def keep_policies(session: AsyncSession, *, policies: Mapping[UUID, str]) -> None:
    """The policy that rules each customer from now on."""
    await _assign(session, "policy", policies)


async def keep_agents(session: AsyncSession, *, agents: Mapping[UUID, str]) -> None:
    """Who looks after each customer from now on."""
    await _assign(session, "agent", agents)


async def _assign(session: AsyncSession, column: str, values: Mapping[UUID, str]) -> None:
    sql = (
        f"INSERT INTO assignment (customer_id, {column}) SELECT * FROM unnest($1::uuid[], $2::text[]) "
        f"ON CONFLICT (customer_id) DO UPDATE SET {column} = excluded.{column}"
    )
    await execute(session, sql, list(values), list(values.values()))


async def keep_invoices(session: AsyncSession, *, issued: Sequence[InvoiceIssued]) -> None:
    """Invoices as they were issued."""
    await execute(
        session,
        KEEP_INVOICES,
        [each.invoice_id for each in issued],
        [each.customer_id for each in issued],
        [each.number for each in issued],
        [each.period for each in issued],
        [each.due_date for each in issued],
        [each.balance for each in issued],
        [each.currency for each in issued],
        [each.model_dump_json() for each in issued],
    )


async def settle_paid(session: AsyncSession, *, paid: Mapping[UUID, datetime]) -> None:
    """Nothing of these invoices is owed any more: they are paid since then (UTC)."""
    sql = "UPDATE invoice i SET open_amount = 0, paid_at = t.at FROM unnest($1::uuid[], $2::timestamptz[]) AS t(id, at) WHERE i.id = t.id"
    await execute(session, sql, list(paid), list(paid.values()))


async def settle_voided(session: AsyncSession, *, invoice_ids: Sequence[UUID]) -> None:
    """Nothing of these invoices is owed any more: they are void."""
    await execute(session, "UPDATE invoice SET open_amount = 0, voided = true WHERE id = ANY($1::uuid[])", list(invoice_ids))


async def reopen(session: AsyncSession, *, allocations: Sequence[Allocation]) -> None:
    """These parts were paid and are not any more."""
    ids = [each.invoice_id for each in allocations]
    await execute(session, "UPDATE invoice SET paid_at = NULL WHERE id = ANY($1::uuid[])", ids)
    await move_open_amounts(session, allocations=allocations, sign=1)


async def move_open_amounts(session: AsyncSession, *, allocations: Sequence[Allocation], sign: int) -> None:
    """Payments that are believed from now on (`sign` -1), or not any more (+1)."""
    sums: dict[UUID, Decimal] = {}
    for each in allocations:
        sums[each.invoice_id] = sums.get(each.invoice_id, Decimal(0)) + each.amount * sign
    await execute(
        session,
        "UPDATE invoice i SET open_amount = greatest(i.open_amount + t.amount, 0) "
        "FROM unnest($1::uuid[], $2::numeric[]) AS t(id, amount) WHERE i.id = t.id AND NOT i.voided",
        list(sums),
        list(sums.values()),
    )
