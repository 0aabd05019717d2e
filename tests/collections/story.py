"""A customer's story in collections alone: events come in, agents act, days pass; what the service says of it can be asked at any time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.collections.app import SERVICE
from services.collections.operations import dispatches, notices, plans, promises, reconnections, reviews, suspensions
from services.collections.queries.facts import load_facts
from services.collections.queries.invariants import invariants
from services.collections.rules.facts import Facts
from services.collections.rules.terms import Book
from services.collections.rules.verdicts import ActionCode, Verdict, verdict
from shared.auth import Principal
from shared.db import Database
from shared.events import Event
from shared.operator import Operator
from tests.collections.factories import AGENT, Customer, local
from tests.support.service import Served, serve

OpenDatabase = Callable[[str], Awaitable[Database]]
START = local(1, 6)
FAR = datetime(2100, 1, 1, tzinfo=UTC)


def principal(person: str = AGENT) -> Principal:
    """Somebody of collections."""
    return Principal(person, person, frozenset({"cobros"}), "token", FAR)


@dataclass
class Story:
    """One service, one customer."""

    service: Served
    customer: Customer

    async def tell(self, *events: Event) -> None:
        """Let other services' events arrive, and collections think about them."""
        await self.service.deliver(*events)
        await self.service.work()

    async def until(self, instant: datetime) -> None:
        """Let time pass."""
        await self.service.at(instant)

    async def do(self, operation: Callable[..., Awaitable[Any]], *, by: str = AGENT, **values: Any) -> Any:
        """An agent's command, in a transaction of its own."""
        now = await self.service.now()
        async with self.service.runtime.database.transaction() as session:
            done = await operation(
                session, customer_id=self.customer.id, actor=principal(by), operator=self.service.runtime.operator, now=now, **values
            )
        await self.service.work()
        return done

    async def promise(self, amount: str, due_at: datetime, by: str = AGENT) -> Any:
        return await self.do(promises.make_promise, amount=Decimal(amount), currency="USD", due_at=due_at, by=by)

    async def plan(self, *parts: tuple[str, datetime]) -> Any:
        instalments = [plans.NewInstalment(due_at=due, amount=Decimal(amount), currency="USD") for amount, due in parts]
        return await self.do(plans.agree_plan, instalments=instalments)

    async def review(self) -> Any:
        return await self.do(reviews.open_review, reason="reclama un cargo")

    async def conclude(self) -> Any:
        return await self.do(reviews.close_review, conclusion="el cargo es correcto")

    async def notice(self, by: str = AGENT) -> Any:
        return await self.do(notices.request_notice, reason=None, by=by)

    async def suspend(self, by: str = AGENT) -> Any:
        return await self.do(suspensions.request_suspension, reason=None, by=by)

    async def reconnect(self, basis: str) -> Any:
        return await self.do(reconnections.request_reconnection, basis=basis)

    async def dispatch(self, invoice_id: UUID) -> Any:
        return await self.do(dispatches.request_dispatch, invoice_id=invoice_id)

    async def facts(self) -> Facts:
        now = await self.service.now()
        async with self.service.runtime.database.transaction() as session:
            return (await load_facts(session, [self.customer.id], now=now))[self.customer.id]

    async def verdict(self, action: ActionCode, by: str | None = AGENT) -> Verdict:
        facts = await self.facts()
        terms = Book(self.service.runtime.operator).terms(facts.policy)
        return verdict(action, facts, terms, await self.service.now(), person=by)

    async def status(self) -> str:
        return (await self.facts()).status

    async def told(self, *types: type[Event]) -> list[Any]:
        """What collections has told so far, of these types."""
        return [each.event for each in await self.service.published(*types)]

    async def cut(self) -> Any:
        """Notice on the 26th, accepted at once; order on the 28th, carried out an hour later. Answers the suspension."""
        await self.until(local(26, 9))
        notice = await self.notice()
        await self.tell(self.customer.accepted(notice.id, local(26, 9)))
        await self.until(local(28, 9))
        ordered = await self.suspend()
        await self.until(local(28, 10))
        await self.tell(self.customer.suspended(ordered.id, local(28, 10)))
        return ordered

    async def check(self) -> None:
        """Nothing that must hold is broken."""
        async with self.service.runtime.database.transaction() as session:
            assert await invariants(session, operator=self.service.runtime.operator, now=await self.service.now()) == []


@asynccontextmanager
async def story(
    database: OpenDatabase, start: datetime = START, customer: Customer | None = None, using: Operator | None = None
) -> AsyncIterator[Story]:
    """A story that begins at an instant with a customer that billing has just told of; at its end all invariants hold."""
    async with serve(SERVICE, await database("collections"), start, using=using) as service:
        told = Story(service, customer or Customer())
        await told.tell(told.customer.registered())
        yield told
        await told.check()
