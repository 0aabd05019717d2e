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
from services.billing.operations.prorating import RULE, keep_plans, settle_rows
from services.billing.queries.plans import services_sold
from services.billing.rules.prices import Price
from services.billing.rules.proration import Sold
from shared.calendar import BusinessCalendar
from shared.db import execute, lock, new_id, ring, rows
from shared.envelopes import COLUMNS
from shared.errors import Conflict, FieldError, Invalid, Problem, Refused, expect_version
from shared.events.billing import CustomerChanged, CustomerRegistered, CustomerState
from shared.log import current_traceparent
from shared.operator import Operator
from shared.spelling import plain


def _state(told: str, columns: str) -> str:
    """The whole customer as the events tell it (`data`), and what only its history tells (`own`), of those in `told`. $2 is today in the
    operator's zone. The ids come first and everything is looked up by them: comparing two lists would be quadratic."""
    return f"""
SELECT {columns}, c.version, json_build_object(
    'customer_id', c.id, 'external_source', c.external_source, 'external_id', c.external_id, 'name', c.name, 'tax_id', c.tax_id,
    'is_isp', c.is_isp, 'special_negotiation', c.special_negotiation, 'assigned_agent', c.assigned_agent, 'contract_start', k.start_date,
    'contract_end', k.end_date, 'monthly_amount', coalesce(sold.monthly, 0)::numeric(18,4)::text, 'currency', c.currency,
    'contacts', c.contacts, 'services', coalesce(sold.services, '[]'::json), 'opening_status', c.opening_status)::text AS data,
    json_build_object('contract_number', k.number, 'contract_kind', k.kind)::text AS own
FROM {told} JOIN customer c ON c.id = told.id LEFT JOIN contract k ON k.customer_id = c.id
LEFT JOIN LATERAL (
    SELECT sum(s.monthly_amount) FILTER (WHERE s.active_to IS NULL OR s.active_to >= $2::date) AS monthly,
        json_agg(json_build_object('service_id', s.id, 'plan_code', s.plan_code, 'plan_kind', s.plan_kind, 'delivery', s.delivery,
            'network_login', s.network_login, 'access_node', s.access_node, 'monthly_amount', s.monthly_amount::text,
            'active_from', s.active_from, 'active_to', s.active_to) ORDER BY s.code) AS services
    FROM service s WHERE s.customer_id = c.id
) AS sold ON true
"""


STATE = _state("unnest($1::uuid[]) AS told(id)", "c.id")
TELL = f"""
INSERT INTO outbox ({COLUMNS})
SELECT gen_random_uuid(), $3, 'customer/' || id, version, id::text, $4, trace, data
FROM ({_state("unnest($1::uuid[], $5::text[]) AS told(id, trace)", "c.id, told.trace")}) AS state ORDER BY id
"""
# Customers that their source does not have yet, with contracts and services; answers which those are.
REGISTER = """
WITH made AS (
    INSERT INTO customer (id, external_source, external_id, name, search_name, tax_id, contacts, is_isp, special_negotiation,
        assigned_agent, policy, currency, version, created_at, updated_at)
    SELECT t.*, 1, $28, $28 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[], $8::bool[],
        $9::text[], $10::text[], $11::text[], $12::text[]) AS t
    ON CONFLICT (external_source, external_id) DO NOTHING RETURNING id, currency
), agreed AS (
    INSERT INTO contract (customer_id, number, kind, start_date, end_date)
    SELECT t.* FROM unnest($1::uuid[], $13::text[], $14::text[], $15::date[], $16::date[]) AS t(id, number, kind, starts, ends)
    JOIN made USING (id)
), sold AS (
    INSERT INTO service (id, customer_id, code, plan_code, plan_kind, delivery, monthly_amount, active_from, active_to, network_login,
        access_node, currency)
    SELECT t.*, made.currency FROM unnest($17::uuid[], $18::uuid[], $19::text[], $20::text[], $21::text[], $22::text[], $23::numeric[],
        $24::date[], $25::date[], $26::text[], $27::text[])
    AS t(id, customer_id, code, plan_code, plan_kind, delivery, monthly_amount, active_from, active_to, network_login, access_node)
    JOIN made ON made.id = t.customer_id
)
SELECT id FROM made
"""


@dataclass(frozen=True)
class SoldService:
    """A service as it is sold by hand; `code` tells the services of one customer apart. `id` is a new one's."""

    code: str
    plan_code: str
    plan_kind: str
    delivery: str
    monthly_amount: Decimal
    active_from: date
    active_to: date | None = None
    network_login: str | None = None
    access_node: str | None = None
    id: UUID = field(default_factory=new_id)


@dataclass(frozen=True)
class ContractTerms:
    """A contract; an open end is a contract until further notice."""

    number: str | None = None
    kind: str | None = None
    start_date: date | None = None
    end_date: date | None = None


@dataclass(frozen=True)
class Wanted:
    """What a person wants changed of a customer: fields of its own and of its contract by their names, services by their codes. `seen` is
    the version that `by` has read."""

    customer_id: UUID
    fields: Mapping[str, Any]
    contract: Mapping[str, Any]
    services: Sequence[SoldService]
    seen: int
    by: str


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
    id: UUID = field(default_factory=new_id)
    traceparent: str | None = field(default_factory=current_traceparent)


async def register_customer(session: AsyncSession, *, customer: NewCustomer, today: date, now: datetime) -> None:
    """Enter a customer by hand. Raises Invalid for a contract that ends before it starts, Conflict when its source already has this id."""
    problem = (await register_customers(session, customers=[customer], today=today, now=now)).get(customer.id)
    if problem is not None:
        raise problem


async def register_customers(session: AsyncSession, *, customers: Sequence[NewCustomer], today: date, now: datetime) -> dict[UUID, Problem]:
    """The same for many. Answers those that were not entered, and why."""
    found: dict[UUID, Problem] = {}
    for each in customers:
        if (problem := _wrong_dates(each.contract.start_date, each.contract.end_date)) is not None:
            found[each.id] = problem
    good = sorted((each for each in customers if each.id not in found), key=lambda each: (each.external_source, each.external_id))
    made = {row.id for row in await rows(session, REGISTER, *_columns(good), now)} if good else set()
    for each in good:
        if each.id not in made:
            text = f"El cliente {each.external_id} de {each.external_source} ya existe."
            found[each.id] = Conflict(text, remedy="Búsquelo y cámbielo con PATCH.")
    new = {each.id: each.traceparent for each in good if each.id in made}
    if new:
        await tell_customers(session, list(new), CustomerRegistered, today=today, now=now, traces=list(new.values()))
    return found


def _columns(new: Sequence[NewCustomer]) -> list[list[Any]]:
    """REGISTER's arguments: columns of customers, of their contracts, and of their services."""
    customers = [
        (each.id, each.external_source, each.external_id, each.name, plain(each.name), each.tax_id,
         json.dumps(each.contacts, ensure_ascii=False), each.is_isp, each.special_negotiation, each.assigned_agent, each.policy,
         each.currency, each.contract.number, each.contract.kind, each.contract.start_date, each.contract.end_date)
        for each in new
    ]  # fmt: skip
    services = [
        (sold.id, each.id, sold.code, sold.plan_code, sold.plan_kind, sold.delivery, sold.monthly_amount, sold.active_from, sold.active_to,
         sold.network_login, sold.access_node)
        for each in new for sold in each.services
    ]  # fmt: skip
    return [list(column) for column in (*zip(*customers, strict=True), *(zip(*services, strict=True) if services else [()] * 11))]


async def change_customer(
    session: AsyncSession, *, wanted: Wanted, operator: Operator, prices: Mapping[str, Price], now: datetime
) -> Customer:
    """Change a customer's own fields, its contract's, and services by their codes; what does not differ changes nothing and tells nothing.
    A service that begins or ends, or that has another plan or price from today on, in a month that is billed already is charged or credited
    by days (FACT-6).

    Raises NotFound, Invalid, Stale when somebody else was faster, and Refused for another plan of a service whose next one is decided
    already, and when the difference of a month cannot be charged or credited.
    """
    today, by = BusinessCalendar(operator).today(now), wanted.by
    customer = await lock(session, Customer, wanted.customer_id)
    expect_version(customer.version, wanted.seen)
    before = await customer_states(session, [customer.id], today=today)
    sold = await services_sold(session, customer.id) if wanted.services else []
    await _change_own(session, customer, wanted.fields, wanted.contract)
    _check_plans(sold, wanted.services)
    await _change_services(session, customer, wanted.services)
    await session.flush()
    await keep_plans(session, before=sold, reason="Cambio en los datos del cliente", by=by, today=today, now=now)
    await tell_changes(session, before, by=by, today=today, now=now)
    await session.refresh(customer)
    if wanted.services:
        key = f"services:{customer.version}"
        await settle_rows(session, before={customer.id: sold}, key=key, by=by, operator=operator, prices=prices, now=now)
    return customer


async def _change_own(session: AsyncSession, customer: Customer, fields: Mapping[str, Any], contract: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        setattr(customer, name, value)
    customer.search_name = plain(customer.name)
    if contract:
        await _change_contract(session, customer.id, contract)


def _check_plans(sold: Sequence[Sold], services: Sequence[SoldService]) -> None:
    """A plan that is decided for a day to come is not overtaken by one of today."""
    known = {each.code: each for each in sold}
    for new in services:
        old = known.get(new.code)
        decided = next((each.effective_from for each in old.changes if not each.applied), None) if old is not None else None
        if old is None or decided is None or (old.plan_code, old.monthly_amount) == (new.plan_code, new.monthly_amount):
            continue
        raise Refused(
            RULE,
            f"El plan de «{new.code}» no se cambia así: ya tiene decidido otro desde el {decided}.",
            remedy=f"Deje el plan que tiene, o decida otro con su día: POST /customers/{old.customer_id}/services/{old.id}/plan.",
        )


async def _change_contract(session: AsyncSession, customer_id: UUID, terms: Mapping[str, Any]) -> None:
    contract = await session.get(Contract, customer_id) or Contract(customer_id=customer_id)
    for name, value in terms.items():
        setattr(contract, name, value)
    if (problem := _wrong_dates(contract.start_date, contract.end_date)) is not None:
        raise problem
    session.add(contract)


async def _change_services(session: AsyncSession, customer: Customer, services: Sequence[SoldService]) -> None:
    query = select(Service).where(Service.customer_id == customer.id)
    known = {each.code: each for each in (await session.execute(query)).scalars()} if services else {}
    for sold in services:
        service = known.get(sold.code) or Service(customer_id=customer.id, currency=customer.currency, **vars(sold))
        for name, value in vars(sold).items():
            if name != "id":
                setattr(service, name, value)
        session.add(service)


def _wrong_dates(start: date | None, end: date | None) -> Problem | None:
    if start is None or end is None or end >= start:
        return None
    message = f"el contrato termina antes de empezar ({start})"
    return Invalid("Corrija: contract.end_date.", errors=[FieldError(field="contract.end_date", message=message)])


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


async def tell_customers(
    session: AsyncSession,
    ids: Sequence[UUID],
    event: type[CustomerState],
    *,
    today: date,
    now: datetime,
    traces: Sequence[str | None] | None = None,
) -> None:
    """Publish these customers as they are now, set-based; `traces` where each was changed in a trace of its own."""
    await execute(session, TELL, list(ids), today, event.TYPE, now, list(traces or [current_traceparent()] * len(ids)))
    ring(session)


def _difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Old and new value of every field that differs."""
    return {name: [old.get(name), value] for name, value in new.items() if old.get(name) != value}
