"""Assess accounts and write what follows: the one way in which a status changes and the policy does something by itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import StatusChange
from services.collections.operations import orders, restrictions
from services.collections.operations.changes import Changes, Rows
from services.collections.operations.holds import end_expired
from services.collections.operations.looking import looks
from services.collections.operations.recovering import hand_to_recovery
from services.collections.operations.worklists import Listing
from services.collections.queries.facts import load_facts
from services.collections.rules import worklist
from services.collections.rules.actions import (
    ChargeFee,
    DispatchInvoice,
    EndHold,
    HandToRecovery,
    OrderCut,
    ReleaseRestriction,
    Remind,
    Restrict,
    SendNotice,
    Single,
    WithdrawCut,
)
from services.collections.rules.agreements import Judgement
from services.collections.rules.assessment import Assessment, assess
from services.collections.rules.facts import Facts, Invoice, Plan, Promise
from services.collections.rules.reasons import standing_reason
from services.collections.rules.states import SYSTEM, PlanState, PromiseState
from services.collections.rules.terms import Terms
from shared.bulk import Sql
from shared.events import Event
from shared.events.collections import (
    PaymentPlanBroken,
    PaymentPlanCompleted,
    PaymentPlanLapsed,
    PromiseBroken,
    PromiseKept,
    PromiseLapsed,
    StatusChanged,
)

PROMISES = """
UPDATE promise p SET state = t.state, state_at = t.at, known_at = $4
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS t(id, state, at) WHERE p.id = t.id
"""
PLANS = """
UPDATE payment_plan p SET state = t.state, state_at = t.at, known_at = $4
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS t(id, state, at) WHERE p.id = t.id
"""
STATUSES = """
UPDATE account a SET version = t.told, status = t.code, status_since = t.since, status_rule = t.rule, status_reason = t.reason
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::int[]) AS t(id, code, since, rule, reason, told)
WHERE a.id = t.id
"""
STATUS = Rows(StatusChange, ("account_id", "version", "previous", "code", "label", "rule", "reason", "changed_at"))
SLICE = 20  # accounts that are thought about at a time


@dataclass
class Written:
    """What the assessments of many accounts came to, gathered to be written together."""

    promises: list[tuple[Promise, Judgement]] = field(default_factory=list)
    plans: list[tuple[Plan, Judgement]] = field(default_factory=list)
    statuses: list[tuple[UUID, str, datetime, str, str]] = field(default_factory=list)
    dispatches: list[tuple[Facts, Invoice]] = field(default_factory=list)
    reviewed: list[tuple[UUID, datetime | None]] = field(default_factory=list)
    listing: Listing = field(default_factory=Listing)


async def settle(session: AsyncSession, changes: Changes) -> dict[UUID, Facts]:
    """Assess the locked accounts from the facts as they are now, write what changed and tell it. Answers the facts that were assessed."""
    await changes.write(session)
    facts = await load_facts(session, list(changes.versions), now=changes.now)
    await settle_by(session, changes, facts)
    return facts


async def settle_by(session: AsyncSession, changes: Changes, facts: Mapping[UUID, Facts]) -> None:
    """The same from these facts: theirs, as they are now that the accounts are locked."""
    written = Written()
    for place, each in enumerate(facts.values(), start=1):
        await _settle_one(session, changes, each, written)
        if place % SLICE == 0:
            await asyncio.sleep(0)  # whose statement is answered meanwhile sends the next one: PostgreSQL works while we think
    _gather(changes, written)
    await changes.write(session)


async def _settle_one(session: AsyncSession, changes: Changes, facts: Facts, written: Written) -> None:
    terms = changes.terms(facts.policy)
    found = assess(facts, terms, changes.now)
    _look_again(facts, terms, found, changes.now, written)
    for promise, judged in found.promises:
        written.promises.append((promise, judged))
        _tell(changes, facts, _promise_event(promise, judged, facts))
    for plan, verdict in found.plans:
        written.plans.append((plan, verdict))
        _tell(changes, facts, _plan_event(plan, verdict, facts))
    if found.standing.code != facts.status:
        _change_status(changes, facts, terms, found, written)
    for action in found.actions:
        if isinstance(action, DispatchInvoice):
            written.dispatches.append((facts, action.invoice))
        else:
            await _act(session, changes, facts, action)


def _look_again(facts: Facts, terms: Terms, found: Assessment, now: datetime, written: Written) -> None:
    """When the account is looked at next, and where it stands in the people's worklist; once more at once where something was just done."""
    at, place = found.next_review_at, None
    if worklist.for_people(facts, terms):
        place, change = worklist.place(facts, terms, now), worklist.next_change(facts, terms, now)
        at = now if found.actions else min((each for each in (at, change) if each is not None), default=None)
    written.listing.note(facts, place)
    if at != facts.next_review_at:
        written.reviewed.append((facts.account_id, at))


def _tell(changes: Changes, facts: Facts, event: Event | None) -> None:
    if event is not None:
        changes.tell(facts.account_id, event)


def _promise_event(promise: Promise, judged: Judgement, facts: Facts) -> Event | None:
    if judged.state == PromiseState.KEPT:
        return PromiseKept(promise_id=promise.id, customer_id=facts.account_id, ordinal=promise.ordinal, kept_at=judged.at)
    if judged.state == PromiseState.BROKEN:
        return PromiseBroken(
            promise_id=promise.id,
            customer_id=facts.account_id,
            ordinal=promise.ordinal,
            due_at=promise.due_at,
            amount=promise.amount,
            currency=facts.currency,
        )
    if judged.state == PromiseState.LAPSED:
        return PromiseLapsed(promise_id=promise.id, customer_id=facts.account_id, ordinal=promise.ordinal, lapsed_at=judged.at)
    return None


def _plan_event(plan: Plan, judged: Judgement, facts: Facts) -> Event | None:
    if judged.state == PlanState.COMPLETED:
        return PaymentPlanCompleted(plan_id=plan.id, customer_id=facts.account_id, completed_at=judged.at)
    if judged.state == PlanState.BROKEN:
        return PaymentPlanBroken(plan_id=plan.id, customer_id=facts.account_id, instalment=judged.instalment or 1, broken_at=judged.at)
    if judged.state == PlanState.LAPSED:
        return PaymentPlanLapsed(plan_id=plan.id, customer_id=facts.account_id, lapsed_at=judged.at)
    return None


def _change_status(changes: Changes, facts: Facts, terms: Terms, found: Assessment, written: Written) -> None:
    stands, policy = found.standing, terms.policy
    rule, label = policy.rules[stands.decision], policy.statuses[stands.code]  # type: ignore[index]
    reason = standing_reason(stands, facts, terms, changes.now)
    event = StatusChanged(
        customer_id=facts.account_id,
        previous=facts.status,
        code=stands.code,
        label=label,
        rule=rule,
        reason=reason,
        changed_at=changes.now,
    )
    version = changes.tell(facts.account_id, event)
    changes.add(STATUS, facts.account_id, version, facts.status, stands.code, label, rule, reason, changes.now)
    written.statuses.append((facts.account_id, stands.code, stands.since, rule, reason))


async def _act(session: AsyncSession, changes: Changes, facts: Facts, action: Single) -> None:
    if isinstance(action, Remind):
        orders.remind(changes, facts, action.reminder, action.invoice)
    elif isinstance(action, Restrict):
        restrictions.restrict(changes, facts)
    elif isinstance(action, ReleaseRestriction):
        restrictions.release(changes, facts, action.restriction, action.cause)
    elif isinstance(action, SendNotice):
        await orders.send_notice(session, changes, facts, by=SYSTEM, reason=None)
    elif isinstance(action, OrderCut):
        orders.order_cut(changes, facts, agent=action.agent, resumes=action.resumes)
    elif isinstance(action, WithdrawCut):
        await orders.withdraw_cut(session, changes, facts, action.suspension, action.cause)
    elif isinstance(action, HandToRecovery):
        hand_to_recovery(changes, facts, action.suspension)
    elif isinstance(action, ChargeFee):
        orders.charge_fee(changes, facts, action)
    elif isinstance(action, EndHold):
        await end_expired(session, changes, facts, action.hold)
    else:
        orders.order_reconnection(changes, facts, action.suspension, basis=action.basis, agent=SYSTEM)


def _gather(changes: Changes, written: Written) -> None:
    """A part for each kind of change, however many accounts there are."""
    for sql, judged in ((PROMISES, written.promises), (PLANS, written.plans)):
        changes.parts.append(Sql(sql, [(each.id, verdict.state, verdict.at) for each, verdict in judged], [changes.now]))
    orders.dispatch_many(changes, written.dispatches)
    statuses = [(*each, changes.versioned(each[0])) for each in written.statuses]
    changes.parts += [Sql(STATUSES, statuses), *looks(written.reviewed), *written.listing.parts()]
