"""What ticketing tells: tickets and what the network did. Topic `ticketing.events`, key = customer id."""

from datetime import date, datetime, time
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Event, Payload


class Captured(Payload):
    """A field of a step's form as it was filled in, and what kind of field it is; `value` as people read it."""

    name: str
    label: str
    kind: str
    value: str


class SwitchProof(Payload):
    """What stands behind a switch: the id under which the network was called, for which service, how often, and when it was settled.
    `adapter` is `network`, or `manual` where a confirming ticket is the proof."""

    switch_id: UUID
    service_id: UUID
    network_login: str
    access_node: str = ""
    action: str
    adapter: str
    attempts: int
    settled_at: datetime | None = None
    detail: str | None = None


class TicketOpened(Event):
    """A procedure is under way. `parent_id` is the ticket whose outcome started it; `details` what is known from the beginning; `delivery`
    how the services are delivered that it is about."""

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
    parent_id: UUID | None = None
    details: list[Captured] = []
    delivery: Literal["own", "third_party", "mixed"] | None = None


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
    parent_id: UUID | None = None
    details: list[Captured] = []


class StepFinished(Event):
    """A task of a procedure was done: by whom, with which outcome, and what was written down. Steps that the system does are not told."""

    TYPE: ClassVar[str] = "ticketing.step_finished.v1"
    ticket_id: UUID
    number: int
    customer_id: UUID
    kind: str
    procedure: str
    step: str
    turn: int
    name: str
    outcome: str
    label: str
    desk: str | None = None
    finished_by: str
    captured: list[Captured] = []
    comment: str | None = None
    late: bool = False
    finished_at: datetime


class ServiceSuspended(Event):
    """The network did cut the service."""

    TYPE: ClassVar[str] = "ticketing.service_suspended.v1"
    suspension_id: UUID
    ticket_id: UUID
    customer_id: UUID
    suspended_at: datetime
    proof: list[SwitchProof] = []


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
    proof: list[SwitchProof] = []


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


class ServiceRestricted(Event):
    """The network did restrict the service: it is connected, and every page shows the operator's payment page."""

    TYPE: ClassVar[str] = "ticketing.service_restricted.v1"
    restriction_id: UUID
    ticket_id: UUID
    customer_id: UUID
    restricted_at: datetime
    proof: list[SwitchProof] = []


class RestrictionEnded(Event):
    """A restriction is over. `released`: the network took it off. `suspended`: the cut took its place. `cancelled` and `refused`: it never
    was, for it was taken back in time or the network refused. `ticket_id` is the ticket that ended it."""

    TYPE: ClassVar[str] = "ticketing.restriction_ended.v1"
    restriction_id: UUID
    ticket_id: UUID
    customer_id: UUID
    outcome: Literal["released", "suspended", "cancelled", "refused"]
    ended_at: datetime
    proof: list[SwitchProof] = []


class RestrictionUnresolved(Event):
    """The network's answer to a restriction, or to its release, is unknown or a refusal; somebody should look."""

    TYPE: ClassVar[str] = "ticketing.restriction_unresolved.v1"
    switch_id: UUID
    ticket_id: UUID
    customer_id: UUID
    action: Literal["restrict", "release"]
    outcome: Literal["unknown", "refused"]
    detail: str
    at: datetime


class AgreementReached(Event):
    """A customer agreed to something that is to be carried out from a day on (VIP-28, VIP-30): billing does, and charges accordingly.
    `service_id` is empty where it concerns no single service, `plan_code` where the plan stays; `detail` is the report in words."""

    TYPE: ClassVar[str] = "ticketing.agreement_reached.v1"
    agreement_id: UUID
    ticket_id: UUID
    customer_id: UUID
    service_id: UUID | None = None
    kind: Literal["upgrade", "downgrade", "plan_change", "other"]
    plan_code: str | None = None
    effective_from: date
    detail: str
    agreed_by: str
    agreed_at: datetime


class ChangeUnresolved(Event):
    """The network's answer to a change of a service's plan is unknown or a refusal; somebody should look."""

    TYPE: ClassVar[str] = "ticketing.change_unresolved.v1"
    switch_id: UUID
    ticket_id: UUID
    customer_id: UUID
    service_id: UUID
    plan_code: str
    outcome: Literal["unknown", "refused"]
    detail: str
    at: datetime


class StepOverdue(Event):
    """A task was still open at its deadline. `tell` are the desks that the procedure wants told; `outcome` what was followed by itself,
    None where the task stays open."""

    TYPE: ClassVar[str] = "ticketing.step_overdue.v1"
    ticket_id: UUID
    number: int
    customer_id: UUID
    kind: str
    procedure: str
    step: str
    name: str
    desk: str | None = None
    person: str | None = None
    deadline: datetime
    tell: list[str] = []
    outcome: str | None = None
    outcome_label: str | None = None
    at: datetime


class WorkOrderScheduled(Event):
    """The appointment of a task that is done at the customer's is agreed, or agreed anew. `opens` and `closes` are hours of the
    operator's day."""

    TYPE: ClassVar[str] = "ticketing.work_order_scheduled.v1"
    ticket_id: UUID
    number: int
    customer_id: UUID
    kind: str
    procedure: str
    step: str
    turn: int
    name: str
    order: str
    day: date
    opens: time
    closes: time
    technician: str
    scheduled_by: str
    scheduled_at: datetime
