"""Customers registered and changed by hand, and the one place that tells what a customer looks like."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import select

from services.billing.models import Contract, Customer, Service
from services.billing.rules.values import search_key
from shared.db import execute, lock, new_id, ring, rows
from shared.errors import Conflict, FieldError, Invalid
from shared.events.billing import CustomerChanged, CustomerRegistered, CustomerState
from shared.log import current_traceparent
from shared.outbox import COLUMNS
from shared.web import expect_version

# The whole customer as the events tell it (`data`), and what only its history tells (`own`). $1 ids, $2 today in the operator's zone.
STATE = """
SELECT c.id, c.version, json_build_object(
    'customer_id', c.id, 'external_source', c.external_source, 'external_id', c.external_id, 'name', c.name, 'tax_id', c.tax_id,
    'is_isp', c.is_isp, 'special_negotiation', c.special_negotiation, 'assigned_agent', c.assigned_agent, 'contract_start', k.start_date,
    'contract_end', k.end_date, 'monthly_amount', coalesce(sold.monthly, 0)::numeric(18,4)::text, 'currency', c.currency,
    'contacts', c.contacts, 'services', coalesce(sold.services, '[]'::json), 'opening_status', c.opening_status)::text AS data,
    json_build_object('contract_number', k.number, 'contract_kind', k.kind)::text AS own
FROM customer c LEFT JOIN contract k ON k.customer_id = c.id
LEFT JOIN LATERAL (
    SELECT sum(s.monthly_amount) FILTER (WHERE s.active_to IS NULL OR s.active_to >= $2::date) AS monthly,
        json_agg(json_build_object('service_id', s.id, 'plan_code', s.plan_code, 'plan_kind', s.plan_kind, 'delivery', s.delivery,
            'network_login', s.network_login, 'access_node', s.access_node, 'monthly_amount', s.monthly_amount::text,
            'active_from', s.active_from, 'active_to', s.active_to) ORDER BY s.code) AS services
    FROM service s WHERE s.customer_id = c.id
) AS sold ON true
WHERE c.id = ANY($1::uuid[])
"""
TELL = f"""
INSERT INTO outbox ({COLUMNS})
SELECT gen_random_uuid(), $3, 'customer/' || id, version, id::text, $4, $5, data FROM ({STATE}) AS state ORDER BY id
"""


@dataclass(frozen=True)
class SoldService:
    """A service as it is sold by hand; `code` tells the services of one customer apart."""

    code: str
    plan_code: str
    plan_kind: str
    delivery: str
    monthly_amount: Decimal
    active_from: date
    active_to: date | None = None
    network_login: str | None = None
    access_node: str | None = None


@dataclass(frozen=True)
class ContractTerms:
    """A contract; an open end is a contract until further notice."""

    number: str | None = None
    kind: str | None = None
    start_date: date | None = None
    end_date: date | None = None


@dataclass(frozen=True)
class NewCustomer:
    """A customer as somebody enters it; `policy` is the operator's default until collections decides."""

    external_source: str
    external_id: str
    name: str
    currency: str
    policy: str
    tax_id: str | None = None
    contacts: list[dict[str, Any]] = field(default_factory=list)
    is_isp: bool = False
    special_negotiation: str | None = None
    assigned_agent: str | None = None
    contract: ContractTerms = ContractTerms()
    services: Sequence[SoldService] = ()


async def register_customer(session: AsyncSession, *, customer: NewCustomer, today: date, now: datetime) -> Customer:
    """Enter a customer by hand. Raises Conflict when its source already has this id."""
    count = await execute(
        session,
        "INSERT INTO customer (id, external_source, external_id, name, search_name, tax_id, contacts, is_isp, special_negotiation, "
        "assigned_agent, policy, currency, version, created_at, updated_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $13) "
        "ON CONFLICT (external_source, external_id) DO NOTHING",
        (customer_id := new_id()),
        customer.external_source,
        customer.external_id,
        customer.name,
        search_key(customer.name),
        customer.tax_id,
        json.dumps(customer.contacts, ensure_ascii=False),
        customer.is_isp,
        customer.special_negotiation,
        customer.assigned_agent,
        customer.policy,
        customer.currency,
        now,
    )
    if not count:
        raise Conflict(
            f"El cliente {customer.external_id} de {customer.external_source} ya existe.", remedy="Búsquelo y cámbielo con PATCH."
        )
    contract = Contract(customer_id=customer_id, **vars(customer.contract))
    _check_dates(contract)
    session.add(contract)
    session.add_all(Service(customer_id=customer_id, currency=customer.currency, **vars(each)) for each in customer.services)
    await session.flush()
    await tell_customers(session, [customer_id], CustomerRegistered, today=today, now=now)
    return await session.get_one(Customer, customer_id)


async def change_customer(
    session: AsyncSession,
    *,
    customer_id: UUID,
    fields: Mapping[str, Any],
    contract: Mapping[str, Any],
    services: Sequence[SoldService],
    seen: int,
    by: str,
    today: date,
    now: datetime,
) -> Customer:
    """Change a customer's own fields, its contract's, and services by their codes; what does not differ changes nothing and tells nothing.

    `seen` is the version that the person has read. Raises NotFound, Invalid, and Stale when somebody else was faster.
    """
    customer = await lock(session, Customer, customer_id)
    expect_version(customer.version, seen)
    before = await customer_states(session, [customer_id], today=today)
    for name, value in fields.items():
        setattr(customer, name, value)
    customer.search_name = search_key(customer.name)
    if contract:
        await _change_contract(session, customer_id, contract)
    await _change_services(session, customer, services)
    await session.flush()
    await tell_changes(session, before, by=by, today=today, now=now)
    await session.refresh(customer)
    return customer


async def _change_contract(session: AsyncSession, customer_id: UUID, terms: Mapping[str, Any]) -> None:
    contract = await session.get(Contract, customer_id) or Contract(customer_id=customer_id)
    for name, value in terms.items():
        setattr(contract, name, value)
    _check_dates(contract)
    session.add(contract)


async def _change_services(session: AsyncSession, customer: Customer, services: Sequence[SoldService]) -> None:
    query = select(Service).where(Service.customer_id == customer.id)
    known = {each.code: each for each in (await session.execute(query)).scalars()} if services else {}
    for sold in services:
        service = known.get(sold.code) or Service(customer_id=customer.id, currency=customer.currency, **vars(sold))
        for name, value in vars(sold).items():
            setattr(service, name, value)
        session.add(service)


def _check_dates(contract: Contract) -> None:
    if contract.start_date and contract.end_date and contract.end_date < contract.start_date:
        message = f"el contrato termina antes de empezar ({contract.start_date})"
        raise Invalid("Corrija: contract.end_date.", errors=[FieldError(field="contract.end_date", message=message)])


async def customer_states(session: AsyncSession, ids: Sequence[UUID], *, today: date) -> dict[UUID, dict[str, Any]]:
    """What the events and the history would tell of these customers now."""
    return {row.id: json.loads(row.data) | json.loads(row.own) for row in await rows(session, STATE, list(ids), today)}


async def tell_changes(session: AsyncSession, before: dict[UUID, dict[str, Any]], *, by: str, today: date, now: datetime) -> int:
    """Those customers that differ from how they were get a new version, a page of history, and CustomerChanged. Answers how many."""
    after = await customer_states(session, list(before), today=today)
    changed = {key: _difference(old, after[key]) for key, old in before.items() if old != after[key]}
    if not changed:
        return 0
    await execute(session, "UPDATE customer SET version = version + 1, updated_at = $2 WHERE id = ANY($1::uuid[])", list(changed), now)
    await execute(
        session,
        "INSERT INTO customer_history (customer_id, version, changed_at, changed_by, changes) "
        "SELECT c.id, c.version, $3, $4, t.changes FROM unnest($1::uuid[], $2::jsonb[]) AS t(id, changes) JOIN customer c ON c.id = t.id",
        list(changed),
        [json.dumps(each, ensure_ascii=False) for each in changed.values()],
        now,
        by,
    )
    await tell_customers(session, list(changed), CustomerChanged, today=today, now=now)
    return len(changed)


async def tell_customers(session: AsyncSession, ids: Sequence[UUID], event: type[CustomerState], *, today: date, now: datetime) -> None:
    """Publish these customers as they are now, set-based."""
    await execute(session, TELL, list(ids), today, event.TYPE, now, current_traceparent())
    ring(session)


def _difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Old and new value of every field that differs."""
    return {name: [old.get(name), value] for name, value in new.items() if old.get(name) != value}
