"""Whose accounts a person sees in lists: an agent its own, everybody else who may read all of them (VIP-4). One account may be read by
every reader: colleagues answer the phone for each other, and the rules still say whose work it is. And: how an agent's commands begin."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.collections.models import Account
from services.collections.queries.accounts import version_of
from services.collections.queries.portfolios import covered_by
from shared.auth import Principal
from shared.db import lock
from shared.errors import Forbidden, expect_version
from shared.operator import Operator
from shared.web import Actor, Documents, Now, Session, permits, set_etag

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


@dataclass(frozen=True)
class CustomerCommand:
    """What an agent has done about one customer. `seen` is the version that the agent has read, where its program says so."""

    customer_id: UUID
    response: Response
    session: AsyncSession
    now: datetime
    actor: Principal
    documents: Operator
    seen: str | None

    async def begin(self) -> None:
        """Once it is clear what is asked for: may this be asked, and is the account as it was read? Then it stays so until the commit.
        Raises Forbidden, and Stale."""
        permits(self.actor, self.documents, WORK)
        if self.seen is not None and self.seen != "*":
            account = await lock(self.session, Account, self.customer_id)
            expect_version(account.version, int(self.seen.removeprefix("W/").strip('"')))

    async def show_where(self) -> None:
        """Once it is done: where the customer is read, and its version as the command leaves it."""
        await self.session.flush()
        set_etag(self.response, await version_of(self.session, self.customer_id))
        self.response.headers["Location"] = f"/collections/customers/{self.customer_id}"


async def _customer_command(
    customer_id: UUID, response: Response, session: Session, now: Now, actor: Actor, documents: Documents, seen: Seen = None
) -> CustomerCommand:
    return CustomerCommand(customer_id, response, session, now, actor, documents, seen)


OnCustomer = Annotated[CustomerCommand, Depends(_customer_command)]
