"""The restriction before the cut: ordered, taken off, and what ticketing answers."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections import models
from services.collections.operations.changes import Changes, Rows
from services.collections.operations.tidings import touch
from services.collections.rules.debts import overdue, owed
from services.collections.rules.facts import Facts, Restriction
from services.collections.rules.holds import held_services
from services.collections.rules.restricting import release_reason, restriction_reason
from services.collections.rules.states import ReleaseCause, Source
from services.collections.rules.terms import Terms
from shared.db import execute, new_id, rows
from shared.events.collections import RestrictionReleaseRequested, RestrictionRequested
from shared.events.ticketing import RestrictionEnded, ServiceRestricted, TicketClosed
from shared.routing import FactMissing

RESTRICT = Rows(
    models.Restriction,
    (
        "id", "account_id", "source", "procedure", "release_procedure", "rule", "reason", "amount", "currency", "invoice_ids",
        "except_services", "requested_at",
    ),
)  # fmt: skip
RELEASE = """
UPDATE restriction r SET release_id = t.made, release_requested_at = t.at, release_cause = t.cause, release_reason = t.reason,
    known_at = t.at
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[]) AS t(id, made, at, cause, reason) WHERE r.id = t.id
"""
KNOWN = "SELECT id FROM restriction WHERE id = ANY($1::uuid[])"
RESTRICTED = """
UPDATE restriction r SET restricted_at = t.at, known_at = $3 FROM unnest($1::uuid[], $2::timestamptz[]) AS t(id, at)
WHERE r.id = t.id AND r.restricted_at IS NULL AND r.ended_at IS NULL
"""
ENDED = """
UPDATE restriction r SET ended_at = t.at, outcome = t.outcome, known_at = $4
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS t(id, at, outcome) WHERE r.id = t.id AND r.ended_at IS NULL
"""
REFUSED = """
UPDATE restriction r SET release_id = NULL, release_requested_at = NULL, release_cause = NULL, release_reason = NULL,
    release_refused_at = t.at, known_at = $3
FROM unnest($1::uuid[], $2::timestamptz[]) AS t(id, at) WHERE r.release_id = t.id AND r.ended_at IS NULL
"""


def restrict(changes: Changes, facts: Facts) -> UUID:
    """Have the service restricted for what is overdue; answers the restriction's id. It is the request, not the restriction."""
    event = _to_order(facts, changes.terms(facts.policy), changes.now)
    changes.add(
        RESTRICT,
        event.restriction_id,
        facts.account_id,
        Source.SYSTEM,
        event.procedure,
        event.release_procedure,
        event.rule,
        event.reason,
        event.amount,
        event.currency,
        event.invoice_ids,
        event.except_services,
        changes.now,
    )
    changes.tell(facts.account_id, event)
    return event.restriction_id


def _to_order(facts: Facts, terms: Terms, now: datetime) -> RestrictionRequested:
    """The restriction for all that is overdue, as the policy wants it."""
    policy, debts = terms.policy.restriction, overdue(facts, now)
    assert policy is not None
    return RestrictionRequested(
        restriction_id=new_id(),
        customer_id=facts.account_id,
        procedure=policy.procedure,
        release_procedure=policy.release_procedure,
        rule=terms.policy.rules["restriction"],
        reason=restriction_reason(facts, terms, now),
        amount=owed(debts, now),
        currency=facts.currency,
        invoice_ids=[each.id for each in debts],
        requested_at=now,
        except_services=held_services(facts, now),
    )


def release(changes: Changes, facts: Facts, order: Restriction, cause: ReleaseCause) -> None:
    """Have a restriction taken off, or cancelled where it is not done yet."""
    terms, now = changes.terms(facts.policy), changes.now
    event = RestrictionReleaseRequested(
        release_id=new_id(),
        restriction_id=order.id,
        customer_id=facts.account_id,
        procedure=order.release_procedure,
        cause=cause.value,
        rule=_rule(cause, facts, changes),
        reason=release_reason(cause, facts, terms, now),
        requested_at=now,
    )
    changes.insert(RELEASE, order.id, event.release_id, now, cause.value, event.reason)
    changes.tell(facts.account_id, event)


def _rule(cause: ReleaseCause, facts: Facts, changes: Changes) -> str:
    """The rule of the policy that takes it off."""
    rules = changes.terms(facts.policy).policy.rules
    if cause is ReleaseCause.OUTAGE:
        return rules["outage"]
    if cause is ReleaseCause.HOLD:
        return rules["hold"]
    return rules.get("restriction", rules["segment"])


async def services_restricted(session: AsyncSession, *, events: Sequence[ServiceRestricted], now: datetime) -> None:
    """The restriction was done, even where it had been taken back meanwhile."""
    await _known(session, events, now)
    await execute(session, RESTRICTED, [each.restriction_id for each in events], [each.restricted_at for each in events], now)


async def restrictions_ended(session: AsyncSession, *, events: Sequence[RestrictionEnded], now: datetime) -> None:
    """It is over: taken off, replaced by the cut, or it never was."""
    await _known(session, events, now)
    table = list(zip(*((each.restriction_id, each.ended_at, each.outcome) for each in events), strict=True))
    await execute(session, ENDED, *map(list, table), now)


async def releases_closed(session: AsyncSession, *, events: Sequence[TicketClosed], now: datetime) -> None:
    """A release's ticket that closed without it: the service is still restricted, and it is asked for again."""
    failed = [each for each in events if each.request_id is not None and each.outcome != "released"]
    if failed:
        await execute(session, REFUSED, [each.request_id for each in failed], [each.closed_at for each in failed], now)


async def _known(session: AsyncSession, events: Sequence[ServiceRestricted | RestrictionEnded], now: datetime) -> None:
    """Lock the accounts and have them looked at again. Raises FactMissing for an order that is not known."""
    await touch(session, (each.customer_id for each in events), now=now)
    known = {row.id for row in await rows(session, KNOWN, [each.restriction_id for each in events])}
    for each in events:
        if each.restriction_id not in known:
            raise FactMissing(f"restriction {each.restriction_id} is not known yet")
