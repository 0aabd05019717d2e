"""Reads of customers."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.billing.models import Contract, Customer, CustomerHistory, Service
from services.billing.rules.values import search_key
from shared.errors import NotFound

LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True)
class CustomerView:
    """A customer with its contract and services."""

    customer: Customer
    contract: Contract | None
    services: Sequence[Service]


async def get_customer(session: AsyncSession, customer_id: UUID) -> CustomerView:
    """A customer with its contract and services. Raises NotFound."""
    customer = await session.get(Customer, customer_id)
    if customer is None:
        raise NotFound(f"No existe el cliente {customer_id}.")
    services = select(Service).where(Service.customer_id == customer_id).order_by(col(Service.code))
    return CustomerView(customer, await session.get(Contract, customer_id), (await session.execute(services)).scalars().all())


async def find_customers(
    session: AsyncSession,
    *,
    name: str | None = None,
    external_id: str | None = None,
    policy: str | None = None,
    after: tuple[str, UUID] | None = None,
    limit: int = 50,
) -> Sequence[Customer]:
    """Customers by name; `name` is how one begins, whatever case and accents. `after` is search name and id of the last seen."""
    query = select(Customer).order_by(col(Customer.search_name), col(Customer.id)).limit(limit)
    if name:
        begins = search_key(name)  # a range, not LIKE: it goes by the index whatever the plan
        query = query.where(col(Customer.search_name) >= begins, col(Customer.search_name) < begins + LAST_CHARACTER)
    if external_id is not None:
        query = query.where(Customer.external_id == external_id)
    if policy is not None:
        query = query.where(Customer.policy == policy)
    if after is not None:
        query = query.where(tuple_(col(Customer.search_name), col(Customer.id)) > tuple_(*after))
    return (await session.execute(query)).scalars().all()


async def history_of(session: AsyncSession, customer_id: UUID, *, before: int | None = None, limit: int = 50) -> Sequence[CustomerHistory]:
    """What changed on a customer, the latest first; `before` is the last version seen. Raises NotFound."""
    if await session.get(Customer, customer_id) is None:
        raise NotFound(f"No existe el cliente {customer_id}.")
    query = select(CustomerHistory).where(CustomerHistory.customer_id == customer_id)
    if before is not None:
        query = query.where(col(CustomerHistory.version) < before)
    query = query.order_by(col(CustomerHistory.version).desc()).limit(limit)
    return (await session.execute(query)).scalars().all()
