"""Whose accounts a person sees in lists: an agent its own, everybody else who may read all of them (VIP-4). One account may be read by
every reader: colleagues answer the phone for each other, and the rules still say whose work it is. And: who has seen which version."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Header
from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Account
from services.collections.queries.portfolios import covered_by
from shared.auth import Principal
from shared.db import lock
from shared.errors import Forbidden
from shared.operator import Operator
from shared.web import Session, expect_version, permits

READ, WORK, PORTFOLIOS, LISTS = "collections.read", "collections.work", "collections.portfolios", "collections.vip_lists"
HOLDS, SIMULATIONS, APPROVALS = "collections.holds", "collections.simulations", "collections.approvals"

Seen = Annotated[
    str | None,
    Header(alias="If-Match", pattern=r'^(\*|(W/)?"?\d{1,9}"?)$', description="el ETag del cliente que usted leyó; opcional"),
]


def sees_all(actor: Principal, documents: Operator) -> bool:
    """Managers, and readers who have no portfolio of their own, see every account."""
    return documents.may(actor.desks, PORTFOLIOS) or not documents.may(actor.desks, WORK)


def agent_shown(actor: Principal, documents: Operator, asked: str | None) -> str | None:
    """The agent whose accounts a list shows; None is all of them. Raises Forbidden for a colleague's list."""
    permits(actor, documents, READ)
    if sees_all(actor, documents):
        return asked
    if asked not in (None, actor.person):
        raise Forbidden(
            f"La cartera de {asked} la ven solo su gestor y la gerencia.",
            rule=documents.policies[documents.qualification.policy].rules["portfolio"],
            remedy=f"Deje `agent` vacío: verá la cartera de {actor.name}.",
        )
    return actor.person


async def agents_shown(session: AsyncSession, actor: Principal, documents: Operator, asked: str | None, now: datetime) -> list[str] | None:
    """The agents whose work a list shows; None is everybody's. An agent has its own and that of whom it stands in for now (COB-3), or one
    of the two alone. Raises Forbidden for the list of somebody else."""
    permits(actor, documents, READ)
    if sees_all(actor, documents):
        return None if asked is None else [asked]
    covered = await covered_by(session, actor.person, now=now)
    if asked in covered:
        return [asked]
    agent_shown(actor, documents, asked)
    return [actor.person, *covered] if asked is None else [actor.person]


async def agent_listed(session: AsyncSession, actor: Principal, documents: Operator, asked: str | None, now: datetime) -> str | None:
    """The one agent whose customers a list shows; None is all. An agent may ask for whom it stands in for. Raises Forbidden."""
    shown = await agents_shown(session, actor, documents, asked, now)
    return shown[0] if shown else None


async def expect_unchanged(session: Session, customer_id: UUID, seen: str | None) -> None:
    """Where the caller says which version it has read: keep the account as it is until the commit. Raises Stale when it has changed."""
    if seen is not None and seen != "*":
        account = await lock(session, Account, customer_id)
        expect_version(account.version, int(seen.removeprefix("W/").strip('"')))
