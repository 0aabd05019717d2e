"""The facts of accounts, read together: a fixed number of statements for any number of accounts (the hot path of the policy run).

# Note [How far back]
What was settled more than 200 days ago can't change a decision any more and isn't read; payments are read for 400 days, so that every
agreement that is still read is judged by all the payments that count for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.queries.past import as_known
from services.collections.rules.facts import (
    Approval,
    Cover,
    Deduction,
    Facts,
    Fee,
    Hold,
    Instalment,
    Invoice,
    Notice,
    Outage,
    Part,
    Payment,
    Plan,
    Promise,
    Restriction,
    Review,
    Suspension,
)
from shared.db import rows

SETTLED, PAID = timedelta(days=200), timedelta(days=400)

# What most accounts have nothing of is asked for only where one of them has: now, for what is there once stays there (public: whatever the
# instant that everything else is read as of).
RARE = (
    "promise", "payment_plan", "review", "suspension_notice", "suspension", "reminder", "deduction", "fee", "hold", "cut_approval",
    "restriction",
)  # fmt: skip
PRESENT = "SELECT " + ", ".join(f"EXISTS (SELECT FROM public.{each} WHERE account_id = ANY($1::uuid[])) AS {each}" for each in RARE)
PRESENT += (
    ", EXISTS (SELECT FROM public.portfolio_cover) AS portfolio_cover, EXISTS (SELECT FROM public.outage WHERE closed_at IS NULL) AS outage"
)
PRESENT += ", EXISTS (SELECT FROM policy_in_force WHERE coalesce(cut_since, recovery_since) IS NOT NULL) AS changed"
ACCOUNTS = f"""
SELECT a.id, a.policy, a.currency, a.delivery, a.registered_at, a.agent, a.name, a.status, a.status_since, a.version, r.due_at, a.nodes,
    a.last_contact_at, present.*
FROM account a LEFT JOIN account_review r ON r.account_id = a.id CROSS JOIN ({PRESENT}) AS present WHERE a.id = ANY($1::uuid[])
"""
INVOICES = """
SELECT i.account_id, i.id, i.number, i.period, i.origin, i.due_date, i.due_ends_at, i.balance, i.issued_at, i.paid_at, i.voided_at,
    i.dispatched_at, i.receipt_confirmed_at, i.fee
FROM invoice i WHERE i.account_id = ANY($1::uuid[]) AND coalesce(i.paid_at, i.voided_at, 'infinity') > $2
ORDER BY i.account_id, i.due_date, i.period, i.number, i.id
"""
REMINDERS = "SELECT invoice_id, code FROM reminder WHERE account_id = ANY($1::uuid[]) ORDER BY invoice_id, code"
PARTS = """
SELECT t.invoice_id, t.payment_id, t.amount, t.believed_at, p.confirmed_at, coalesce(p.reversed_at, p.rejected_at)
FROM invoice i JOIN payment_part t ON t.invoice_id = i.id JOIN payment p ON p.id = t.payment_id
WHERE i.account_id = ANY($1::uuid[]) AND coalesce(i.paid_at, i.voided_at, 'infinity') > $2
"""
PAYMENTS = """
SELECT account_id, id, amount, reported_at, confirmed_at, coalesce(reversed_at, rejected_at) FROM payment
WHERE account_id = ANY($1::uuid[]) AND coalesce(reversed_at, confirmed_at, rejected_at, 'infinity') > $2
ORDER BY account_id, reported_at, id
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
    recovery_requested_at, recovery_ended_at, recovery_id, delivery, rests_on
FROM suspension
WHERE account_id = ANY($1::uuid[]) AND coalesce(ended_at, reconnected_at, 'infinity') > $2 ORDER BY account_id, requested_at, id
"""
RESTRICTIONS = """
SELECT account_id, id, requested_at, release_procedure, invoice_ids, except_services, restricted_at, release_requested_at, release_cause,
    release_refused_at, ended_at, outcome
FROM restriction WHERE account_id = ANY($1::uuid[]) AND coalesce(ended_at, 'infinity') > $2 ORDER BY account_id, requested_at, id
"""
DEDUCTIONS = """
SELECT invoice_id, id, kind, amount, reason, since, until FROM deduction WHERE account_id = ANY($1::uuid[]) ORDER BY invoice_id, since, id
"""
FEES = "SELECT account_id, id, occasion, kind, amount, reason, due_at FROM fee WHERE account_id = ANY($1::uuid[]) ORDER BY account_id, id"
OUTAGES = """
SELECT id, access_node, declared_at, closed_at FROM outage WHERE access_node = ANY($1::text[]) AND closed_at IS NULL
"""
HOLDS = """
SELECT account_id, id, service_id, reason, owner, placed_at, until, ended_at FROM hold
WHERE account_id = ANY($1::uuid[]) AND coalesce(ended_at, 'infinity') > $2 ORDER BY account_id, placed_at, id
"""
APPROVALS = """
SELECT account_id, from_at, until, approved_at FROM cut_approval
WHERE account_id = ANY($1::uuid[]) AND until > $2 ORDER BY account_id, from_at
"""
COVERS = """
SELECT agent, covered_by, from_at, until, ended_at FROM portfolio_cover WHERE agent = ANY($1::text[]) AND until > $2 ORDER BY from_at, id
"""
SERVICES = """
SELECT a.id, array_agg((s ->> 'service_id')::uuid), array_agg(s ->> 'delivery') FROM account a, jsonb_array_elements(a.services) AS s
WHERE a.id = ANY($1::uuid[]) AND coalesce((s ->> 'active_to')::date, 'infinity') >= $2 GROUP BY a.id
"""
CHANGED = "SELECT policy, cut_since, recovery_since FROM policy_in_force WHERE coalesce(cut_since, recovery_since) IS NOT NULL"


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the rows of these accounts as they are, or as they were known at an instant."""

    session: AsyncSession
    ids: list[UUID]
    known_at: datetime | None

    async def read(self, sql: str, *args: Any) -> Sequence[Any]:
        """Rows whose columns go into facts by their place."""
        if self.known_at is not None and (then := as_known(sql, len(args) + 1)) != sql:
            return await rows(self.session, then, *args, self.known_at)
        return await rows(self.session, sql, *args)


async def load_facts(session: AsyncSession, ids: Sequence[UUID], *, now: datetime, known_at: datetime | None = None) -> dict[UUID, Facts]:
    """The facts of these accounts, each with everything that decisions at `now` may look at; unknown ids are absent. With `known_at` they
    are the facts as they were known at that instant, whatever was heard of since."""
    reader = _Reader(session, list(ids), known_at)
    accounts = await reader.read(ACCOUNTS, reader.ids)
    if not accounts:
        return {}
    present, settled, found = accounts[0], now - SETTLED, dict[str, dict[UUID, list[Any]]]()
    changed = await _changed(session, known_at or now) if present.changed else {}
    cut_since = {row[0]: changed[row[1]].cut for row in accounts if row[1] in changed} if changed else {}
    found["invoices"] = await _invoices(reader, settled, present, cut_since)
    found["payments"] = _by_account(await reader.read(PAYMENTS, reader.ids, now - PAID), Payment)
    if present.payment_plan:
        found["plans"] = await _plans(reader, settled)
    for name, (table, sql, make) in LISTS.items():
        if present[table]:
            found[name] = _by_account(await reader.read(sql, reader.ids, settled), make)
    if present.fee:
        found["fees"] = _by_account(await reader.read(FEES, reader.ids), Fee)
    if single := [key for key, holds in found.get("holds", {}).items() if any(each.service_id is not None for each in holds)]:
        sold = await reader.read(SERVICES, single, now.date())
        found |= {"services": {row[0]: row[1] for row in sold}, "deliveries": {row[0]: row[2] for row in sold}}
    covers = await _covers(reader, accounts, settled) if present.portfolio_cover else {}
    outages = await _outages(reader, accounts) if present.outage or known_at is not None else {}
    made = {row[0]: _facts(row, found, outages, covers) for row in accounts}
    return _since(made, changed) if changed else made


@dataclass(frozen=True, slots=True)
class _Since:
    """Since when a policy has the days of a cut and of recovery that it has; None where they were never others."""

    cut: datetime | None
    recovery: datetime | None


async def _changed(session: AsyncSession, at: datetime) -> dict[str, _Since]:
    """The policies whose days are others than they were once, as far as that was so at an instant."""
    found = {row.policy: (row.cut_since, row.recovery_since) for row in await rows(session, CHANGED)}
    return {key: _Since(*(each if each is not None and each <= at else None for each in both)) for key, both in found.items()}


def _since(made: dict[UUID, Facts], changed: Mapping[str, _Since]) -> dict[UUID, Facts]:
    return {
        key: replace(each, recovery_since=changed[each.policy].recovery) if each.policy in changed else each for key, each in made.items()
    }


def _facts(row: Any, found: dict[str, dict[UUID, list[Any]]], outages: dict[str, list[Outage]], covers: dict[str, list[Cover]]) -> Facts:
    more: dict[str, Any] = {name: tuple(by_account[row[0]]) for name, by_account in found.items() if row[0] in by_account}
    if outages:
        more["outages"] = tuple(each for node in row["nodes"] for each in outages.get(node, ()))
    if covers and row["agent"] in covers:
        more["covers"] = tuple(covers[row["agent"]])
    more["last_contact_at"] = row["last_contact_at"]
    return Facts(*row[:11], **more)


async def _invoices(
    reader: _Reader, settled: datetime, present: Any, cut_since: Mapping[UUID, datetime | None]
) -> dict[UUID, list[Invoice]]:
    parts: dict[UUID, list[Part]] = defaultdict(list)
    for row in await reader.read(PARTS, reader.ids, settled):
        parts[row[0]].append(Part(*row[1:]))
    reminders: dict[UUID, tuple[str, ...]] = {}
    for invoice_id, code in await reader.read(REMINDERS, reader.ids) if present.reminder else ():
        reminders[invoice_id] = (*reminders.get(invoice_id, ()), code)
    deductions = _by_account(await reader.read(DEDUCTIONS, reader.ids), Deduction) if present.deduction else {}
    found: dict[UUID, list[Invoice]] = defaultdict(list)
    for row in await reader.read(INVOICES, reader.ids, settled):
        key = row[1]
        more = (tuple(parts.get(key, ())), *row[9:13], reminders.get(key, ()), row[13], tuple(deductions.get(key, ())))
        found[row[0]].append(_make(Invoice, (*row[1:9], *more, cut_since.get(row[0]))))
    return found


async def _plans(reader: _Reader, settled: datetime) -> dict[UUID, list[Plan]]:
    found = await reader.read(PLANS, reader.ids, settled)
    if not found:
        return {}
    instalments: dict[UUID, list[Instalment]] = defaultdict(list)
    for row in await reader.read(INSTALMENTS, [row["id"] for row in found]):
        instalments[row[0]].append(Instalment(*row[1:]))
    plans: dict[UUID, list[Plan]] = defaultdict(list)
    for row in found:
        plan = Plan(
            id=row["id"],
            agreed_at=row["agreed_at"],
            agent=row["agent"],
            instalments=tuple(instalments.get(row["id"], ())),
            holds_until=row["holds_until"],
            known_payments=tuple(row["known_payments"]),
            state=row["state"],
        )
        plans[row["account_id"]].append(plan)
    return plans


async def _outages(reader: _Reader, accounts: Iterable[Any]) -> dict[str, list[Outage]]:
    nodes = sorted({node for row in accounts for node in row["nodes"]})
    found: dict[str, list[Outage]] = defaultdict(list)
    for row in await reader.read(OUTAGES, nodes) if nodes else ():
        found[row.access_node].append(Outage(*row))
    return found


async def _covers(reader: _Reader, accounts: Iterable[Any], settled: datetime) -> dict[str, list[Cover]]:
    agents = sorted({row.agent for row in accounts if row.agent is not None})
    return _by_account(await reader.read(COVERS, agents, settled), Cover)


def _by_account(found: Sequence[Any], make: Any) -> dict[Any, list[Any]]:
    """Rows whose first column says whose they are, as facts made from the others."""
    grouped: dict[Any, list[Any]] = defaultdict(list)
    for row in found:
        grouped[row[0]].append(make(*row[1:]))
    return grouped


def _make(kind: Any, columns: Sequence[Any]) -> Any:
    """A fact from the columns that are its fields, in their order."""
    return kind(*columns)


def _promise(*columns: Any) -> Any:
    return _make(Promise, (*columns[:7], tuple(columns[7]), columns[8]))


def _suspension(*columns: Any) -> Any:
    return _make(Suspension, (*columns[:5], tuple(columns[5]), *columns[6:-1], None if columns[-1] is None else tuple(columns[-1])))


def _restriction(*columns: Any) -> Any:
    return _make(Restriction, (*columns[:3], tuple(columns[3]), tuple(columns[4]), *columns[5:]))


# By the facts' field: the table, its statement, and what makes a fact of a row's columns.
LISTS: dict[str, tuple[str, str, Any]] = {
    "promises": ("promise", PROMISES, _promise),
    "reviews": ("review", REVIEWS, Review),
    "notices": ("suspension_notice", NOTICES, Notice),
    "suspensions": ("suspension", SUSPENSIONS, _suspension),
    "restrictions": ("restriction", RESTRICTIONS, _restriction),
    "holds": ("hold", HOLDS, Hold),
    "approvals": ("cut_approval", APPROVALS, Approval),
}
