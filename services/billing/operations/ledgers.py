"""Customers' ledgers from the database into memory, under lock, and back: in bulk, for one payment as for a bank's whole file."""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.rules.allocation import Share
from services.billing.rules.ledger import InvoiceAccount, Ledger, PaymentAccount
from services.billing.rules.states import PaymentState
from shared.db import Fetched, execute, rows

CUSTOMERS = "SELECT id, currency FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
INVOICES = (
    "SELECT id, customer_id, number, period, issue_date, due_date, balance, reported, version FROM invoice "
    "WHERE customer_id = ANY($1::uuid[]) AND state = 'OPEN' ORDER BY id FOR UPDATE"
)
FIELDS = (
    "id",
    "channel",
    "reference",
    "amount",
    "unallocated",
    "reported_at",
    "reported_by",
    "settled_at",
    "settled_by",
    "reject_reason",
    "version",
)
PAYMENTS = (
    f"SELECT customer_id, state, {', '.join(FIELDS)} FROM payment "
    "WHERE (customer_id = ANY($1::uuid[]) AND unallocated > 0 AND state IN ('REPORTED', 'CONFIRMED')) OR id = ANY($2::uuid[]) "
    "ORDER BY id FOR UPDATE"
)
PARTS = "SELECT payment_id, invoice_id, amount FROM payment_allocation WHERE payment_id = ANY($1::uuid[]) ORDER BY allocated_at, invoice_id"


async def lock_ledgers(
    session: AsyncSession, customer_ids: Collection[UUID], payment_ids: Collection[UUID] = (), *, wait: bool = True
) -> dict[UUID, Ledger]:
    """Lock these customers' rows, then read their open invoices and payments. Everybody locks in this order: customers, invoices, payments,
    each by id. Without `wait` a customer that somebody else holds is left out."""
    found = await rows(session, CUSTOMERS if wait else f"{CUSTOMERS} SKIP LOCKED", sorted(set(customer_ids)))
    ledgers = {row.id: Ledger(row.id, row.currency) for row in found}
    wanted = list(ledgers)
    for row in await rows(session, INVOICES, wanted):
        ledgers[row.customer_id].invoices[row.id] = InvoiceAccount(
            row.id, row.number, row.period, row.issue_date, row.due_date, row.balance, row.reported, row.version
        )
    found = await rows(session, PAYMENTS, wanted, list(payment_ids))
    payments = {row.id: _payment(row) for row in found}
    for part in await rows(session, PARTS, list(payments)) if payments else []:
        payments[part.payment_id].parts.append(Share(part.invoice_id, part.amount))
    for row in found:
        ledgers[row.customer_id].payments[row.id] = payments[row.id]
    return ledgers


def _payment(row: Fetched) -> PaymentAccount:
    return PaymentAccount(state=PaymentState(row.state), **{name: getattr(row, name) for name in FIELDS})


async def store_ledgers(session: AsyncSession, ledgers: Iterable[Ledger], *, now: datetime) -> None:
    """Write back what changed in memory, and post the moves."""
    held = list(ledgers)
    await _store_invoices(session, [each for ledger in held for each in ledger.invoices.values()], now)
    await _store_payments(session, [each for ledger in held for each in ledger.payments.values()], now)
    moves = [(ledger, move) for ledger in held for move in ledger.moves]
    if not moves:
        return
    await execute(
        session,
        "INSERT INTO posting (customer_id, invoice_id, payment_id, debit, credit, amount, currency, posted_at) "
        "SELECT t.*, $8 FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::numeric[], $7::text[]) AS t",
        [ledger.customer_id for ledger, _ in moves],
        [move.invoice_id for _, move in moves],
        [move.payment_id for _, move in moves],
        [move.debit.value for _, move in moves],
        [move.credit.value for _, move in moves],
        [move.amount for _, move in moves],
        [ledger.currency for ledger, _ in moves],
        now,
    )


async def _store_invoices(session: AsyncSession, invoices: list[InvoiceAccount], now: datetime) -> None:
    await execute(
        session,
        "UPDATE invoice i SET balance = t.balance, reported = t.reported, state = t.state, version = t.version, "
        "paid_at = CASE WHEN t.state = 'PAID' THEN $6 ELSE i.paid_at END "
        "FROM unnest($1::uuid[], $2::numeric[], $3::numeric[], $4::text[], $5::int[]) AS t(id, balance, reported, state, version) "
        "WHERE i.id = t.id AND (i.balance, i.reported) IS DISTINCT FROM (t.balance, t.reported)",
        [each.id for each in invoices],
        [each.balance for each in invoices],
        [each.reported for each in invoices],
        [each.state.value for each in invoices],
        [each.version for each in invoices],
        now,
    )


async def _store_payments(session: AsyncSession, payments: list[PaymentAccount], now: datetime) -> None:
    await execute(
        session,
        "UPDATE payment p SET state = t.state, unallocated = t.unallocated, version = t.version, "
        "settled_at = t.settled_at, settled_by = t.settled_by, reject_reason = t.reason "
        "FROM unnest($1::uuid[], $2::text[], $3::numeric[], $4::int[], $5::timestamptz[], $6::text[], $7::text[]) "
        "AS t(id, state, unallocated, version, settled_at, settled_by, reason) "
        "WHERE p.id = t.id AND p.version <> t.version",
        [each.id for each in payments],
        [each.state.value for each in payments],
        [each.unallocated for each in payments],
        [each.version for each in payments],
        [each.settled_at for each in payments],
        [each.settled_by for each in payments],
        [each.reject_reason for each in payments],
    )
    parts = [(payment, part) for payment in payments for part in payment.parts]
    await execute(
        session,
        "INSERT INTO payment_allocation (payment_id, invoice_id, amount, currency, allocated_at) "
        "SELECT t.payment_id, t.invoice_id, t.amount, p.currency, $4 "
        "FROM unnest($1::uuid[], $2::uuid[], $3::numeric[]) AS t(payment_id, invoice_id, amount) JOIN payment p ON p.id = t.payment_id "
        "ON CONFLICT (payment_id, invoice_id) DO UPDATE SET amount = excluded.amount WHERE payment_allocation.amount <> excluded.amount",
        [payment.id for payment, _ in parts],
        [part.invoice_id for _, part in parts],
        [part.amount for _, part in parts],
        now,
    )
