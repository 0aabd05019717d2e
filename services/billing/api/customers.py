"""Customers over HTTP: entered, changed, looked up, with everything that changed on them."""

import contextlib
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.adapters.price_functions import price_functions
from services.billing.api.customer_shapes import (
    ContractShown,
    CustomerChange,
    CustomerInput,
    CustomerListed,
    CustomerShown,
    HistoryShown,
    ServiceInput,
    ServiceShown,
)
from services.billing.models import Customer, CustomerHistory, Service
from services.billing.operations import customers
from services.billing.operations.customers import ContractTerms, NewCustomer, SoldService, Wanted
from services.billing.queries.customers import CUSTOMERS, HISTORY, CustomerView, find_customers, get_customer, history_of
from shared.calendar import BusinessCalendar
from shared.errors import FieldError, Invalid, nearest
from shared.idempotency import Answer, Command
from shared.log import current_traceparent
from shared.money import as_kept
from shared.operator import Operator
from shared.web import (
    Actor,
    Asked,
    Documents,
    IfMatch,
    Now,
    Order,
    Page,
    Session,
    command_router,
    created,
    page,
    permits,
    set_etag,
    sorted_by,
    together,
)
from shared.web.shapes import MoneyShown, money

router = command_router(tags=["customers"])


async def _register_together(
    session: AsyncSession, asked: Sequence[Asked[CustomerInput]], documents: Operator, now: datetime
) -> list[Answer | None]:
    """What `register_customer` does, for many: those that go through."""
    today = BusinessCalendar(documents).today(now)
    new: dict[Command, NewCustomer] = {}
    for each in asked:
        with contextlib.suppress(Invalid):
            if documents.may(each.actor.desks, "billing.customers"):
                new[each.command] = _new(each.body, documents, each.traceparent)
    refused = await customers.register_customers(session, customers=list(new.values()), today=today, now=now)
    answers: dict[Command, Answer] = {}
    for command, customer in new.items():
        if customer.id not in refused:
            answers[command] = created(_registered(customer, today), f"/billing/customers/{customer.id}", 1)
    return [answers.get(each.command) for each in asked]


@router.post("/customers", status_code=201)
@together(CustomerInput, _register_together)
async def register_customer(
    body: CustomerInput, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> CustomerShown:
    """Enter a customer by hand; files are imported with POST /imports."""
    permits(actor, documents, "billing.customers")
    new, today = _new(body, documents, current_traceparent()), BusinessCalendar(documents).today(now)
    await customers.register_customer(session, customer=new, today=today, now=now)
    response.headers["Location"] = f"/billing/customers/{new.id}"
    set_etag(response, 1)
    return _registered(new, today)


def _new(body: CustomerInput, documents: Operator, traceparent: str | None) -> NewCustomer:
    """The customer that the body tells of. Raises Invalid for an unknown agent, for an unknown plan and for dates the wrong way round."""
    _check_agent(body.assigned_agent, documents)
    return NewCustomer(
        external_source=body.external_source,
        external_id=body.external_id,
        name=body.name,
        currency=documents.currency,
        policy=documents.default_policy,
        tax_id=body.tax_id,
        contacts=[each.model_dump() for each in body.contacts],
        is_isp=body.is_isp,
        special_negotiation=body.special_negotiation,
        assigned_agent=body.assigned_agent,
        contract=ContractTerms(**body.contract.model_dump()),
        services=_sold(body.services, documents),
        traceparent=traceparent,
    )


def _registered(new: NewCustomer, today: date) -> CustomerShown:
    """A customer that was just entered, as it will be read."""
    return CustomerShown(
        **{name: value for name, value in vars(new).items() if name in CustomerShown.model_fields and name not in {"contract", "services"}},
        version=1,
        opening_status=None,
        last_billed=None,
        contract=ContractShown(**vars(new.contract)),
        services=[
            ServiceShown(**{**vars(each), "monthly_amount": as_kept(each.monthly_amount)})
            for each in sorted(new.services, key=lambda each: each.code)
        ],
        monthly_total=_total(new.services, new.currency, today),
    )


@router.get("/customers")
async def list_customers(
    session: Session,
    actor: Actor,
    documents: Documents,
    order: Annotated[Order, sorted_by(CUSTOMERS)],
    name: Annotated[str | None, Query(max_length=200, description="cómo empieza el nombre, sin importar acentos")] = None,
    external_id: Annotated[str | None, Query(max_length=100)] = None,
    policy: Annotated[str | None, Query(max_length=60)] = None,
) -> Page[CustomerListed]:
    """Customers by name."""
    permits(actor, documents, "billing.read")
    found = await find_customers(session, order, name=name, external_id=external_id, policy=policy)
    return page(found, order, show=_listed)


@router.get("/customers/{customer_id}")
async def show_customer(
    customer_id: UUID, response: Response, session: Session, now: Now, actor: Actor, documents: Documents
) -> CustomerShown:
    """A customer with its contract and services; the ETag goes into If-Match of a change."""
    permits(actor, documents, "billing.read")
    view = await get_customer(session, customer_id)
    set_etag(response, view.customer.version)
    return _show(view, BusinessCalendar(documents).today(now))


@router.patch("/customers/{customer_id}")
async def change_customer(
    customer_id: UUID,
    body: CustomerChange,
    seen: IfMatch,
    response: Response,
    session: Session,
    now: Now,
    actor: Actor,
    documents: Documents,
) -> CustomerShown:
    """Change what the body names; If-Match keeps two people from overwriting each other. Another plan or price of a service counts from
    today on, and a month that is billed already is charged or credited by days (FACT-6); POST …/services/{service_id}/plan names another
    day."""
    permits(actor, documents, "billing.customers")
    given = body.model_dump(exclude_unset=True, exclude={"contract", "services"})
    contract = body.contract.model_dump(exclude_unset=True)
    wanted = Wanted(customer_id, given, contract, _sold(body.services, documents), seen, actor.person)
    changed = await customers.change_customer(session, wanted=wanted, operator=documents, prices=price_functions(documents), now=now)
    set_etag(response, changed.version)
    return _show(await get_customer(session, customer_id), BusinessCalendar(documents).today(now))


@router.get("/customers/{customer_id}/history")
async def show_history(
    customer_id: UUID, session: Session, actor: Actor, documents: Documents, order: Annotated[Order, sorted_by(HISTORY)]
) -> Page[HistoryShown]:
    """What changed on a customer, when and by whom, the latest first."""
    permits(actor, documents, "billing.read")
    return page(await history_of(session, customer_id, order), order, show=_history)


def _sold(services: list[ServiceInput], documents: Operator) -> list[SoldService]:
    """The services with what the catalogue says of their plans. Raises Invalid for an unknown plan and for dates the wrong way round."""
    plans = {each.code: each for each in documents.plans}
    errors = []
    for at, each in enumerate(services):
        if each.plan_code not in plans:
            message = f"el catálogo no tiene el plan «{each.plan_code}»{nearest(each.plan_code, plans)}"
            errors.append(FieldError(field=f"services.{at}.plan_code", message=message))
        if each.active_to is not None and each.active_to < each.active_from:
            errors.append(FieldError(field=f"services.{at}.active_to", message=f"es anterior a active_from ({each.active_from})"))
        if each.code in [other.code for other in services[:at]]:
            errors.append(FieldError(field=f"services.{at}.code", message=f"«{each.code}» está dos veces"))
    if errors:
        raise Invalid(f"Corrija: {', '.join(each.field for each in errors)}.", errors=errors)
    return [
        SoldService(
            plan_kind=plans[each.plan_code].kind,
            monthly_amount=plans[each.plan_code].monthly_amount if each.monthly_amount is None else each.monthly_amount,
            **each.model_dump(exclude={"monthly_amount"}),
        )
        for each in services
    ]


def _check_agent(agent: str | None, documents: Operator) -> None:
    if agent is not None and documents.person(agent) is None:
        message = f"nadie se llama así en operator.yaml{nearest(agent, [each.person for each in documents.people])}"
        raise Invalid("Corrija: assigned_agent.", errors=[FieldError(field="assigned_agent", message=message)])


def _listed(customer: Customer) -> CustomerListed:
    return CustomerListed.model_validate(customer, from_attributes=True)


def _history(change: CustomerHistory) -> HistoryShown:
    return HistoryShown.model_validate(change, from_attributes=True)


def _show(view: CustomerView, today: date) -> CustomerShown:
    customer = view.customer
    return CustomerShown(
        **customer.model_dump(include=set(CustomerShown.model_fields)),
        contract=ContractShown.model_validate(view.contract, from_attributes=True) if view.contract else None,
        services=[ServiceShown.model_validate(each, from_attributes=True) for each in view.services],
        monthly_total=_total(view.services, customer.currency, today),
    )


def _total(services: Sequence[Service] | Sequence[SoldService], currency: str, today: date) -> MoneyShown:
    """What is billed a month for the services that have not ended."""
    running = [each.monthly_amount for each in services if each.active_to is None or each.active_to >= today]
    return money(as_kept(sum(running, Decimal(0))), currency)
