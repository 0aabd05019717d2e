"""What ticketing tells: tickets and what the network did. Topic `ticketing.events`, key = customer id."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Event


class TicketOpened(Event):
    """A procedure is under way."""

    TYPE: ClassVar[str] = "ticketing.ticket_opened.v1"
    ticket_id: UUID
    number: int
    customer_id: UUID
    kind: str
    procedure: str
    desk: str
    requested_by: str
    request_id: UUID | None = None
    opened_at: datetime


class TicketClosed(Event):
    """The procedure ended; `outcome` is one of its named outcomes (VIP-15, VIP-24)."""

    TYPE: ClassVar[str] = "ticketing.ticket_closed.v1"
    ticket_id: UUID
    number: int
    customer_id: UUID
    kind: str
    procedure: str
    outcome: str
    comment: str | None = None
    requested_by: str
    request_id: UUID | None = None
    closed_at: datetime


class ServiceSuspended(Event):
    """The network did cut the service."""

    TYPE: ClassVar[str] = "ticketing.service_suspended.v1"
    suspension_id: UUID
    ticket_id: UUID
    customer_id: UUID
    suspended_at: datetime


class ServiceReconnected(Event):
    """The network did switch the service on again."""

    TYPE: ClassVar[str] = "ticketing.service_reconnected.v1"
    suspension_id: UUID
    reconnection_id: UUID
    ticket_id: UUID
    customer_id: UUID
    basis: str
    target_status: str
    reconnected_at: datetime


class SuspensionCancelled(Event):
    """The cut never happened: a payment came first, collections withdrew it, or the network refused."""

    TYPE: ClassVar[str] = "ticketing.suspension_cancelled.v1"
    suspension_id: UUID
    ticket_id: UUID
    customer_id: UUID
    cause: Literal["payment", "withdrawn", "refused"]
    cancelled_at: datetime


class ReconnectionOrdered(Event):
    """Ticketing itself ordered the reconnection, because a payment and a cut crossed."""

    TYPE: ClassVar[str] = "ticketing.reconnection_ordered.v1"
    suspension_id: UUID
    reconnection_id: UUID
    customer_id: UUID
    cause: str
    ordered_at: datetime


class SwitchUnresolved(Event):
    """The network's answer is unknown or a refusal; somebody should look."""

    TYPE: ClassVar[str] = "ticketing.switch_unresolved.v1"
    switch_id: UUID
    ticket_id: UUID
    customer_id: UUID
    action: Literal["suspend", "reconnect"]
    outcome: Literal["unknown", "refused"]
    detail: str
    at: datetime
