"""What billing tells of customers: what they bought, on which plan, and what was agreed with them."""

from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from shared.events.base import Amount, Currency, Delivery, Event, Payload


class Contact(Payload):
    """Someone to talk to at the customer's."""

    name: str
    role: str
    email: str | None = None
    phone: str | None = None


class ServiceSold(Payload):
    """One service of the customer, as sold and as delivered."""

    service_id: UUID
    plan_code: str
    plan_kind: str
    delivery: Delivery
    network_login: str | None = None
    access_node: str | None = None
    monthly_amount: Amount
    active_from: date
    active_to: date | None = None


class CustomerState(Event):
    """The whole customer as billing knows it; a later one replaces an earlier one."""

    customer_id: UUID
    external_source: str
    external_id: str
    name: str
    tax_id: str | None = None
    is_isp: bool = False
    special_negotiation: str | None = None
    assigned_agent: str | None = None
    contract_start: date | None = None
    contract_end: date | None = None
    monthly_amount: Amount
    currency: Currency
    contacts: list[Contact]
    services: list[ServiceSold]
    opening_status: str | None = None


class CustomerRegistered(CustomerState):
    """A customer exists from now on."""

    TYPE: ClassVar[str] = "billing.customer_registered.v1"


class CustomerChanged(CustomerState):
    """Something of the customer, its contract or its services changed."""

    TYPE: ClassVar[str] = "billing.customer_changed.v1"


class ServicePlanChanged(Event):
    """A service has another plan from a day on (operator's zone). `reference` is the ticket's id where the change was agreed in one."""

    TYPE: ClassVar[str] = "billing.service_plan_changed.v1"
    customer_id: UUID
    service_id: UUID
    from_plan: str
    to_plan: str
    monthly_amount: Amount
    currency: Currency
    effective_from: date
    reason: str
    reference: UUID | None = None


class AgreementRefused(Event):
    """What was agreed with a customer in a ticket cannot be carried out as it stands there: a person has to look at it."""

    TYPE: ClassVar[str] = "billing.agreement_refused.v1"
    agreement_id: UUID
    ticket_id: UUID
    customer_id: UUID
    detail: str
    refused_at: datetime
