"""Events as the other services tell them, for one customer at a time, on the days of March 2026 in Tegucigalpa."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.db import new_id
from shared.events.billing import (
    Allocation,
    Contact,
    CreditNoteIssued,
    CustomerRegistered,
    DisputeOpened,
    DisputeResolved,
    FreedPart,
    InvoiceIssued,
    InvoicePaid,
    PaymentConfirmed,
    PaymentRejected,
    PaymentReported,
    PaymentReversed,
    ServiceSold,
)
from shared.events.notifier import MessageAccepted, MessageFailed
from shared.events.ticketing import (
    ReconnectionOrdered,
    RestrictionEnded,
    ServiceReconnected,
    ServiceRestricted,
    ServiceSuspended,
    SuspensionCancelled,
    TicketClosed,
)

ZONE = ZoneInfo("America/Tegucigalpa")
AGENT, OTHER_AGENT, MANAGER = "ana.martinez", "carlos.rivera", "marta.zelaya"


def local(day: int, hour: int = 0, minute: int = 0, month: int = 3) -> datetime:
    """An instant of 2026 on the operator's clock, as UTC."""
    return datetime(2026, month, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


@dataclass
class Customer:
    """A customer whose events are told as billing, ticketing and the notifier would."""

    external_id: str = "C-1"
    status: str | None = "CLIENTE VIP"
    agent: str | None = AGENT
    delivery: str = "own"
    node: str | None = "SPS-01"
    plan_kind: str = "dedicated"
    monthly: Decimal = Decimal("460.00")
    id: UUID = field(default_factory=new_id)

    def registered(self, **more: Any) -> CustomerRegistered:
        service = ServiceSold(
            service_id=new_id(),
            plan_code="DED-20",
            plan_kind=self.plan_kind,
            delivery=self.delivery,
            network_login=f"{self.external_id}@red",
            access_node=self.node,
            monthly_amount=self.monthly,
            active_from=date(2025, 1, 1),
        )
        given: dict[str, Any] = {
            "customer_id": self.id,
            "external_source": "crm",
            "external_id": self.external_id,
            "name": f"Cliente {self.external_id}",
            "assigned_agent": self.agent,
            "monthly_amount": self.monthly,
            "currency": "USD",
            "contacts": [Contact(name="Eva", role="pagos", email="eva@cliente.example")],
            "services": [service],
            "opening_status": self.status,
        }
        return CustomerRegistered(**{**given, **more})

    def invoice(
        self, amount: str = "460.00", period: str = "2026-03", due: date = date(2026, 3, 5), origin: str = "run", balance: str | None = None
    ) -> InvoiceIssued:
        total = Decimal(amount)
        return InvoiceIssued(
            invoice_id=new_id(),
            customer_id=self.id,
            number=f"F-{period}-{self.external_id}",
            origin=origin,
            period=period,
            issue_date=date.fromisoformat(f"{period}-01"),
            due_date=due,
            base=total,
            tax=Decimal(0),
            total=total,
            balance=total if balance is None else Decimal(balance),
            currency="USD",
        )

    def reported(self, amount: str, at: datetime, *parts: tuple[InvoiceIssued, str], open_after: str = "0") -> PaymentReported:
        return PaymentReported(
            payment_id=new_id(),
            customer_id=self.id,
            amount=Decimal(amount),
            currency="USD",
            reference=str(new_id()),
            channel="banco",
            reported_at=at,
            reported_by="banco",
            allocations=[Allocation(invoice_id=each.invoice_id, amount=Decimal(part)) for each, part in parts],
            open_after=Decimal(open_after),
        )

    def confirmed(self, payment: PaymentReported, at: datetime) -> PaymentConfirmed:
        return PaymentConfirmed(
            payment_id=payment.payment_id,
            customer_id=self.id,
            amount=payment.amount,
            currency="USD",
            reference=payment.reference,
            confirmed_at=at,
            allocations=payment.allocations,
            open_after=payment.open_after,
        )

    def rejected(self, payment: PaymentReported, at: datetime) -> PaymentRejected:
        return PaymentRejected(
            payment_id=payment.payment_id,
            customer_id=self.id,
            amount=payment.amount,
            currency="USD",
            reference=payment.reference,
            rejected_at=at,
            reason="el banco no lo encuentra",
            allocations=payment.allocations,
            open_after=payment.amount,
        )

    def bounced(self, payment: PaymentReported, at: datetime) -> PaymentReversed:
        return PaymentReversed(
            payment_id=payment.payment_id,
            customer_id=self.id,
            amount=payment.amount,
            currency="USD",
            reference=payment.reference,
            reversed_at=at,
            reason="sin fondos",
            allocations=payment.allocations,
            open_after=payment.amount,
        )

    def credited(self, invoice: InvoiceIssued, amount: str, at: datetime, *freed: tuple[PaymentReported, str]) -> CreditNoteIssued:
        return CreditNoteIssued(
            credit_note_id=new_id(),
            customer_id=self.id,
            invoice_id=invoice.invoice_id,
            number="N-1",
            amount=Decimal(amount),
            currency="USD",
            reason="cobro de más",
            issued_at=at,
            open_after=Decimal(0),
            freed=[FreedPart(payment_id=each.payment_id, amount=Decimal(part)) for each, part in freed],
        )

    def disputed(self, invoice: InvoiceIssued, amount: str, at: datetime) -> DisputeOpened:
        return DisputeOpened(
            dispute_id=new_id(),
            customer_id=self.id,
            invoice_id=invoice.invoice_id,
            amount=Decimal(amount),
            currency="USD",
            reason="No reconoce un cargo.",
            opened_by=AGENT,
            opened_at=at,
        )

    def resolved(self, dispute: DisputeOpened, at: datetime, outcome: Literal["accepted", "rejected"] = "rejected") -> DisputeResolved:
        values = dispute.model_dump(include={"dispute_id", "customer_id", "invoice_id", "amount", "currency"})
        return DisputeResolved(**values, outcome=outcome, resolved_by=MANAGER, resolved_at=at)

    def paid(self, invoice: InvoiceIssued, at: datetime) -> InvoicePaid:
        return InvoicePaid(invoice_id=invoice.invoice_id, customer_id=self.id, number=invoice.number, period=invoice.period, paid_at=at)

    def accepted(self, notice_id: UUID, at: datetime) -> MessageAccepted:
        return MessageAccepted(
            message_id=new_id(),
            customer_id=self.id,
            notice="aviso_suspension_vip",
            reference=str(notice_id),
            recipients=5,
            accepted_at=at,
        )

    def failed(self, notice_id: UUID, at: datetime) -> MessageFailed:
        return MessageFailed(
            message_id=new_id(),
            customer_id=self.id,
            notice="aviso_suspension_vip",
            reference=str(notice_id),
            recipient="ingenieria.sps@redsula.example",
            reason="550 no existe",
            failed_at=at,
        )

    def suspended(self, suspension_id: UUID, at: datetime) -> ServiceSuspended:
        return ServiceSuspended(suspension_id=suspension_id, ticket_id=new_id(), customer_id=self.id, suspended_at=at)

    def restricted(self, restriction_id: UUID, at: datetime) -> ServiceRestricted:
        return ServiceRestricted(restriction_id=restriction_id, ticket_id=new_id(), customer_id=self.id, restricted_at=at)

    def unrestricted(self, restriction_id: UUID, at: datetime, outcome: str = "released") -> RestrictionEnded:
        values = {"restriction_id": restriction_id, "ticket_id": new_id(), "customer_id": self.id, "outcome": outcome, "ended_at": at}
        return RestrictionEnded.model_validate(values)

    def cancelled(self, suspension_id: UUID, at: datetime, cause: str = "payment") -> SuspensionCancelled:
        return SuspensionCancelled(
            suspension_id=suspension_id,
            ticket_id=new_id(),
            customer_id=self.id,
            cause=cause,
            cancelled_at=at,
        )

    def closed(self, request_id: UUID, at: datetime, outcome: str = "refused") -> TicketClosed:
        return TicketClosed(
            ticket_id=new_id(),
            number=1,
            customer_id=self.id,
            kind="RECONEXION",
            procedure="reconexion_cliente_vip",
            outcome=outcome,
            requested_by=AGENT,
            request_id=request_id,
            closed_at=at,
        )

    def ordered(self, suspension_id: UUID, at: datetime, cause: str = "payment") -> ReconnectionOrdered:
        return ReconnectionOrdered(suspension_id=suspension_id, reconnection_id=new_id(), customer_id=self.id, cause=cause, ordered_at=at)

    def reconnected(
        self, suspension_id: UUID, at: datetime, basis: str = "payment", target: str = "temporary_active"
    ) -> ServiceReconnected:
        return ServiceReconnected(
            suspension_id=suspension_id,
            reconnection_id=new_id(),
            ticket_id=new_id(),
            customer_id=self.id,
            basis=basis,
            target_status=target,
            reconnected_at=at,
        )


HOUR = timedelta(hours=1)
