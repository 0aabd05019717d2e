"""Reads of lists, and of who qualifies for the segment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Account, SegmentChange, SegmentList, SegmentListRow
from services.collections.rules.qualification import Finding, Profile, findings, qualifies
from shared.errors import NotFound
from shared.operator import Operator
from shared.sorting import Order, Placed, Sorting, identity, instant, number, text

CHUNK = 1000
LISTS = Sorting(
    "-sent_at",
    identity("segment_list.id"),
    sent_at=instant("segment_list.sent_at"),
    policy=text("segment_list.policy"),
    period=text("segment_list.period", cast="bpchar"),
    sent_by=text("segment_list.sent_by"),
    rows=number("segment_list.rows"),
    applied=number("segment_list.applied"),
    faulty=number("segment_list.faulty"),
)
MISMATCHES = Sorting(
    "customer_id",
    identity("account.id"),
    customer_id=identity("account.id"),
    external_id=text("account.external_id", always=True),
    name=text("account.search_name", always=True),
)


@dataclass(frozen=True)
class MismatchView:
    """A customer whose policy and qualification do not agree; `reasons` are the facts that decide it (Spanish)."""

    customer_id: UUID
    external_source: str
    external_id: str
    name: str
    policy: str
    reasons: list[str]


async def find_lists(session: AsyncSession, order: Order) -> list[Placed[SegmentList]]:
    """Lists."""
    return await order.select(session, select(SegmentList))


async def get_list(session: AsyncSession, list_id: UUID) -> SegmentList:
    """One list. Raises NotFound."""
    found = await session.get(SegmentList, list_id)
    if found is None:
        raise NotFound(f"No existe la lista {list_id}.")
    return found


async def rows_of(session: AsyncSession, list_id: UUID) -> Sequence[SegmentListRow]:
    """The rows of a list with what became of them, by line."""
    query = select(SegmentListRow).where(SegmentListRow.list_id == list_id).order_by(col(SegmentListRow.line))
    return (await session.execute(query)).scalars().all()


async def latest_change(session: AsyncSession, customer_id: UUID) -> SegmentChange | None:
    """How the account last came under its policy; None while it has the one that it came with."""
    query = select(SegmentChange).where(SegmentChange.customer_id == customer_id).order_by(col(SegmentChange.changed_at).desc()).limit(1)
    return (await session.execute(query)).scalars().first()


def profile_of(account: Account, today: date) -> Profile:
    """What qualification looks at, of the services that the account has today."""
    active = [
        each
        for each in account.services
        if date.fromisoformat(each["active_from"]) <= today
        and (each.get("active_to") is None or date.fromisoformat(each["active_to"]) >= today)
    ]
    return Profile(
        services=[(each["plan_code"], each["plan_kind"]) for each in active],
        monthly_amount=account.monthly_amount,
        currency=account.currency,
        is_isp=account.is_isp,
        special_negotiation=account.special_negotiation,
    )


async def mismatches(session: AsyncSession, order: Order, operator: Operator, *, inside: bool, today: date) -> list[Placed[MismatchView]]:
    """Customers who are in the segment and do not qualify (`inside`), or who qualify and are not in it."""
    found: list[Placed[MismatchView]] = []
    chunk = replace(order, limit=CHUNK)
    while len(found) <= order.limit:
        accounts: list[Placed[Account]] = await chunk.select(session, _candidates(operator, inside=inside))
        for each in accounts[:CHUNK]:
            profile = profile_of(each.item, today)
            if qualifies(operator, profile) != inside:
                found.append(each.now(_mismatch(each.item, findings(operator, profile), inside=inside)))
        if len(accounts) <= CHUNK:
            break
        chunk = replace(chunk, after=accounts[CHUNK - 1].place)
    return found


def _mismatch(account: Account, judged: Sequence[Finding], *, inside: bool) -> MismatchView:
    reasons = [each.fact for each in judged if inside or each.holds]
    return MismatchView(account.id, account.external_source, account.external_id, account.name, account.policy, reasons)


def _candidates(operator: Operator, *, inside: bool) -> Select[Account]:
    """Accounts of the side asked for; outside the segment only those that some criterion may hold for, so that a large book is not read."""
    segment = operator.qualification.policy
    return select(Account).where(col(Account.policy) == segment if inside else (col(Account.policy) != segment) & _may_qualify(operator))


def _may_qualify(operator: Operator) -> ColumnElement[bool]:
    """What the criteria look at, as the database can see it; the pure rule has the last word."""
    tests: list[ColumnElement[bool]] = []
    for each in operator.qualification.any_of:
        if each.plan_kinds is not None:
            tests += [col(Account.services).contains([{"plan_kind": kind}]) for kind in each.plan_kinds]
        elif each.is_isp:
            tests.append(col(Account.is_isp).is_(True))
        elif each.monthly_amount_above is not None:
            tests.append(col(Account.monthly_amount) > each.monthly_amount_above)
        else:
            tests.append(col(Account.special_negotiation).is_not(None))
    return or_(*tests)
