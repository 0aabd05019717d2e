"""Customers' ledgers from the database into memory, under lock, and back: in bulk, for one payment as for a bank's whole file."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.operations.new_payments import NewPayment, insert_payments
from services.billing.rules.allocation import OLDEST_FIRST, Share
from services.billing.rules.ledger import InvoiceAccount, Ledger, Move, PaymentAccount
from services.billing.rules.states import InvoiceState, PaymentState
from shared.bulk import Sql
from shared.db import Fetched, execute, rows
from shared.outbox import Outgoing, publish_many

CUSTOMERS = "SELECT id, currency FROM customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
INVOICES = """
SELECT customer_id, state, id, number, period, issue_date, due_date, balance, reported, version, credited, disputed, fee, origin
FROM invoice WHERE customer_id = ANY($1::uuid[]) AND (state = 'OPEN' OR id = ANY($2::uuid[])) ORDER BY id FOR UPDATE
"""
PAYMENTS = """
SELECT customer_id, state, id, channel, reference, amount, unallocated, reported_at, reported_by, settled_at, settled_by, reject_reason,
    refunded, reversed_at, reversed_by, version
FROM payment WHERE (customer_id = ANY($1::uuid[]) AND unallocated > 0 AND state IN ('REPORTED', 'CONFIRMED')) OR id = ANY($2::uuid[])
ORDER BY id FOR UPDATE
"""
PARTS = "SELECT payment_id, invoice_id, amount FROM payment_allocation WHERE payment_id = ANY($1::uuid[]) ORDER BY allocated_at, invoice_id"
PARTS_GO = """
INSERT INTO payment_allocation (payment_id, invoice_id, amount, currency, allocated_at)
SELECT *, $5 FROM unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::text[])
ON CONFLICT (payment_id, invoice_id) DO UPDATE SET amount = excluded.amount WHERE payment_allocation.amount <> excluded.amount
"""
INVOICES_NOW = """
UPDATE invoice i SET balance = t.balance, reported = t.reported, credited = t.credited, disputed = t.disputed, state = t.state,
    version = t.version, paid_at = CASE WHEN t.state <> 'PAID' THEN NULL WHEN i.version = t.version THEN i.paid_at ELSE $8 END
FROM unnest($1::uuid[], $2::numeric[], $3::numeric[], $4::numeric[], $5::numeric[], $6::text[], $7::int[])
    AS t(id, balance, reported, credited, disputed, state, version)
WHERE i.id = t.id
    AND (i.balance, i.reported, i.credited, i.disputed, i.version) <> (t.balance, t.reported, t.credited, t.disputed, t.version)
"""
PAYMENTS_NOW = """
UPDATE payment p SET state = t.state, unallocated = t.unallocated, version = t.version, settled_at = t.settled_at,
    settled_by = t.settled_by, reject_reason = t.reason, refunded = t.refunded, reversed_at = t.reversed_at, reversed_by = t.reversed_by
FROM unnest($1::uuid[], $2::text[], $3::numeric[], $4::int[], $5::timestamptz[], $6::text[], $7::text[], $8::numeric[],
    $9::timestamptz[], $10::text[])
    AS t(id, state, unallocated, version, settled_at, settled_by, reason, refunded, reversed_at, reversed_by)
WHERE p.id = t.id AND (p.version, p.unallocated, p.refunded) <> (t.version, t.unallocated, t.refunded)
"""
POSTINGS = """
INSERT INTO posting (customer_id, invoice_id, payment_id, credit_note_id, refund_id, debit, credit, amount, currency, posted_at)
SELECT t.*, $10 FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::numeric[],
    $9::text[]) AS t
"""
# What a payment or an invoice touches beyond what is open: the invoices that the payment covers, and the payments that cover the invoice.
TOUCHED = """
SELECT a.payment_id, a.invoice_id FROM payment_allocation a JOIN payment p ON p.id = a.payment_id
WHERE (a.payment_id = $1 OR a.invoice_id = $2) AND p.state IN ('REPORTED', 'CONFIRMED')
"""


async def lock_ledgers(
    session: AsyncSession,
    customer_ids: Collection[UUID],
    payment_ids: Collection[UUID] = (),
    invoice_ids: Collection[UUID] = (),
    *,
    order: Sequence[str] = OLDEST_FIRST,
    wait: bool = True,
) -> dict[UUID, Ledger]:
    """Lock these customers' rows, then read their open invoices and payments, and those named besides. Everybody locks in this order:
    customers, invoices, payments, each by id. `order` is the operator's `payment_order`. Without `wait` a customer that somebody else holds
    is left out."""
    found = await rows(session, CUSTOMERS if wait else f"{CUSTOMERS} SKIP LOCKED", sorted(set(customer_ids)))
    ledgers = {row.id: Ledger(row.id, row.currency, order=order) for row in found}
    wanted = list(ledgers)
    for row in await rows(session, INVOICES, wanted, list(invoice_ids)):
        ledgers[row.customer_id].invoices[row.id] = _invoice(row)
    found = await rows(session, PAYMENTS, wanted, list(payment_ids))
    payments = {row.id: _payment(row) for row in found}
    for part in await rows(session, PARTS, list(payments)) if payments else []:
        payments[part.payment_id].parts.append(Share(part.invoice_id, part.amount))
    for row in found:
        ledgers[row.customer_id].payments[row.id] = payments[row.id]
    return ledgers


async def lock_touched(
    session: AsyncSession,
    customer_ids: Collection[UUID],
    *,
    payment_id: UUID | None = None,
    invoice_id: UUID | None = None,
    order: Sequence[str],
) -> dict[UUID, Ledger]:
    """The same, with the invoices that the payment covers and the payments that cover the invoice, paid or not. Nothing of them changes
    once their customers are locked."""
    await rows(session, CUSTOMERS, sorted(set(customer_ids)))
    touched = await rows(session, TOUCHED, payment_id, invoice_id)
    payments = {row.payment_id for row in touched} | ({payment_id} if payment_id else set())
    invoices = {row.invoice_id for row in touched} | ({invoice_id} if invoice_id else set())
    return await lock_ledgers(session, customer_ids, payments, invoices, order=order)


def _invoice(row: Fetched) -> InvoiceAccount:
    return InvoiceAccount(**{**_own(row), "state": InvoiceState(row["state"])})


def _payment(row: Fetched) -> PaymentAccount:
    return PaymentAccount(**{**_own(row), "state": PaymentState(row["state"])})


def _own(row: Fetched) -> dict[str, Any]:
    """What a row says but for whose it is."""
    return {name: value for name, value in row.items() if name != "customer_id"}


async def store_ledgers(
    session: AsyncSession, ledgers: Iterable[Ledger], *, new: Sequence[NewPayment] = (), told: Sequence[Outgoing] = (), now: datetime
) -> None:
    """Write back what changed in memory, payments that are `new` for the first time, post the moves, and tell what is to be told. Raises
    Conflict when somebody was faster with one of the new payments."""
    held = list(ledgers)
    accounts = {each.id: each for ledger in held for each in ledger.payments.values()}
    await insert_payments(session, new, accounts)
    made = {each.id for each in new}
    invoices = Sql(INVOICES_NOW, [_invoice_now(each) for ledger in held for each in ledger.invoices.values()], [now])
    payments = Sql(PAYMENTS_NOW, [_payment_now(each) for each in accounts.values() if each.id not in made])
    postings = Sql(POSTINGS, [_posting(ledger, move) for ledger in held for move in ledger.moves], [now])
    await publish_many(session, told, now=now, beside=[invoices, payments, Sql(PARTS_GO, _parts(held), [now]), postings])


def _invoice_now(each: InvoiceAccount) -> tuple[Any, ...]:
    return (each.id, each.balance, each.reported, each.credited, each.disputed, each.state.value, each.version)


def _payment_now(each: PaymentAccount) -> tuple[Any, ...]:
    settled = (each.settled_at, each.settled_by, each.reject_reason, each.refunded, each.reversed_at, each.reversed_by)
    return (each.id, each.state.value, each.unallocated, each.version, *settled)


def _parts(ledgers: Iterable[Ledger]) -> list[tuple[Any, ...]]:
    return [
        (payment.id, part.invoice_id, part.amount, ledger.currency)
        for ledger in ledgers
        for payment in ledger.payments.values()
        for part in payment.parts
    ]


def _posting(ledger: Ledger, move: Move) -> tuple[Any, ...]:
    about = (ledger.customer_id, move.invoice_id, move.payment_id, move.credit_note_id, move.refund_id)
    return (*about, move.debit.value, move.credit.value, move.amount, ledger.currency)


async def drop_parts(session: AsyncSession, invoice_id: UUID, payment_ids: Collection[UUID]) -> None:
    """Of these payments no part lies on the invoice any more."""
    sql = "DELETE FROM payment_allocation WHERE invoice_id = $1 AND payment_id = ANY($2::uuid[])"
    await execute(session, sql, invoice_id, list(payment_ids))
