"""Remember what billing tells: customers, invoices, payments. Set-based, and the same however often it is told."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer
from shared.bulk import Sql, read, write
from shared.db import execute, rows
from shared.events.billing import (
    CreditNoteIssued,
    CustomerState,
    InvoiceIssued,
    InvoiceVoided,
    PaymentAllocated,
    PaymentConfirmed,
    PaymentRejected,
    PaymentReported,
    PaymentReversed,
)

REMEMBER_CUSTOMERS = """
INSERT INTO customer (id, external_id, name, agent, services, about)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::jsonb[])
ON CONFLICT (id) DO UPDATE SET external_id = excluded.external_id, name = excluded.name, agent = excluded.agent,
    services = excluded.services, about = excluded.about
"""
REMEMBER_INVOICES = """
INSERT INTO invoice (id, customer_id, number, due_date, balance, currency, voided)
SELECT t.*, false FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::date[], $5::numeric[], $6::text[]) AS t
ON CONFLICT (id) DO NOTHING
"""
REMEMBER_PAYMENTS = """
INSERT INTO payment (id, customer_id, state, reported_at)
SELECT id, customer, $4, at FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t(id, customer, at)
ON CONFLICT (id) DO UPDATE SET state = excluded.state
"""
ALLOCATE = """
INSERT INTO allocation (payment_id, invoice_id, amount)
SELECT payment, invoice, sum(amount) FROM unnest($1::uuid[], $2::uuid[], $3::numeric[]) AS t(payment, invoice, amount)
GROUP BY payment, invoice
"""
CREDIT = """
UPDATE invoice i SET credited = i.credited + t.amount
FROM (SELECT invoice, sum(amount) AS amount FROM unnest($1::uuid[], $2::numeric[]) AS t(invoice, amount) GROUP BY invoice) t
WHERE i.id = t.invoice
"""
FREE = """
UPDATE allocation a SET amount = a.amount - t.amount
FROM (
    SELECT payment, invoice, sum(amount) AS amount FROM unnest($1::uuid[], $2::uuid[], $3::numeric[]) AS t(payment, invoice, amount)
    GROUP BY payment, invoice
) t WHERE a.payment_id = t.payment AND a.invoice_id = t.invoice
"""
ABOUT = {"contract_start", "contract_end", "monthly_amount", "currency", "contacts", "opening_status"}
REPLACE = " ON CONFLICT (payment_id, invoice_id) DO UPDATE SET amount = excluded.amount"
ADD = " ON CONFLICT (payment_id, invoice_id) DO UPDATE SET amount = allocation.amount + excluded.amount"


async def lock_customers(session: AsyncSession, customers: Iterable[UUID]) -> set[UUID]:
    """Keep everything of these customers to this transaction; answer which of them are known."""
    wanted = sorted(set(customers))
    return {row.id for row in await rows(session, "SELECT id FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", wanted)}


async def lock_whole_customers(session: AsyncSession, customers: Iterable[UUID]) -> dict[UUID, Customer]:
    """The same, and the customers as they are now, none of them the session's object."""
    found = await read(session, Customer, "WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", list(set(customers)))
    return {each.id: each for each in found}


async def remember_customers(session: AsyncSession, *, states: Sequence[CustomerState]) -> None:
    """Keep each customer as the last of these events tells it."""
    latest = {each.customer_id: each for each in states}
    await execute(
        session,
        REMEMBER_CUSTOMERS,
        list(latest),
        [each.external_id for each in latest.values()],
        [each.name for each in latest.values()],
        [each.assigned_agent for each in latest.values()],
        [_services(each) for each in latest.values()],
        [each.model_dump_json(include=ABOUT) for each in latest.values()],
    )


async def remember_agents(session: AsyncSession, *, agents: dict[UUID, str]) -> None:
    """Keep whose portfolio each customer is in, known or not yet. Tickets that are under way keep their agent."""
    await execute(
        session,
        "INSERT INTO portfolio (customer_id, agent) SELECT * FROM unnest($1::uuid[], $2::text[]) "
        "ON CONFLICT (customer_id) DO UPDATE SET agent = excluded.agent",
        list(agents),
        list(agents.values()),
    )


async def remember_invoices(session: AsyncSession, *, invoices: Sequence[InvoiceIssued]) -> None:
    """Keep what each invoice leaves open."""
    await execute(
        session,
        REMEMBER_INVOICES,
        [each.invoice_id for each in invoices],
        [each.customer_id for each in invoices],
        [each.number for each in invoices],
        [each.due_date for each in invoices],
        [each.balance for each in invoices],
        [each.currency for each in invoices],
    )


async def void_invoices(session: AsyncSession, *, invoices: Sequence[InvoiceVoided]) -> None:
    """Nothing is open of these any more."""
    await execute(session, "UPDATE invoice SET voided = true WHERE id = ANY($1::uuid[])", [each.invoice_id for each in invoices])


async def remember_payments(session: AsyncSession, *, payments: Sequence[PaymentReported | PaymentConfirmed]) -> None:
    """Keep payments, all of one kind, and where they go."""
    state = "REPORTED" if isinstance(payments[0], PaymentReported) else "CONFIRMED"
    times = [each.reported_at if isinstance(each, PaymentReported) else each.confirmed_at for each in payments]
    told = [(each.payment_id, each.customer_id, at) for each, at in zip(payments, times, strict=True)]
    await write(session, Sql(REMEMBER_PAYMENTS, told, [state]), _allocated(payments, REPLACE))


async def remember_allocations(session: AsyncSession, *, payments: Sequence[PaymentAllocated]) -> None:
    """Keep where money that was left over goes."""
    await write(session, _allocated(payments, ADD))


async def credit_invoices(session: AsyncSession, *, notes: Sequence[CreditNoteIssued]) -> None:
    """Less is owed of these invoices, and parts of payments lie on them no longer. A note is told once: the inbox sees to that."""
    await execute(session, CREDIT, [each.invoice_id for each in notes], [each.amount for each in notes])
    freed = [(part.payment_id, each.invoice_id, part.amount) for each in notes for part in each.freed]
    if freed:
        await execute(session, FREE, *(list(column) for column in zip(*freed, strict=True)))


async def reject_payments(session: AsyncSession, *, payments: Sequence[PaymentRejected | PaymentReversed]) -> None:
    """These payments count for nothing any more: the money never came, or went back."""
    await execute(session, "UPDATE payment SET state = 'REJECTED' WHERE id = ANY($1::uuid[])", [each.payment_id for each in payments])


def _allocated(payments: Sequence[Any], conflict: str) -> Sql:
    return Sql(ALLOCATE + conflict, [(each.payment_id, part.invoice_id, part.amount) for each in payments for part in each.allocations])


def _services(state: CustomerState) -> str:
    kept = {"service_id", "plan_code", "monthly_amount", "delivery", "network_login", "access_node", "active_from", "active_to"}
    return "[" + ", ".join(each.model_dump_json(include=kept) for each in state.services) + "]"
