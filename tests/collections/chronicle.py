"""A random month of one customer, of which other services tell late and dated back; what was known then is noted as it goes."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.collections.models import ContactKind
from services.collections.operations import contacts, holds, portfolios
from services.collections.queries.facts import load_facts
from services.collections.rules.assessment import Assessment, assess
from services.collections.rules.explaining import Explanation, explain
from services.collections.rules.facts import Facts
from services.collections.rules.terms import Book
from shared.db import new_id
from shared.errors import Problem
from shared.events.billing import (
    Allocation,
    CreditNoteIssued,
    CustomerChanged,
    DisputeOpened,
    DisputeResolved,
    FreedPart,
    InvoiceIssued,
    InvoiceVoided,
    PaymentAllocated,
    PaymentReported,
    PaymentReversed,
)
from shared.events.collections import (
    ReconnectionRequested,
    RestrictionReleaseRequested,
    RestrictionRequested,
    SuspensionNoticeRequested,
    SuspensionRequested,
)
from shared.events.noc import OutageClosed, OutageDeclared
from tests.collections.factories import AGENT, MANAGER, OTHER_AGENT
from tests.collections.story import Story, principal

NODES = ("SPS-01", "SPS-02")


@dataclass
class Noted:
    """What was known, decided and explained at an instant."""

    at: datetime
    facts: Facts
    assessment: Assessment
    explanation: Explanation


@dataclass
class Chronicle:
    """The customer's story as it is told at random, and billing's ledger as far as it is needed to tell it."""

    told: Story
    dice: random.Random
    noted: list[Noted] = field(default_factory=list)
    invoices: list[InvoiceIssued] = field(default_factory=list)
    payments: list[PaymentReported] = field(default_factory=list)
    confirmed: list[PaymentReported] = field(default_factory=list)
    disputes: list[DisputeOpened] = field(default_factory=list)
    open: dict[Any, Decimal] = field(default_factory=dict)
    outages: list[OutageDeclared] = field(default_factory=list)
    holds: list[Any] = field(default_factory=list)
    answered: set[Any] = field(default_factory=set)

    async def play(self, steps: int) -> None:
        """So many things happen, some hours apart; the first is the month's invoice."""
        await self.issue("2026-03")
        for _ in range(steps):
            await self.note()
            await self.told.until(await self.told.service.now() + timedelta(minutes=self.dice.randrange(20, 48 * 60)))
            await self.note()  # what the policy did on the way
            happening = self.dice.choice(HAPPENINGS)
            for _ in range(self.dice.choice((1, 1, 2))):
                try:
                    await happening(self)
                except Problem:
                    continue  # the rules forbid it; that nothing was written is the point
        await self.note()

    async def note(self) -> None:
        """Keep what is known now."""
        now = await self.told.service.now()
        if self.noted and self.noted[-1].at == now:
            self.noted.pop()
        self.noted.append(await self.known(now, None))

    async def known(self, at: datetime, known_at: datetime | None) -> Noted:
        """What is known, decided and explained at an instant."""
        operator = self.told.service.runtime.operator
        async with self.told.service.runtime.database.transaction() as session:
            found = (await load_facts(session, [self.told.customer.id], now=at, known_at=known_at))[self.told.customer.id]
        terms = Book(operator).terms(found.policy)
        # What was last told, and when the job looks again, are caches: nothing is decided from them. Parts stand in no order.
        invoices = [replace(each, parts=tuple(sorted(each.parts, key=lambda part: part.payment_id))) for each in found.invoices]
        facts = replace(found, invoices=tuple(invoices), version=0, status="", status_since=None, next_review_at=None)
        return Noted(at, facts, assess(found, terms, at), explain(found, terms, at, person=AGENT))

    async def some_time_ago(self, hours: int = 60) -> datetime:
        """An instant before now: other services tell late."""
        return await self.told.service.now() - timedelta(minutes=self.dice.randrange(hours * 60)) * self.dice.choice((0, 1))

    async def issue(self, period: str | None = None) -> None:
        period = period or f"2026-0{self.dice.randrange(1, 5)}"
        due = date(2026, int(period[-1]), self.dice.choice((5, 10)))
        made = self.told.customer.invoice(str(self.dice.randrange(50, 500)), period=period, due=due)
        made = made.model_copy(update={"number": f"F-{len(self.invoices)}"})
        if self.dice.random() < 0.2:
            made = made.model_copy(update={"origin": "manual", "fee": "late"})
        self.invoices.append(made)
        self.open[made.invoice_id] = made.balance
        await self.told.tell(made)

    async def report(self) -> None:
        amount, parts = Decimal(self.dice.randrange(20, 400)), []
        left = amount
        for invoice in self.invoices:
            part = min(left, self.open[invoice.invoice_id])
            left -= part
            self.open[invoice.invoice_id] -= part
            parts += [Allocation(invoice_id=invoice.invoice_id, amount=part)] if part else []
        made = self.told.customer.reported(str(amount), await self.some_time_ago()).model_copy(update={"allocations": parts})
        self.payments.append(made)
        await self.told.tell(made)

    async def confirm(self) -> None:
        if self.payments:
            payment = self.payments.pop(self.dice.randrange(len(self.payments)))
            self.confirmed.append(payment)
            at = await self.some_time_ago()
            covered = [each for each in self.invoices if self.open[each.invoice_id] == 0]
            await self.told.tell(
                self.told.customer.confirmed(payment, at), *(self.told.customer.paid(each, at) for each in covered if not self.payments)
            )

    def _open_again(self, payment: PaymentReported) -> None:
        for each in payment.allocations:
            self.open[each.invoice_id] += each.amount

    async def reject(self) -> None:
        if self.payments:
            payment = self.payments.pop()
            self._open_again(payment)
            await self.told.tell(self.told.customer.rejected(payment, await self.some_time_ago()))

    async def bounce(self) -> None:
        if self.confirmed:
            payment = self.confirmed.pop()
            self._open_again(payment)
            values = payment.model_dump(include={"payment_id", "customer_id", "amount", "currency", "reference", "allocations"})
            at = await self.some_time_ago()
            await self.told.tell(PaymentReversed(**values, reversed_at=at, reason="sin fondos", open_after=payment.amount))

    async def credit(self) -> None:
        invoice, paid = self.dice.choice(self.invoices), self.dice.choice([*self.confirmed, None])
        part = next((each for each in paid.allocations if each.amount > 10), None) if paid else None
        if paid is not None and part is not None:  # what the payment had covered of it is free, and goes nowhere
            paid.allocations[:] = [replace_part(each, part) for each in paid.allocations]
            freed, key, amount = [FreedPart(payment_id=paid.payment_id, amount=Decimal(10))], part.invoice_id, Decimal(10)
        else:
            freed, key, amount = [], invoice.invoice_id, min(Decimal(10), self.open[invoice.invoice_id])
            self.open[key] -= amount
        if amount:
            await self.told.tell(self._credit_note(key, amount, freed, await self.some_time_ago()))

    def _credit_note(self, invoice_id: Any, amount: Decimal, freed: list[FreedPart], at: datetime) -> CreditNoteIssued:
        return CreditNoteIssued(
            credit_note_id=new_id(),
            customer_id=self.told.customer.id,
            invoice_id=invoice_id,
            number="N-1",
            amount=amount,
            currency="USD",
            reason="cobro de más",
            issued_at=at,
            open_after=Decimal(0),
            freed=freed,
        )

    async def dispute(self) -> None:
        made = DisputeOpened(
            dispute_id=new_id(),
            customer_id=self.told.customer.id,
            invoice_id=self.dice.choice(self.invoices).invoice_id,
            amount=Decimal(self.dice.choice((10, 60, 500))),
            currency="USD",
            reason="no reconoce un cargo",
            opened_by=AGENT,
            opened_at=await self.some_time_ago(),
        )
        self.disputes.append(made)
        await self.told.tell(made)

    async def resolve(self) -> None:
        if self.disputes:
            made = self.disputes.pop()
            values = made.model_dump(include={"dispute_id", "customer_id", "invoice_id", "amount", "currency"})
            at = max(await self.some_time_ago(), made.opened_at)
            await self.told.tell(DisputeResolved(**values, outcome="rejected", resolved_by=MANAGER, resolved_at=at))

    async def allocate(self) -> None:
        """Money that a customer had left over covers part of an invoice."""
        invoice = self.dice.choice(self.invoices)
        amount = min(self.open[invoice.invoice_id], Decimal(7))
        if amount:
            self.open[invoice.invoice_id] -= amount
            parts = [Allocation(invoice_id=invoice.invoice_id, amount=amount)]
            payment = self.dice.choice([each.payment_id for each in self.confirmed] or [new_id()])
            for each in self.confirmed:
                if each.payment_id == payment:
                    each.allocations.append(parts[0])
            at = await self.some_time_ago()
            given: dict[str, Any] = {
                "payment_id": payment,
                "customer_id": self.told.customer.id,
                "currency": "USD",
                "open_after": Decimal(0),
            }
            await self.told.tell(PaymentAllocated(**given, confirmed=True, allocations=parts, allocated_at=at))

    async def void(self) -> None:
        free = [each for each in self.invoices if self.open[each.invoice_id] == each.balance]
        if len(free) > 1:
            gone = free[-1]
            self.open[gone.invoice_id] = Decimal(0)
            values = gone.model_dump(include={"invoice_id", "customer_id", "number", "period"})
            await self.told.tell(InvoiceVoided(**values, reason="duplicada", voided_at=await self.some_time_ago()))

    async def outage(self) -> None:
        if self.outages:
            closed = self.outages.pop()
            at = max(await self.some_time_ago(), closed.declared_at)
            await self.told.tell(_closed(closed, at))
            return
        node, at = self.dice.choice(NODES), await self.some_time_ago()
        made = OutageDeclared(outage_id=new_id(), access_node=node, description="fibra", declared_by="noc", declared_at=at)
        self.outages.append(made)
        await self.told.tell(made)

    async def change(self) -> None:
        """Billing changes what it knows of the customer."""
        base = replace(
            self.told.customer,
            node=self.dice.choice(NODES),
            delivery=self.dice.choice(("own", "third_party")),
            agent=self.dice.choice((AGENT, OTHER_AGENT)),
        )
        values = base.registered(name=self.dice.choice(("Cliente C-1", "Cliente Uno S.A."))).model_dump()
        await self.told.tell(CustomerChanged(**values))

    async def answer(self) -> None:
        """Ticketing and the notifier answer what was asked for, some of it late."""
        customer, at = self.told.customer, await self.some_time_ago(20)
        limits = RestrictionRequested, RestrictionReleaseRequested
        asked = await self.told.told(SuspensionNoticeRequested, SuspensionRequested, ReconnectionRequested, *limits)
        for each in [each for each in asked if each.customer_id == customer.id]:
            names = ("release_id", "restriction_id", "reconnection_id", "suspension_id", "notice_id")
            key = next(getattr(each, name) for name in names if hasattr(each, name))
            if key in self.answered:
                continue
            self.answered.add(key)
            bad = self.dice.random() < 0.25
            if isinstance(each, SuspensionNoticeRequested):
                told: Any = [customer.failed(key, at)] if bad else []
                told.append(customer.accepted(key, at))
            elif isinstance(each, RestrictionRequested):
                told = [customer.unrestricted(key, at, "refused")] if bad else [customer.restricted(key, at)]
            elif isinstance(each, RestrictionReleaseRequested):
                told = [customer.closed(key, at)] if bad else [customer.unrestricted(each.restriction_id, at)]
            elif isinstance(each, SuspensionRequested):
                told = [customer.cancelled(key, at, "refused")] if bad else [customer.suspended(key, at)]
            else:
                told = [customer.closed(key, at)] if bad else [customer.reconnected(each.suspension_id, at, each.basis, each.target_status)]
            for event in told:
                await self.told.tell(event)
                await self.note()
                await self.told.until(await self.told.service.now() + timedelta(minutes=1))

    async def promise(self) -> None:
        due = await self.told.service.now() + timedelta(hours=self.dice.randrange(5, 100))
        await self.told.promise(str(self.dice.choice((10, 25))), due)

    async def plan(self) -> None:
        now, debt = await self.told.service.now(), sum(self.open.values(), Decimal(0))
        await self.told.plan((str(debt / 2), now + timedelta(days=2)), (str(debt - debt / 2), now + timedelta(days=4)))

    async def review(self) -> None:
        if (await self.told.verdict("review")).allowed:
            await self.told.review()
        else:
            await self.told.conclude()

    async def collect(self) -> None:
        """The agent does what the ladder asks for."""
        await self.answer()
        facts = await self.told.facts()
        by = facts.agent or AGENT
        for action, do in (("notice", self.told.notice), ("suspend", self.told.suspend)):
            if (await self.told.verdict(action, by)).allowed:  # type: ignore[arg-type]
                await do(by)
                return
        for basis in ("payment", "promise", "payment_plan", "review"):
            if (await self.told.verdict("reconnect", by)).allowed:
                await self.told.reconnect(basis)

    async def contact(self) -> None:
        invoice = self.dice.choice(self.invoices).invoice_id
        kind = self.dice.choice((ContactKind.INVOICE_SENT, ContactKind.RECEIPT_CONFIRMED))
        await self.told.do(contacts.record, kind=kind, channel="teléfono", said="conversado", invoice_id=invoice)

    async def hold(self) -> None:
        now = await self.told.service.now()
        if self.holds:
            await self._by_manager(holds.end, hold_id=self.holds.pop().id, reason="terminó")
            return
        until = now + timedelta(hours=self.dice.randrange(3, 90))
        self.holds.append(await self.told.do(holds.place, service_id=None, reason="visita", owner=MANAGER, until=until))

    async def assign(self) -> None:
        agent = self.dice.choice((AGENT, OTHER_AGENT))
        await self._by_manager(portfolios.assign, agent=agent, customer_ids=[self.told.customer.id], reason="vacaciones")

    async def _by_manager(self, operation: Callable[..., Awaitable[Any]], **values: Any) -> None:
        """A command that names no customer."""
        service, now = self.told.service, await self.told.service.now()
        async with service.runtime.database.transaction() as session:
            await operation(session, actor=principal(MANAGER), operator=service.runtime.operator, now=now, **values)
        await service.work()


def replace_part(part: Allocation, less: Allocation) -> Allocation:
    """The part without the ten that a credit note freed of it."""
    return Allocation(invoice_id=part.invoice_id, amount=part.amount - 10) if part is less else part


def _closed(outage: OutageDeclared, at: datetime) -> OutageClosed:
    return OutageClosed(outage_id=outage.outage_id, access_node=outage.access_node, solution="empalme", closed_by="noc", closed_at=at)


HAPPENINGS: list[Callable[[Chronicle], Awaitable[None]]] = [
    *[Chronicle.report] * 3,
    *[Chronicle.confirm] * 2,
    *[Chronicle.collect] * 5,
    *[Chronicle.answer] * 2,
    Chronicle.reject,
    Chronicle.bounce,
    Chronicle.credit,
    Chronicle.dispute,
    Chronicle.resolve,
    Chronicle.allocate,
    Chronicle.void,
    Chronicle.outage,
    Chronicle.change,
    Chronicle.promise,
    Chronicle.plan,
    Chronicle.review,
    Chronicle.contact,
    Chronicle.hold,
    Chronicle.assign,
    Chronicle.issue,
]
