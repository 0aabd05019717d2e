"""Reads of lists, and of who qualifies for the segment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.collections.models import Account, SegmentChange, SegmentList, SegmentListRow
from services.collections.rules.qualification import Finding, Profile, findings, qualifies
from shared.errors import NotFound
from shared.operator import Operator

CHUNK = 1000


@dataclass(frozen=True)
class MismatchView:
    """A customer whose policy and qualification do not agree; `reasons` are the facts that decide it (Spanish)."""

    customer_id: UUID
    external_source: str
    external_id: str
    name: str
    policy: str
    reasons: list[str]


async def find_lists(session: AsyncSession, *, before: tuple[datetime, UUID] | None = None, limit: int = 50) -> Sequence[SegmentList]:
    """Lists, the latest first; `before` is when the last one seen was sent, and its id."""
    query = select(SegmentList).order_by(col(SegmentList.sent_at).desc(), col(SegmentList.id).desc()).limit(limit)
    if before is not None:
        query = query.where(tuple_(col(SegmentList.sent_at), col(SegmentList.id)) < tuple_(*before))
    return (await session.execute(query)).scalars().all()


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


async def mismatches(
    session: AsyncSession, operator: Operator, *, inside: bool, today: date, after: UUID | None = None, limit: int = 50
) -> list[MismatchView]:
    """Customers by id who are in the segment and do not qualify (`inside`), or who qualify and are not in it."""
    found: list[MismatchView] = []
    while len(found) < limit:
        accounts = await _candidates(session, operator, inside=inside, after=after)
        for account in accounts:
            profile = profile_of(account, today)
            if qualifies(operator, profile) != inside:
                found.append(_mismatch(account, findings(operator, profile), inside=inside))
        if len(accounts) < CHUNK:
            break
        after = accounts[-1].id
    return found[:limit]


def _mismatch(account: Account, judged: Sequence[Finding], *, inside: bool) -> MismatchView:
    reasons = [each.fact for each in judged if inside or each.holds]
    return MismatchView(account.id, account.external_source, account.external_id, account.name, account.policy, reasons)


async def _candidates(session: AsyncSession, operator: Operator, *, inside: bool, after: UUID | None) -> Sequence[Account]:
    """Accounts of the side asked for; outside the segment only those that some criterion may hold for, so that a large book is not read."""
    segment = operator.qualification.policy
    query = select(Account).order_by(col(Account.id)).limit(CHUNK)
    query = query.where(col(Account.policy) == segment if inside else (col(Account.policy) != segment) & _may_qualify(operator))
    if after is not None:
        query = query.where(col(Account.id) > after)
    return (await session.execute(query)).scalars().all()


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
