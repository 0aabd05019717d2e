"""The facts of accounts, read together: a fixed number of statements for any number of accounts (the hot path of the policy run).

# Note [How far back]
What was settled more than 200 days ago can't change a decision any more and isn't read; payments are read for 400 days, so that every
agreement that is still read is judged by all the payments that count for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.rules.facts import (
    Facts,
    Instalment,
    Invoice,
    Notice,
    Outage,
    Part,
    Payment,
    Plan,
    Promise,
    Review,
    Suspension,
)
from shared.db import rows

SETTLED, PAID = timedelta(days=200), timedelta(days=400)

ACCOUNTS = """
SELECT a.id, a.policy, a.currency, a.delivery, a.registered_at, a.agent, a.name, a.status, a.status_since, a.version, r.due_at, a.nodes
FROM account a LEFT JOIN account_review r ON r.account_id = a.id WHERE a.id = ANY($1::uuid[])
"""
INVOICES = """
SELECT i.account_id, i.id, i.number, i.period, i.origin, i.due_date, i.due_ends_at, i.balance, i.issued_at, i.paid_at, i.voided_at,
    i.dispatched_at, i.receipt_confirmed_at
FROM invoice i WHERE i.account_id = ANY($1::uuid[]) AND coalesce(i.paid_at, i.voided_at, 'infinity') > $2
ORDER BY i.account_id, i.due_date, i.period, i.number, i.id
"""
REMINDERS = "SELECT invoice_id, code FROM reminder WHERE account_id = ANY($1::uuid[]) ORDER BY invoice_id, code"
PARTS = """
SELECT t.invoice_id, t.payment_id, t.amount, t.believed_at, p.confirmed_at, p.rejected_at
FROM invoice i JOIN payment_part t ON t.invoice_id = i.id JOIN payment p ON p.id = t.payment_id
WHERE i.account_id = ANY($1::uuid[]) AND coalesce(i.paid_at, i.voided_at, 'infinity') > $2
"""
PAYMENTS = """
SELECT account_id, id, amount, reported_at, confirmed_at, rejected_at FROM payment
WHERE account_id = ANY($1::uuid[]) AND coalesce(confirmed_at, rejected_at, 'infinity') > $2 ORDER BY account_id, reported_at, id
"""
PROMISES = """
SELECT account_id, id, period, ordinal, amount, made_at, due_at, agent, known_payments, state FROM promise
WHERE account_id = ANY($1::uuid[]) AND due_at > $2 ORDER BY account_id, made_at, ordinal
"""
PLANS = """
SELECT account_id, id, agreed_at, agent, holds_until, known_payments, state FROM payment_plan
WHERE account_id = ANY($1::uuid[]) AND (state = 'RUNNING' OR state_at > $2) ORDER BY account_id, agreed_at, id
"""
INSTALMENTS = """
SELECT plan_id, number, due_at, amount FROM payment_plan_instalment WHERE plan_id = ANY($1::uuid[]) ORDER BY plan_id, number
"""
REVIEWS = """
SELECT account_id, id, opened_at, reason, closed_at FROM review
WHERE account_id = ANY($1::uuid[]) AND coalesce(closed_at, 'infinity') > $2 ORDER BY account_id, opened_at, id
"""
NOTICES = """
SELECT account_id, id, period, requested_at, accepted_at, failed_at FROM suspension_notice
WHERE account_id = ANY($1::uuid[]) AND requested_at > $2 ORDER BY account_id, requested_at, id
"""
SUSPENSIONS = """
SELECT account_id, id, agent, requested_at, state, source, invoice_ids, withdrawn_at, withdraw_cause, ended_at, suspended_at,
    reconnection_requested_at, basis, target_status, reconnected_at, holds_until, reconnection_refused_at,
    recovery_requested_at, recovery_ended_at, rests_on
FROM suspension
WHERE account_id = ANY($1::uuid[]) AND coalesce(ended_at, reconnected_at, 'infinity') > $2 ORDER BY account_id, requested_at, id
"""
OUTAGES = """
SELECT id, access_node, declared_at, closed_at FROM outage WHERE access_node = ANY($1::text[]) AND closed_at IS NULL
"""


async def load_facts(session: AsyncSession, ids: Sequence[UUID], *, now: datetime) -> dict[UUID, Facts]:
    """The facts of these accounts, each with everything that decisions at `now` may look at; unknown ids are absent."""
    wanted = list(ids)
    settled, paid = now - SETTLED, now - PAID
    accounts = await _read(session, ACCOUNTS, wanted)
    if not accounts:
        return {}
    invoices = await _invoices(session, wanted, settled)
    payments = _by_account(await _read(session, PAYMENTS, wanted, paid), Payment)
    promises = _by_account(await _read(session, PROMISES, wanted, settled), _promise)
    plans = await _plans(session, wanted, settled)
    reviews = _by_account(await _read(session, REVIEWS, wanted, settled), Review)
    notices = _by_account(await _read(session, NOTICES, wanted, settled), Notice)
    suspensions = _by_account(await _read(session, SUSPENSIONS, wanted, settled), _suspension)
    outages = await _outages(session, accounts)
    return {
        row[0]: _make(
            Facts,
            row[:11],
            invoices=tuple(invoices.get(row[0], ())),
            payments=tuple(payments.get(row[0], ())),
            promises=tuple(promises.get(row[0], ())),
            plans=tuple(plans.get(row[0], ())),
            reviews=tuple(reviews.get(row[0], ())),
            notices=tuple(notices.get(row[0], ())),
            suspensions=tuple(suspensions.get(row[0], ())),
            outages=tuple(each for node in row.nodes for each in outages.get(node, ())) if outages else (),
        )
        for row in accounts
    }


async def _read(session: AsyncSession, sql: str, *args: Any) -> Sequence[Any]:
    """Rows whose columns go into facts by their place."""
    return await rows(session, sql, *args)


async def _invoices(session: AsyncSession, ids: list[UUID], settled: datetime) -> dict[UUID, list[Invoice]]:
    parts: dict[UUID, list[Part]] = defaultdict(list)
    for row in await _read(session, PARTS, ids, settled):
        parts[row[0]].append(Part(*row[1:]))
    reminders: dict[UUID, tuple[str, ...]] = {}
    for invoice_id, code in await _read(session, REMINDERS, ids):
        reminders[invoice_id] = (*reminders.get(invoice_id, ()), code)
    found: dict[UUID, list[Invoice]] = defaultdict(list)
    for row in await _read(session, INVOICES, ids, settled):
        found[row[0]].append(_make(Invoice, (*row[1:9], tuple(parts.get(row[1], ())), *row[9:], reminders.get(row[1], ()))))
    return found


async def _plans(session: AsyncSession, ids: list[UUID], settled: datetime) -> dict[UUID, list[Plan]]:
    found = await _read(session, PLANS, ids, settled)
    if not found:
        return {}
    instalments: dict[UUID, list[Instalment]] = defaultdict(list)
    for row in await _read(session, INSTALMENTS, [row.id for row in found]):
        instalments[row[0]].append(Instalment(*row[1:]))
    plans: dict[UUID, list[Plan]] = defaultdict(list)
    for row in found:
        plan = Plan(
            id=row.id,
            agreed_at=row.agreed_at,
            agent=row.agent,
            instalments=tuple(instalments.get(row.id, ())),
            holds_until=row.holds_until,
            known_payments=tuple(row.known_payments),
            state=row.state,
        )
        plans[row.account_id].append(plan)
    return plans


async def _outages(session: AsyncSession, accounts: Iterable[Any]) -> dict[str, list[Outage]]:
    nodes = sorted({node for row in accounts for node in row.nodes})
    found: dict[str, list[Outage]] = defaultdict(list)
    for row in await _read(session, OUTAGES, nodes) if nodes else ():
        found[row.access_node].append(Outage(*row))
    return found


def _by_account(found: Sequence[Any], make: Any) -> dict[UUID, list[Any]]:
    """Rows whose first column is the account, as facts made from the others."""
    grouped: dict[UUID, list[Any]] = defaultdict(list)
    for row in found:
        grouped[row[0]].append(make(*row[1:]))
    return grouped


def _make(kind: Any, columns: Sequence[Any], **more: Any) -> Any:
    """A fact from the columns that are its first fields, in their order."""
    return kind(*columns, **more)


def _promise(*columns: Any) -> Any:
    return _make(Promise, (*columns[:7], tuple(columns[7]), columns[8]))


def _suspension(*columns: Any) -> Any:
    return _make(Suspension, (*columns[:5], tuple(columns[5]), *columns[6:-1], None if columns[-1] is None else tuple(columns[-1])))
