"""What ticketing hears from others, ready to be delivered."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from services.ticketing.app import SERVICE
from shared.db import Database, execute, new_id
from shared.events.base import Delivery
from shared.events.billing import (
    Allocation,
    CustomerRegistered,
    InvoiceIssued,
    InvoiceVoided,
    PaymentAllocated,
    PaymentConfirmed,
    PaymentRejected,
    PaymentReported,
    ServiceSold,
)
from shared.events.collections import ReconnectionRequested, SuspensionRequested, SuspensionWithdrawn
from shared.events.ticketing import ReconnectionOrdered, ServiceReconnected, ServiceSuspended, SuspensionCancelled
from tests.support.service import Served, serve

START = datetime(2026, 3, 28, 15, 0, tzinfo=UTC)
PROCEDURES = {"own": "suspension_cliente_vip", "third_party": "suspendido_cliente_vip"}
BACK = {"own": "reconexion_cliente_vip", "third_party": "reconexion_cliente_vip_terceros"}


@asynccontextmanager
async def ticketing(database: Database, **settings: Any) -> AsyncIterator[Served]:
    """Ticketing by itself, on day 28 of a March."""
    async with serve(SERVICE, database, START, **settings) as served:
        yield served


@dataclass
class Debtor:
    """A customer who owes March, and the events about it."""

    delivery: Delivery = "own"
    logins: Sequence[str] = ("hotel-01",)
    owes: Decimal = Decimal("575")
    agent: str | None = "ana.martinez"
    asks: str = "ana.martinez"
    procedure: str | None = None
    release_on: Literal["full", "any"] = "full"
    id: UUID = field(default_factory=new_id)
    invoice_id: UUID = field(default_factory=new_id)
    suspension_id: UUID = field(default_factory=new_id)
    node: str = "SPS-OLT-1"

    def registered(self) -> CustomerRegistered:
        services = [
            ServiceSold(
                service_id=new_id(),
                plan_code="dedicado_50",
                plan_kind="dedicated",
                delivery=self.delivery,
                network_login=login,
                access_node=self.node,
                monthly_amount=self.owes,
                active_from=date(2025, 1, 1),
            )
            for login in self.logins
        ]
        return CustomerRegistered(
            customer_id=self.id,
            external_source="crm",
            external_id=f"C-{self.id}",
            name="Hotel Copán, S.A.",
            assigned_agent=self.agent,
            monthly_amount=self.owes,
            currency="USD",
            contacts=[],
            services=services,
        )

    def issued(self) -> InvoiceIssued:
        return InvoiceIssued(
            invoice_id=self.invoice_id,
            customer_id=self.id,
            number="000-001-01-00000001",
            period="2026-03",
            issue_date=date(2026, 3, 1),
            due_date=date(2026, 3, 5),
            base=self.owes,
            tax=Decimal(0),
            total=self.owes,
            balance=self.owes,
            currency="USD",
        )

    def known(self) -> list[CustomerRegistered | InvoiceIssued]:
        """What billing told before anything is cut."""
        return [self.registered(), self.issued()]

    def requested(self) -> SuspensionRequested:
        return SuspensionRequested(
            suspension_id=self.suspension_id,
            customer_id=self.id,
            procedure=self.procedure or PROCEDURES[self.delivery],
            delivery=self.delivery,
            rule="VIP-12",
            reason="Sin pago reportado al 27",
            amount=self.owes,
            currency="USD",
            invoice_ids=[self.invoice_id],
            release_on=self.release_on,
            agent=self.asks,
            requested_at=START,
        )

    def withdrawn(self) -> SuspensionWithdrawn:
        return SuspensionWithdrawn(suspension_id=self.suspension_id, customer_id=self.id, reason="Falla del nodo", withdrawn_at=START)

    def reported(self, amount: Decimal | None = None, *, payment_id: UUID | None = None, at: datetime = START) -> PaymentReported:
        paid = self.owes if amount is None else amount
        return PaymentReported(
            payment_id=payment_id or new_id(),
            customer_id=self.id,
            amount=paid,
            currency="USD",
            reference="TRF-1",
            channel="transferencia",
            reported_at=at,
            reported_by="ana.martinez",
            allocations=[Allocation(invoice_id=self.invoice_id, amount=paid)],
            open_after=self.owes - paid,
        )

    def rejected(self, payment: PaymentReported) -> PaymentRejected:
        return PaymentRejected(
            payment_id=payment.payment_id,
            customer_id=self.id,
            amount=payment.amount,
            currency="USD",
            reference=payment.reference,
            rejected_at=START,
            reason="El banco no lo tiene",
            allocations=payment.allocations,
            open_after=self.owes,
        )

    def confirmed(self, payment: PaymentReported) -> PaymentConfirmed:
        return PaymentConfirmed(
            payment_id=payment.payment_id,
            customer_id=self.id,
            amount=payment.amount,
            currency="USD",
            reference=payment.reference,
            confirmed_at=START,
            allocations=payment.allocations,
            open_after=Decimal(0),
        )

    def allocated(self, payment: PaymentReported, amount: Decimal) -> PaymentAllocated:
        return PaymentAllocated(
            payment_id=payment.payment_id,
            customer_id=self.id,
            currency="USD",
            confirmed=False,
            allocations=[Allocation(invoice_id=self.invoice_id, amount=amount)],
            open_after=Decimal(0),
            allocated_at=START,
        )

    def voided(self) -> InvoiceVoided:
        return InvoiceVoided(
            invoice_id=self.invoice_id,
            customer_id=self.id,
            number="000-001-01-00000001",
            period="2026-03",
            reason="Emitida por error",
            voided_at=START,
        )

    def reconnection(self, basis: Literal["payment", "promise", "payment_plan", "review"] = "promise") -> ReconnectionRequested:
        return ReconnectionRequested(
            reconnection_id=new_id(),
            suspension_id=self.suspension_id,
            customer_id=self.id,
            procedure=BACK[self.delivery],
            delivery=self.delivery,
            basis=basis,
            target_status="temporary_active",
            rule="VIP-20",
            agent=self.asks,
            requested_at=START,
        )


TOLD = (SuspensionCancelled, ServiceSuspended, ReconnectionOrdered, ServiceReconnected)


async def story(served: Served) -> list[str]:
    """What ticketing has told of cuts so far, in words."""
    words = []
    for each in await served.published(*TOLD):
        event = each.event
        cause = f" ({event.cause})" if isinstance(event, SuspensionCancelled | ReconnectionOrdered) else ""
        words.append(type(event).__name__ + cause)
    return words


async def tickets(served: Served) -> list[tuple[str, str | None]]:
    """Kind and outcome of each ticket, in the order of their numbers."""
    return [(row.kind, row.outcome) for row in await served.sql("SELECT kind, outcome FROM ticket ORDER BY number")]


async def is_on(served: Served, login: str = "hotel-01") -> bool:
    """Is the login on, as the simulated network knows it?"""
    found = await served.sql("SELECT active FROM simulated_service WHERE login = $1", login)
    return not found or bool(found[0].active)


async def plan(served: Served, answers: str, *, login: str = "hotel-01", slow_ms: int = 0) -> None:
    """Let the simulated network answer so from now on."""
    async with served.runtime.database.transaction() as session:
        await execute(
            session,
            "INSERT INTO simulated_plan (login, answers, used, slow_ms) VALUES ($1, $2, 0, $3) "
            "ON CONFLICT (login) DO UPDATE SET answers = excluded.answers, used = 0, slow_ms = excluded.slow_ms",
            login,
            answers,
            slow_ms,
        )
