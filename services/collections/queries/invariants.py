"""What must hold in collections' database at any time; run after every story of the tests and by audits."""

from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.queries.facts import load_facts
from services.collections.rules.agreements import judge_plan, judge_promise
from services.collections.rules.assessment import assess
from services.collections.rules.facts import Facts
from services.collections.rules.restricting import kept_for_nothing
from services.collections.rules.terms import Book, Terms
from services.collections.rules.worklist import for_people, place
from shared.db import rows
from shared.invariants import Finding, Sentences, Snapshot, ask
from shared.operator import Operator

CHUNK = 250  # of accounts that are judged in one go: nobody else of this process gets a turn meanwhile
ROWS = 5_000
FIRST = UUID(int=0)
# Each query answers the rows that break the sentence.
CHECKS = {
    "cada cliente tiene a lo sumo una suspensión sin terminar": """
        SELECT account_id FROM suspension WHERE state IN ('REQUESTED', 'WITHDRAWN', 'SUSPENDED', 'RECONNECTING')
        GROUP BY 1 HAVING count(*) > 1""",
    "el estado de cada suspensión es el que dicen sus instantes": """
        SELECT id FROM suspension WHERE state <> CASE WHEN reconnected_at IS NOT NULL THEN 'RECONNECTED'
            WHEN suspended_at IS NOT NULL AND reconnection_id IS NOT NULL THEN 'RECONNECTING'
            WHEN suspended_at IS NOT NULL THEN 'SUSPENDED' WHEN ended_cause = 'refused' THEN 'REFUSED'
            WHEN ended_at IS NOT NULL THEN 'CANCELLED' WHEN withdrawn_at IS NOT NULL THEN 'WITHDRAWN' ELSE 'REQUESTED' END""",
    "los pagos no traen a una factura más de lo que se debía de ella": """
        SELECT i.number FROM invoice i JOIN payment_part t ON t.invoice_id = i.id
        JOIN payment p ON p.id = t.payment_id AND p.rejected_at IS NULL AND p.reversed_at IS NULL
        GROUP BY i.id HAVING sum(t.amount) > i.balance""",
    "los compromisos de cada mes se numeran 1, 2 …": """
        SELECT account_id FROM promise GROUP BY account_id, period HAVING max(ordinal) <> count(*) OR min(ordinal) <> 1""",
    "cada paso del estado sigue al anterior": """
        SELECT account_id FROM (
            SELECT account_id, previous, lag(code, 1, 'active') OVER (PARTITION BY account_id ORDER BY version) AS before FROM status_change
        ) AS t WHERE previous <> before""",
    "cada paso del estado y cada orden de suspensión está en la línea de tiempo": """
        SELECT account_id, version FROM status_change s WHERE NOT EXISTS (
            SELECT FROM happening h WHERE h.customer_id = s.account_id AND h.type = 'collections.status_changed.v1' AND h.at = s.changed_at)
        UNION ALL SELECT account_id, 0 FROM suspension s WHERE source <> 'IMPORT' AND NOT EXISTS (
            SELECT FROM happening h WHERE h.customer_id = s.account_id AND h.data ->> 'suspension_id' = s.id::text
                AND h.type = 'collections.suspension_requested.v1')""",
    "cada suspensión tiene su causa: una regla, un motivo y las facturas que la traen": """
        SELECT id FROM suspension WHERE source <> 'IMPORT' AND (rule = '' OR reason = '' OR cardinality(invoice_ids) = 0)""",
    "cada restricción tiene su causa: una regla, un motivo y las facturas que la traen": """
        SELECT id FROM restriction WHERE source <> 'IMPORT' AND (rule = '' OR reason = '' OR cardinality(invoice_ids) = 0)""",
    "cada restricción está en la línea de tiempo": """
        SELECT id FROM restriction r WHERE source <> 'IMPORT' AND NOT EXISTS (
            SELECT FROM happening h WHERE h.customer_id = r.account_id AND h.data ->> 'restriction_id' = r.id::text
                AND h.type = 'collections.restriction_requested.v1')""",
    "el estado de cada cliente es el último de su rastro": """
        SELECT a.id FROM account a LEFT JOIN LATERAL (
            SELECT code FROM status_change s WHERE s.account_id = a.id ORDER BY version DESC LIMIT 1) AS t ON true
        WHERE a.status <> coalesce(t.code, 'active')""",
}
WARNED = "cada suspensión tuvo antes su aviso, con las horas que pide la política"
PROMISED = "nadie tiene en un mes más compromisos de los que permite la política"
STORED = "el estado guardado es el que dice la política"
PLACED = "el lugar en la lista de trabajo es el que dice la política"
FREE = "nadie que no debe nada sigue restringido a la página de pago"
AGREED = "el estado de cada compromiso y de cada plan es el que dice la política"
DONE = "nada de lo que la política manda está sin hacer"
SETTLED = f"""SELECT id FROM account WHERE id > $2 AND NOT EXISTS (
    SELECT FROM account_review WHERE account_id = id AND due_at <= $1) ORDER BY id LIMIT {CHUNK}"""
LISTED = "SELECT account_id, agent, urgency, weight, overdue_since FROM worklist WHERE account_id = ANY($1::uuid[])"
ORDERED = f"""
SELECT s.id, a.policy, s.account_id, s.requested_at, (SELECT min(n.accepted_at) FROM suspension_notice n
    WHERE n.account_id = s.account_id AND n.accepted_at <= s.requested_at AND n.failed_at IS NULL AND n.requested_at >= coalesce((
        SELECT max(o.suspended_at) FROM suspension o WHERE o.account_id = s.account_id AND o.suspended_at <= s.requested_at
            AND o.id < s.id), '-infinity')) AS accepted_at
FROM suspension s JOIN account a ON a.id = s.account_id WHERE s.source <> 'IMPORT' AND s.id > $1 ORDER BY s.id LIMIT {ROWS}
"""
MADE = """
SELECT p.account_id, a.policy, count(*) AS made FROM promise p JOIN account a ON a.id = p.account_id
GROUP BY 1, 2, p.period HAVING count(*) > $1
"""


async def judge(snapshot: Snapshot, operator: Operator) -> AsyncIterator[tuple[str, str]]:
    """What breaks the sentences that the policies' functions judge."""
    for part in (_orders, _promises, _accounts):
        async for each in part(snapshot, operator):
            yield each


SENTENCES = Sentences(CHECKS, (WARNED, PROMISED, STORED, PLACED, FREE, AGREED, DONE), judge)


async def invariants(session: AsyncSession, *, operator: Operator, now: datetime) -> list[Finding]:
    """The sentences that do not hold in this transaction, each with some of the rows that break it; empty when all is well."""
    return [each for each in await ask(SENTENCES, lambda: nullcontext((session, now)), operator) if each.count]


async def _orders(snapshot: Snapshot, operator: Operator) -> AsyncIterator[tuple[str, str]]:
    """No cut without a notice that everybody got, and the hours after it, where the policy wants one (VIP-10)."""
    last: UUID | None = FIRST
    while last is not None:
        async with snapshot() as (session, _):
            found = await rows(session, ORDERED, last)
        for row in found:
            wanted = operator.policy(row.policy).suspension.notice
            if wanted is not None and (row.accepted_at is None or row.accepted_at + wanted.before > row.requested_at):
                yield WARNED, str(row.id)
        last = found[-1].id if len(found) == ROWS else None


async def _promises(snapshot: Snapshot, operator: Operator) -> AsyncIterator[tuple[str, str]]:
    """No more promises for a month than the policy allows (VIP-11)."""
    async with snapshot() as (session, _):
        found = await rows(session, MADE, min(each.promises.max_per_month for each in operator.policies.values()))
    for row in found:
        if row.made > operator.policy(row.policy).promises.max_per_month:
            yield PROMISED, f"{row.account_id}: {row.made}"


async def _accounts(snapshot: Snapshot, operator: Operator) -> AsyncIterator[tuple[str, str]]:
    """What is stored of statuses and agreements is what the functions say, for every account that no review is due for."""
    book = Book(operator)
    last: UUID | None = FIRST
    while last is not None:
        async with snapshot() as (session, now):
            ids = [row.id for row in await rows(session, SETTLED, now, last)]
            listed = {row.account_id: tuple(row)[1:] for row in await rows(session, LISTED, ids)}
            known = await load_facts(session, ids, now=now)
        for facts in known.values():
            for each in _judged(facts, book.terms(facts.policy), listed.get(facts.account_id), now):
                yield each
        last = ids[-1] if len(ids) == CHUNK else None


def _judged(facts: Facts, terms: Terms, listed: tuple[object, ...] | None, now: datetime) -> Iterator[tuple[str, str]]:
    said = assess(facts, terms, now)
    yield from _differs(STORED, facts.account_id, facts.status, said.standing.code)
    yield from _differs(PLACED, facts.account_id, listed, _listed(facts, terms, now))
    yield from ((FREE, str(each.id)) for each in kept_for_nothing(facts, now))
    for promise, _ in said.promises:
        yield from _differs(AGREED, promise.id, promise.state, judge_promise(promise, facts, now).state)
    for plan, _ in said.plans:
        yield from _differs(AGREED, plan.id, plan.state, judge_plan(plan, facts, now).state)
    for each in said.actions:
        yield DONE, f"{facts.account_id}: {each}"


def _listed(facts: Facts, terms: Terms, now: datetime) -> tuple[object, ...] | None:
    stands = place(facts, terms, now) if for_people(facts, terms) else None
    return stands and (facts.agent, *stands)


def _differs(sentence: str, key: UUID, stored: object, said: object) -> list[tuple[str, str]]:
    return [(sentence, f"{key}: {stored}, y es {said}")] if stored != said else []
