"""What collections orders: notices of a coming cut, restrictions, cuts, reconnections, recoveries."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Amount, Currency, Delivery, Event


class SuspensionNoticeRequested(Event):
    """The five desks are to be told of a coming cut (VIP-10); `notice` names the notice of the operator's files."""

    TYPE: ClassVar[str] = "collections.suspension_notice_requested.v1"
    notice_id: UUID
    customer_id: UUID
    notice: str
    amount: Amount
    currency: Currency
    reason: str
    requested_by: str
    requested_at: datetime


class RestrictionRequested(Event):
    """Restrict the service before the cut: it stays connected, and every page shows the operator's payment page. Ticketing opens the ticket
    of `procedure`; the request is not the restriction. `release_procedure` is what releases it. `except_services` are on hold and stay
    as they are."""

    TYPE: ClassVar[str] = "collections.restriction_requested.v1"
    restriction_id: UUID
    customer_id: UUID
    procedure: str
    release_procedure: str
    rule: str
    reason: str
    amount: Amount
    currency: Currency
    invoice_ids: list[UUID]
    requested_at: datetime
    except_services: list[UUID] = []


class RestrictionReleaseRequested(Event):
    """The restriction no longer stands: one that is not done yet is cancelled, one that is done is taken off. `cause`: a payment, an
    agreement, nothing is owed any more (a credit note, a dispute), a hold, an outage, or the policy does not restrict any more."""

    TYPE: ClassVar[str] = "collections.restriction_release_requested.v1"
    release_id: UUID
    restriction_id: UUID
    customer_id: UUID
    procedure: str
    cause: Literal["payment", "agreement", "nothing_owed", "hold", "outage", "policy"]
    rule: str
    reason: str
    requested_at: datetime


class SuspensionRequested(Event):
    """Cut the service. Ticketing opens the ticket of `procedure`; the request is not the cut. `invoice_ids` are what is owed; the order
    falls when they are reported as paid in full, or with `release_on` any when any payment is reported. `except_services` are on hold and
    stay on."""

    TYPE: ClassVar[str] = "collections.suspension_requested.v1"
    suspension_id: UUID
    customer_id: UUID
    procedure: str
    delivery: Delivery
    rule: str
    reason: str
    amount: Amount
    currency: Currency
    invoice_ids: list[UUID]
    release_on: Literal["full", "any"] = "full"
    agent: str
    requested_at: datetime
    except_services: list[UUID] = []


class SuspensionWithdrawn(Event):
    """The order to cut no longer stands (an outage, a hold); a switch not yet claimed is cancelled."""

    TYPE: ClassVar[str] = "collections.suspension_withdrawn.v1"
    suspension_id: UUID
    customer_id: UUID
    reason: str
    withdrawn_at: datetime


class ReconnectionRequested(Event):
    """Switch the service on again; `basis` says what was negotiated (VIP-20, VIP-21)."""

    TYPE: ClassVar[str] = "collections.reconnection_requested.v1"
    reconnection_id: UUID
    suspension_id: UUID
    customer_id: UUID
    procedure: str
    delivery: Delivery
    basis: Literal["payment", "promise", "payment_plan", "review"]
    target_status: str
    rule: str
    agent: str
    requested_at: datetime


class RecoveryRequested(Event):
    """The day has come on which a cut customer that still owes is handed to recovery (VIP-16): ticketing opens `procedure`. Told once; and
    once more where the case was closed by a payment that was rejected afterwards. `amount` is what is owed by then, on `invoice_ids`.
    `imported`: the customer came to us in recovery, whose people know it; its case is opened here as well."""

    TYPE: ClassVar[str] = "collections.recovery_requested.v1"
    recovery_id: UUID
    suspension_id: UUID
    customer_id: UUID
    procedure: str
    delivery: Delivery
    rule: str
    reason: str
    amount: Amount
    currency: Currency
    agent: str
    requested_at: datetime
    invoice_ids: list[UUID] = []
    imported: bool = False
