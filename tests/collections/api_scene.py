"""One account in front of the API: events of billing, ticketing and the notifier in few words, at instants of the operator's clock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.collections.app import SERVICE
from shared.db import Database, new_id
from shared.events.billing import (
    Allocation,
    Contact,
    CustomerRegistered,
    InvoiceIssued,
    PaymentConfirmed,
    PaymentReported,
    ServiceSold,
)
from shared.events.collections import SuspensionNoticeRequested, SuspensionRequested
from shared.events.notifier import MessageAccepted
from shared.events.ticketing import ServiceSuspended
from tests.support.service import Served, operator, serve

START = "2026-03-01 07:00"
OpenDatabase = Callable[[str], Awaitable[Database]]


def local(text: str) -> datetime:
    """`2026-03-27 09:15` on the operator's clock, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=operator().zone).astimezone(UTC)


def registered(external_id: str = "C-1", **given: Any) -> CustomerRegistered:
    """A customer as billing tells it: a dedicated line of 400.00 that Ana looks after, unless said otherwise."""
    plan, kind = given.pop("plan", "dedicado_20"), given.pop("kind", "dedicated")
    amount = Decimal(given.pop("monthly_amount", "400"))
    sold = ServiceSold(
        service_id=new_id(),
        plan_code=plan,
        plan_kind=kind,
        delivery=given.pop("delivery", "own"),
        access_node=given.pop("access_node", "SPS-1"),
        monthly_amount=amount,
        active_from=date(2025, 1, 1),
    )
    values: dict[str, Any] = {
        "customer_id": new_id(),
        "external_source": "crm",
        "external_id": external_id,
        "name": f"Cliente {external_id}",
        "assigned_agent": "ana.martinez",
        "monthly_amount": amount,
        "currency": "USD",
        "contacts": [Contact(name="Berta Lara", role="Administración", email="berta@cliente.example", phone="+504 9999-0001")],
        "services": [sold],
    }
    return CustomerRegistered(**{**values, **given})


@dataclass
class Scene:
    """The service under test and how things are said to it."""

    served: Served
    invoices: dict[UUID, list[InvoiceIssued]] = field(default_factory=dict)

    async def customer(self, external_id: str = "C-1", **given: Any) -> UUID:
        """Register a customer; answer its id."""
        event = registered(external_id, **given)
        await self.served.deliver(event)
        await self.served.work()
        return event.customer_id

    async def vip(self, external_id: str = "C-1", **given: Any) -> UUID:
        """Register a customer whom Sales has put on its list."""
        customer_id = await self.customer(external_id, **given)
        body = {"period": "2026-02", "rows": [{"external_id": external_id, "note": "Plan Dedicado."}]}
        answer = await self.served.as_("sofia.mejia").post("/vip-lists", json=body)
        assert answer.status_code == 201, answer.text
        await self.served.work()
        return customer_id

    async def invoice(self, customer_id: UUID, total: str = "460.00", period: str = "2026-03", **given: Any) -> UUID:
        """Issue the invoice of a month; answer its id."""
        year, month = map(int, period.split("-"))
        values: dict[str, Any] = {
            "invoice_id": new_id(),
            "customer_id": customer_id,
            "number": f"000-001-01-{len(self.invoices) + 1:08}",
            "period": period,
            "issue_date": date(year, month, 1),
            "due_date": date(year, month, 5),
            "base": Decimal(total),
            "tax": Decimal(0),
            "total": Decimal(total),
            "balance": Decimal(total),
            "currency": "USD",
        }
        event = InvoiceIssued(**{**values, **given})
        self.invoices.setdefault(customer_id, []).append(event)
        await self.served.deliver(event)
        await self.served.work()
        return event.invoice_id

    async def reported(self, customer_id: UUID, amount: str = "460.00", open_after: str = "0", reference: str = "TRX-1") -> UUID:
        """A payment is reported for the customer's first invoice; answer its id."""
        event = PaymentReported(
            payment_id=new_id(),
            customer_id=customer_id,
            amount=Decimal(amount),
            currency="USD",
            reference=reference,
            channel="banco",
            reported_at=await self.served.now(),
            reported_by="ines.reyes",
            allocations=[Allocation(invoice_id=self.invoices[customer_id][0].invoice_id, amount=Decimal(amount))],
            open_after=Decimal(open_after),
        )
        await self.served.deliver(event)
        await self.served.work()
        return event.payment_id

    async def confirmed(self, customer_id: UUID, payment_id: UUID, amount: str = "460.00") -> None:
        """The money of a reported payment is there."""
        await self.served.deliver(
            PaymentConfirmed(
                payment_id=payment_id,
                customer_id=customer_id,
                amount=Decimal(amount),
                currency="USD",
                reference="TRX-1",
                confirmed_at=await self.served.now(),
                allocations=[Allocation(invoice_id=self.invoices[customer_id][0].invoice_id, amount=Decimal(amount))],
                open_after=Decimal(0),
            )
        )
        await self.served.work()

    async def notice_accepted(self) -> None:
        """Every mail server took the last notice that was asked for."""
        asked = (await self.served.published(SuspensionNoticeRequested))[-1].event
        await self.served.deliver(
            MessageAccepted(
                message_id=new_id(),
                customer_id=asked.customer_id,
                notice=asked.notice,
                reference=str(asked.notice_id),
                recipients=5,
                accepted_at=await self.served.now(),
            )
        )
        await self.served.work()

    async def suspended(self) -> None:
        """The network cut what was last asked for."""
        asked = (await self.served.published(SuspensionRequested))[-1].event
        await self.served.deliver(
            ServiceSuspended(
                suspension_id=asked.suspension_id,
                ticket_id=new_id(),
                customer_id=asked.customer_id,
                suspended_at=await self.served.now(),
            )
        )
        await self.served.work()

    async def get(self, path: str, person: str = "ana.martinez") -> Any:
        """What the API answers to this person; it must answer well."""
        answer = await self.served.as_(person).get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def scene(database: OpenDatabase, start: str = START, **settings: Any) -> AsyncIterator[Scene]:
    """Collections alone, at an hour of the operator's clock; `settings` are those of shared.settings."""
    async with serve(SERVICE, await database("collections"), local(start), **settings) as served:
        yield Scene(served)
