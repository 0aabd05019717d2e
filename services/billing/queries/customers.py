"""Reads of customers."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.billing.models import Contract, Customer, CustomerHistory, Service
from shared.errors import NotFound
from shared.sorting import Order, Placed, Sorting, identity, instant, number, text
from shared.spelling import plain

LAST_CHARACTER = "\U0010ffff"
CUSTOMERS = Sorting(
    "name",
    identity("customer.id"),
    name=text("customer.search_name"),
    external_id=text("customer.external_id", indexed=True),
    policy=text("customer.policy"),
    assigned_agent=text("customer.assigned_agent", empty=True),
)
HISTORY = Sorting(
    "-version",
    number("customer_history.version"),
    version=number("customer_history.version"),
    changed_at=instant("customer_history.changed_at"),
    changed_by=text("customer_history.changed_by"),
)


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
    session: AsyncSession, order: Order, *, name: str | None = None, external_id: str | None = None, policy: str | None = None
) -> list[Placed[Customer]]:
    """Customers; `name` is how one begins, whatever case and accents."""
    query = select(Customer)
    if name:
        begins = plain(name)  # a range, not LIKE: it goes by the index whatever the plan
        query = query.where(col(Customer.search_name) >= begins, col(Customer.search_name) < begins + LAST_CHARACTER)
    if external_id is not None:
        query = query.where(Customer.external_id == external_id)
    if policy is not None:
        query = query.where(Customer.policy == policy)
    return await order.select(session, query)


async def history_of(session: AsyncSession, customer_id: UUID, order: Order) -> list[Placed[CustomerHistory]]:
    """What changed on a customer. Raises NotFound."""
    if await session.get(Customer, customer_id) is None:
        raise NotFound(f"No existe el cliente {customer_id}.")
    return await order.select(session, select(CustomerHistory).where(CustomerHistory.customer_id == customer_id))
