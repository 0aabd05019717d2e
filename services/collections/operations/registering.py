"""Customers as billing tells them become accounts; the state in which they came to us becomes facts with the source IMPORT."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Plan, Restriction, Review, SegmentChange, Suspension
from services.collections.operations.changes import Changes
from services.collections.operations.looking import look_soon
from services.collections.rules.openings import opening_of
from services.collections.rules.qualification import Profile, qualifies
from services.collections.rules.states import SYSTEM, PlanState, Source, SuspensionState
from services.collections.rules.terms import Book
from shared.db import new_id, rows
from shared.events.billing import CustomerState, ServiceSold
from shared.events.collections import SegmentChanged
from shared.operator import Operator, Policy
from shared.spelling import plain

COLUMNS = """external_source, external_id, name, search_name, contacts, services, nodes, delivery, monthly_amount, currency, is_isp,
    special_negotiation, contract_start, contract_end, tax_id"""
VALUES = """t.external_source, t.external_id, t.name, t.search_name, t.contacts, t.services,
    ARRAY(SELECT jsonb_array_elements_text(t.nodes)), t.delivery, t.monthly_amount, t.currency, t.is_isp, t.special_negotiation,
    t.contract_start, t.contract_end, t.tax_id"""
ROWS = """unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::jsonb[], $8::jsonb[], $9::text[],
    $10::numeric[], $11::text[], $12::bool[], $13::text[], $14::date[], $15::date[], $16::text[], $17::text[], $18::text[],
    $19::text[])
    AS t(id, external_source, external_id, name, search_name, contacts, services, nodes, delivery, monthly_amount, currency, is_isp,
    special_negotiation, contract_start, contract_end, agent, policy, opening_status, tax_id)"""
REGISTER = f"""
INSERT INTO account (id, {COLUMNS}, agent, source_agent, policy, opening_status, status, status_since, status_rule, status_reason, version,
    registered_at)
SELECT t.id, {VALUES}, t.agent, t.agent, t.policy, t.opening_status, 'active', $20, '', '', 0, $20 FROM {ROWS}
ORDER BY t.id ON CONFLICT (id) DO NOTHING RETURNING id
"""
# What others changed since is not overwritten: the agent follows billing only when billing names another one than before.
CHANGE = f"""
UPDATE account a SET ({COLUMNS}) = ROW({VALUES}), source_agent = t.agent, opening_status = t.opening_status,
    agent = CASE WHEN t.agent IS DISTINCT FROM a.source_agent AND t.agent IS NOT NULL THEN t.agent ELSE a.agent END, known_at = $20
FROM {ROWS} JOIN (SELECT id FROM account WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE) AS locked ON locked.id = t.id
WHERE a.id = t.id RETURNING a.id
"""


@dataclass(frozen=True)
class Opening:
    """What a new customer's opening state means."""

    policy: str
    status: str
    by_label: bool


async def register(session: AsyncSession, *, customers: Sequence[CustomerState], operator: Operator, now: datetime) -> None:
    """New customers become accounts, ruled by the policy that their opening state names, and stand where they stood."""
    book = Book(operator)
    latest = {each.customer_id: each for each in customers}
    openings = {key: _opening(each, operator, now, book) for key, each in latest.items()}
    policies = {key: each.policy for key, each in openings.items()}
    found = await rows(session, REGISTER, *_columns(latest, policies, book, now), now)
    new = [latest[row.id] for row in found]
    await look_soon(session, [each.customer_id for each in new], now=now)
    await _take_over(session, new, openings, book, now)


async def change(session: AsyncSession, *, customers: Sequence[CustomerState], operator: Operator, now: datetime) -> set[UUID]:
    """Customers changed at billing; answers those that are known here."""
    latest = {each.customer_id: each for each in customers}
    policies = dict.fromkeys(latest, "")
    known = {row.id for row in await rows(session, CHANGE, *_columns(latest, policies, Book(operator), now), now)}
    await look_soon(session, sorted(known), now=now)
    return known


def _columns(customers: Mapping[UUID, CustomerState], policies: Mapping[UUID, str], book: Book, now: datetime) -> tuple[list[object], ...]:
    today = book.calendar.today(now)
    table = [_row(each, policies[each.customer_id], today) for each in customers.values()]
    return tuple(map(list, zip(*table, strict=True)))


def _row(customer: CustomerState, policy: str, today: date) -> tuple[object, ...]:
    sold = active_services(customer.services, today)
    nodes = sorted({each.access_node for each in sold if each.access_node})
    return (
        customer.customer_id,
        customer.external_source,
        customer.external_id,
        customer.name,
        plain(customer.name),
        json.dumps([each.model_dump(mode="json") for each in customer.contacts], ensure_ascii=False),
        json.dumps([each.model_dump(mode="json") for each in customer.services], ensure_ascii=False),
        json.dumps(nodes),
        "third_party" if any(each.delivery == "third_party" for each in sold) else "own",
        customer.monthly_amount,
        customer.currency,
        customer.is_isp,
        customer.special_negotiation,
        customer.contract_start,
        customer.contract_end,
        customer.assigned_agent,
        policy,
        customer.opening_status,
        customer.tax_id,
    )


def active_services(services: Sequence[ServiceSold], today: date) -> list[ServiceSold]:
    """The services that have not ended; when all have, the last that there were."""
    return [each for each in services if each.active_to is None or each.active_to >= today] or list(services)


def _opening(customer: CustomerState, operator: Operator, now: datetime, book: Book) -> Opening:
    sold = active_services(customer.services, book.calendar.today(now))
    profile = Profile(
        services=[(each.plan_code, each.plan_kind) for each in sold],
        monthly_amount=customer.monthly_amount,
        currency=customer.currency,
        is_isp=customer.is_isp,
        special_negotiation=customer.special_negotiation,
    )
    fits = customer.opening_status is not None and qualifies(operator, profile)
    policy, status = opening_of(operator, customer.opening_status, qualifies=fits)
    usual, _ = opening_of(operator, customer.opening_status, qualifies=False)
    return Opening(policy, status, policy == usual)


async def _take_over(
    session: AsyncSession, customers: Sequence[CustomerState], openings: Mapping[UUID, Opening], book: Book, now: datetime
) -> None:
    """Where they stood is a fact. Who looks only at the label can't tell the policy of some of them: those are told (SegmentChanged)."""
    until = book.terms(book.operator.default_policy).end_of_month(now)
    changes = Changes(book, now, {each.customer_id: 0 for each in customers})
    for each in customers:
        opening = openings[each.customer_id]
        if opening.status != "active":
            session.add(_fact(each, opening, book.terms(opening.policy).policy, until, now))
        if not opening.by_label:
            _tell_segment(session, changes, each, opening, now)
    await changes.write(session)


def _fact(
    customer: CustomerState, opening: Opening, policy: Policy, until: datetime, now: datetime
) -> Suspension | Restriction | Plan | Review:
    """The fact that the opening status rests on. What we know no terms of holds until the month's end at the latest (our choice)."""
    said = f"Importado como {customer.opening_status}."
    if opening.status == "under_review":
        return Review(account_id=customer.customer_id, reason=said, opened_at=now, opened_by=SYSTEM, source=Source.IMPORT)
    if opening.status == "payment_plan":
        return _plan(customer, until, now)
    if opening.status == "restricted":
        return _restriction(customer, policy, said, now)
    cut = _cut(customer, said, now)
    if opening.status == "recovery":  # its case is opened by the review, once billing has told what is owed
        cut.recovery_requested_at = now
    if opening.status == "temporary_active":
        cut.state, cut.basis, cut.target_status = SuspensionState.RECONNECTED, "payment", "temporary_active"
        cut.reconnected_at, cut.holds_until = now, until
    return cut


def _plan(customer: CustomerState, until: datetime, now: datetime) -> Plan:
    return Plan(
        account_id=customer.customer_id,
        currency=customer.currency,
        agreed_at=now,
        agent=customer.assigned_agent or SYSTEM,
        source=Source.IMPORT,
        holds_until=until,
        state=PlanState.RUNNING,
        state_at=now,
    )


def _cut(customer: CustomerState, said: str, now: datetime) -> Suspension:
    return Suspension(
        account_id=customer.customer_id,
        state=SuspensionState.SUSPENDED,
        source=Source.IMPORT,
        procedure="",
        delivery="own",
        rule="",
        reason=said,
        amount=customer.monthly_amount * 0,
        currency=customer.currency,
        agent=customer.assigned_agent or SYSTEM,
        requested_at=now,
        suspended_at=now,
    )


def _restriction(customer: CustomerState, policy: Policy, said: str, now: datetime) -> Restriction:
    assert policy.restriction is not None
    return Restriction(
        account_id=customer.customer_id,
        source=Source.IMPORT,
        procedure="",
        release_procedure=policy.restriction.release_procedure,
        rule=policy.rules["restriction"],
        reason=said,
        amount=customer.monthly_amount * 0,
        currency=customer.currency,
        requested_at=now,
        restricted_at=now,
    )


def _tell_segment(session: AsyncSession, changes: Changes, customer: CustomerState, opening: Opening, now: datetime) -> None:
    note = f"Importado como {customer.opening_status}; califica para {changes.book.operator.policies[opening.policy].name}."
    key, operator = customer.customer_id, changes.book.operator
    session.add(
        SegmentChange(
            id=new_id(),
            customer_id=key,
            previous=operator.default_policy,
            policy=opening.policy,
            note=note,
            changed_by=SYSTEM,
            changed_at=now,
        )
    )
    event = SegmentChanged(
        customer_id=key, policy=opening.policy, note=note, changed_by=SYSTEM, changed_at=now, previous=operator.default_policy
    )
    changes.tell(key, event)
