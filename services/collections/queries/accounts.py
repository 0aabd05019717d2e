"""Reads of accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Account, Contact, Notice, Plan, PlanInstalment, Promise, Restriction, Review, Suspension
from services.collections.models import Invoice as InvoiceRow
from shared.db import rows
from shared.errors import NotFound
from shared.sorting import Order, Placed, Sorting, identity, text
from shared.spelling import plain

ACCOUNTS = Sorting(
    "name",
    identity("account.id"),
    name=text("account.search_name"),
    external_id=text("account.external_id", indexed=True),
    policy=text("account.policy"),
    status=text("account.status"),
    agent=text("account.agent", empty=True),
)
LATEST_CONTACTS = """
SELECT DISTINCT ON (customer_id) customer_id, kind, channel, agent, said, contacted_at FROM contact
WHERE customer_id = ANY($1::uuid[]) ORDER BY customer_id, contacted_at DESC, id DESC
"""
KEPT_CONTACTS, KEPT_INVOICES = 10, 24


@dataclass(frozen=True)
class LatestContact:
    """The last contact with a customer."""

    kind: str
    channel: str
    agent: str
    said: str
    contacted_at: datetime


@dataclass(frozen=True)
class AccountView:
    """An account with what people want to see of it: the newest of each first."""

    account: Account
    invoices: Sequence[InvoiceRow]
    promises: Sequence[Promise]
    plan: Plan | None
    instalments: Sequence[PlanInstalment]
    review: Review | None
    notice: Notice | None
    suspension: Suspension | None
    restriction: Restriction | None
    contacts: Sequence[Contact]


async def get_account(session: AsyncSession, customer_id: UUID) -> Account:
    """An account. Raises NotFound."""
    found = await session.get(Account, customer_id, populate_existing=True)
    if found is None:
        raise unknown_customer(customer_id)
    return found


def unknown_customer(customer_id: UUID) -> NotFound:
    """There is no such customer."""
    return NotFound(f"No existe el cliente {customer_id}.", remedy="Búsquelo por su nombre en GET /customers?q=.")


async def version_of(session: AsyncSession, customer_id: UUID) -> int:
    """The account's version as this transaction leaves it."""
    found = await rows(session, "SELECT version FROM account WHERE id = $1", customer_id)
    return int(found[0].version)


async def find_accounts(
    session: AsyncSession,
    order: Order,
    *,
    agent: str | None = None,
    status: str | None = None,
    policy: str | None = None,
    name: str | None = None,
    external_id: str | None = None,
    unassigned: bool = False,
) -> list[Placed[Account]]:
    """Accounts; `name` is how one begins, whatever case and accents."""
    query = select(Account)
    wanted = {Account.agent: agent, Account.status: status, Account.policy: policy, Account.external_id: external_id}
    for column, value in wanted.items():
        if value is not None:
            query = query.where(col(column) == value)
    if unassigned:
        query = query.where(col(Account.agent).is_(None))
    if name:
        query = query.where(col(Account.search_name).startswith(plain(name), autoescape=True))
    return await order.select(session, query)


async def view_account(session: AsyncSession, customer_id: UUID) -> AccountView:
    """An account with its agreements, notices, orders and last contacts. Raises NotFound."""
    account = await get_account(session, customer_id)
    invoices = select(InvoiceRow).where(InvoiceRow.account_id == customer_id)
    promises = select(Promise).where(Promise.account_id == customer_id)
    contacts = select(Contact).where(Contact.customer_id == customer_id)
    plans = select(Plan).where(Plan.account_id == customer_id)
    reviews = select(Review).where(Review.account_id == customer_id)
    notices = select(Notice).where(Notice.account_id == customer_id)
    orders = select(Suspension).where(Suspension.account_id == customer_id)
    limits = select(Restriction).where(Restriction.account_id == customer_id).order_by(col(Restriction.requested_at).desc()).limit(1)
    newest = col(InvoiceRow.period).desc(), col(InvoiceRow.issued_at).desc()
    plan = (await session.execute(plans.order_by(col(Plan.agreed_at).desc()).limit(1))).scalars().first()
    return AccountView(
        account=account,
        invoices=(await session.execute(invoices.order_by(*newest).limit(KEPT_INVOICES))).scalars().all(),
        promises=(await session.execute(promises.order_by(col(Promise.made_at).desc()))).scalars().all(),
        plan=plan,
        instalments=await instalments_of(session, plan),
        review=(await session.execute(reviews.order_by(col(Review.opened_at).desc()).limit(1))).scalars().first(),
        notice=(await session.execute(notices.order_by(col(Notice.requested_at).desc()).limit(1))).scalars().first(),
        suspension=(await session.execute(orders.order_by(col(Suspension.requested_at).desc()).limit(1))).scalars().first(),
        restriction=(await session.execute(limits)).scalars().first(),
        contacts=(await session.execute(contacts.order_by(col(Contact.contacted_at).desc()).limit(KEPT_CONTACTS))).scalars().all(),
    )


async def instalments_of(session: AsyncSession, plan: Plan | None) -> Sequence[PlanInstalment]:
    """The parts of a plan by number."""
    if plan is None:
        return []
    query = select(PlanInstalment).where(PlanInstalment.plan_id == plan.id).order_by(col(PlanInstalment.number))
    return (await session.execute(query)).scalars().all()


async def latest_contacts(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, LatestContact]:
    """The last contact with each of these customers, where there was one."""
    found = await rows(session, LATEST_CONTACTS, list(ids))
    return {row.customer_id: LatestContact(row.kind, row.channel, row.agent, row.said, row.contacted_at) for row in found}
