"""What must hold in collections' database at any time; run after every story of the tests and by audits."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.queries.facts import load_facts
from services.collections.rules.agreements import judge_plan, judge_promise
from services.collections.rules.assessment import assess
from services.collections.rules.facts import Facts
from services.collections.rules.terms import Book, Terms
from services.collections.rules.worklist import for_people, place
from shared.db import rows
from shared.invariants import broken
from shared.operator import Operator

CHUNK = 1_000
# Each query answers the rows that break the sentence.
CHECKS = {
    "an account has at most one cut that is not over": """
        SELECT account_id FROM suspension WHERE state IN ('REQUESTED', 'WITHDRAWN', 'SUSPENDED', 'RECONNECTING')
        GROUP BY 1 HAVING count(*) > 1""",
    "the state of a cut is what its instants say": """
        SELECT id FROM suspension WHERE state <> CASE WHEN reconnected_at IS NOT NULL THEN 'RECONNECTED'
            WHEN suspended_at IS NOT NULL AND reconnection_id IS NOT NULL THEN 'RECONNECTING'
            WHEN suspended_at IS NOT NULL THEN 'SUSPENDED' WHEN ended_cause = 'refused' THEN 'REFUSED'
            WHEN ended_at IS NOT NULL THEN 'CANCELLED' WHEN withdrawn_at IS NOT NULL THEN 'WITHDRAWN' ELSE 'REQUESTED' END""",
    "payments bring to an invoice no more than was owed on it": """
        SELECT i.number FROM invoice i JOIN payment_part t ON t.invoice_id = i.id
        JOIN payment p ON p.id = t.payment_id AND p.rejected_at IS NULL AND p.reversed_at IS NULL
        GROUP BY i.id HAVING sum(t.amount) > i.balance""",
    "a promise's ordinals of a month are 1, 2 …": """
        SELECT account_id FROM promise GROUP BY account_id, period HAVING max(ordinal) <> count(*) OR min(ordinal) <> 1""",
    "every step of the status follows the one before": """
        SELECT account_id FROM (
            SELECT account_id, previous, lag(code, 1, 'active') OVER (PARTITION BY account_id ORDER BY version) AS before FROM status_change
        ) AS t WHERE previous <> before""",
    "every step of the status and every order to cut is in the timeline": """
        SELECT account_id, version FROM status_change s WHERE NOT EXISTS (
            SELECT FROM happening h WHERE h.customer_id = s.account_id AND h.type = 'collections.status_changed.v1' AND h.at = s.changed_at)
        UNION ALL SELECT account_id, 0 FROM suspension s WHERE source <> 'IMPORT' AND NOT EXISTS (
            SELECT FROM happening h WHERE h.customer_id = s.account_id AND h.data ->> 'suspension_id' = s.id::text
                AND h.type = 'collections.suspension_requested.v1')""",
    "the account's status is the last one told": """
        SELECT a.id FROM account a LEFT JOIN LATERAL (
            SELECT code FROM status_change s WHERE s.account_id = a.id ORDER BY version DESC LIMIT 1) AS t ON true
        WHERE a.status <> coalesce(t.code, 'active')""",
}
SETTLED = """SELECT id FROM account WHERE NOT EXISTS (
    SELECT FROM account_review WHERE account_id = id AND due_at <= $1) ORDER BY id"""
LISTED = "SELECT account_id, agent, urgency, weight FROM worklist"
ORDERED = """
SELECT s.id, a.policy, s.account_id, s.requested_at, (SELECT min(n.accepted_at) FROM suspension_notice n
    WHERE n.account_id = s.account_id AND n.accepted_at <= s.requested_at AND n.failed_at IS NULL AND n.requested_at >= coalesce((
        SELECT max(o.suspended_at) FROM suspension o WHERE o.account_id = s.account_id AND o.suspended_at <= s.requested_at
            AND o.id < s.id), '-infinity')) AS accepted_at
FROM suspension s JOIN account a ON a.id = s.account_id WHERE s.source <> 'IMPORT'
"""
PROMISED = "SELECT p.account_id, a.policy, count(*) AS made FROM promise p JOIN account a ON a.id = p.account_id GROUP BY 1, 2, p.period"


async def invariants(session: AsyncSession, *, operator: Operator, now: datetime) -> list[str]:
    """The sentences that do not hold, each with some of the rows that break it; empty when all is well."""
    found = await broken(session, CHECKS)
    return [*found, *await _orders(session, operator), *await _promises(session, operator), *await _functions(session, operator, now)]


async def _orders(session: AsyncSession, operator: Operator) -> list[str]:
    """No cut without a notice that everybody got, and the hours after it, where the policy wants one (VIP-10)."""
    found = []
    for row in await rows(session, ORDERED):
        wanted = operator.policy(row.policy).suspension.notice
        if wanted is not None and (row.accepted_at is None or row.accepted_at + wanted.before > row.requested_at):
            found.append(f"not so: the desks were told of cut {row.id} {wanted.before} before it")
    return found


async def _promises(session: AsyncSession, operator: Operator) -> list[str]:
    """No more promises for a month than the policy allows (VIP-11)."""
    return [
        f"not so: account {row.account_id} promised {row.made} times for a month at most"
        for row in await rows(session, PROMISED)
        if row.made > operator.policy(row.policy).promises.max_per_month
    ]


async def _functions(session: AsyncSession, operator: Operator, now: datetime) -> list[str]:
    """What is stored of statuses and agreements is what the functions say, for every account that no review is due for."""
    ids = [row.id for row in await rows(session, SETTLED, now)]
    book, broken = Book(operator), []
    listed = {row.account_id: (row.agent, row.urgency, row.weight) for row in await rows(session, LISTED)}
    for at in range(0, len(ids), CHUNK):
        for facts in (await load_facts(session, ids[at : at + CHUNK], now=now)).values():
            found = assess(facts, book.terms(facts.policy), now)
            if found.standing.code != facts.status:
                broken.append(_differs(facts.account_id, "status", facts.status, found.standing.code))
            wanted = _listed(facts, book.terms(facts.policy), now)
            if listed.get(facts.account_id) != wanted:
                broken.append(_differs(facts.account_id, "place in the worklist", str(listed.get(facts.account_id)), str(wanted)))
            broken += [_differs(each.id, "promise", each.state, judge_promise(each, facts, now).state) for each, _ in found.promises]
            broken += [_differs(each.id, "plan", each.state, judge_plan(each, facts, now).state) for each, _ in found.plans]
            broken += [f"not so: nothing is left to do for account {facts.account_id} ({each})" for each in found.actions]
    return broken


def _listed(facts: Facts, terms: Terms, now: datetime) -> tuple[str | None, int, Decimal] | None:
    stands = place(facts, terms, now) if for_people(facts, terms) else None
    return stands and (facts.agent, *stands)


def _differs(key: UUID, what: str, stored: str, said: str) -> str:
    return f"not so: the {what} of {key} is stored as {stored}, and is {said}"
