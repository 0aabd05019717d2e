"""Customers, their contracts, and what they bought."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.billing.models.base import Table
from services.billing.rules.states import AgreementState
from shared.db import currency_column, money_column, new_id, one_of, period_column, sorted_text, utc


class Customer(Table, table=True):
    """A customer as its source knows it, under `external_source` + `external_id` for ever.

    `policy` comes from collections (SegmentChanged) and gives due dates and who is billed first. `last_billed` is the last month that the
    source billed before us; our own invoices guard the months after it. `version` counts the customer's events and is the API's ETag.
    `source_agent`, `source_hash` and `opening_hash` remember what the source last said: what others changed since is not overwritten.
    """

    __tablename__ = "customer"
    __table_args__ = (
        UniqueConstraint("external_id", "external_source", name="uq_customer_external"),
        Index("ix_customer_search", "search_name", "id"),
        Index("ix_customer_policy", "policy", "search_name", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    external_source: str
    external_id: str
    name: str
    search_name: str = sorted_text()
    tax_id: str | None = None
    contacts: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    is_isp: bool = False
    special_negotiation: str | None = None
    assigned_agent: str | None = None
    policy: str
    currency: str = currency_column()
    opening_status: str | None = None
    last_billed: str | None = period_column(nullable=True)
    source_agent: str | None = None
    source_hash: str | None = None
    opening_hash: str | None = None
    version: int = 1
    created_at: datetime = utc()
    updated_at: datetime = utc()


class Contract(Table, table=True):
    """The contract that a customer's services stand on. Both dates count; an open end is a contract until further notice."""

    __tablename__ = "contract"
    __table_args__ = (CheckConstraint("end_date >= start_date", name="ck_contract_dates"),)
    customer_id: UUID = Field(primary_key=True, foreign_key="customer.id")
    number: str | None = None
    kind: str | None = None
    start_date: date | None = None
    end_date: date | None = None


class Service(Table, table=True):
    """A service sold: `code` tells the services of one customer apart. It is billed from `active_from` to `active_to`, both included."""

    __tablename__ = "service"
    __table_args__ = (
        UniqueConstraint("customer_id", "code", name="uq_service_code"),
        CheckConstraint("delivery IN ('own', 'third_party')", name="ck_service_delivery"),
        CheckConstraint("monthly_amount >= 0", name="ck_service_amount"),
        CheckConstraint("active_to >= active_from - 1", name="ck_service_dates"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID = Field(foreign_key="customer.id")
    code: str
    plan_code: str
    plan_kind: str
    delivery: str = "own"
    network_login: str | None = None
    access_node: str | None = None
    monthly_amount: Decimal = money_column()
    currency: str = currency_column()
    active_from: date
    active_to: date | None = None


class PlanChange(Table, table=True):
    """A service has another plan from `effective_from` on (operator's zone). The service's own row tells the plan of today: a change whose
    day has not come is applied to it later. `from_*` is what the row said, or was going to say, when the change was decided."""

    __tablename__ = "plan_change"
    __table_args__ = (
        CheckConstraint("from_amount >= 0 AND to_amount >= 0", name="ck_plan_change_amounts"),
        Index("ix_plan_change_service", "service_id", "effective_from", "id"),
        Index("ix_plan_change_customer", "customer_id", "id"),
        Index("ix_plan_change_day", "effective_from"),
        Index("ix_plan_change_pending", "effective_from", "id", postgresql_where=text("applied_at IS NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID = Field(foreign_key="customer.id")
    service_id: UUID = Field(foreign_key="service.id")
    effective_from: date
    from_plan: str
    from_amount: Decimal = money_column()
    to_plan: str
    to_kind: str
    to_amount: Decimal = money_column()
    currency: str = currency_column()
    reason: str
    reference: UUID | None = None
    changed_at: datetime = utc()
    changed_by: str
    applied_at: datetime | None = utc(nullable=True)


class Agreement(Table, table=True):
    """What was agreed with a customer in a ticket, and what became of it here; `refusal` tells why it was not carried out."""

    __tablename__ = "agreement"
    __table_args__ = (
        one_of("state", AgreementState, "ck_agreement_state"),
        Index("ix_agreement_customer", "customer_id", "id"),
        Index("ix_agreement_state", "state", "id"),
    )
    id: UUID = Field(primary_key=True)
    ticket_id: UUID
    customer_id: UUID = Field(foreign_key="customer.id")
    service_id: UUID | None = None
    kind: str
    plan_code: str | None = None
    effective_from: date
    detail: str
    agreed_by: str
    agreed_at: datetime = utc()
    state: str
    refusal: str | None = None
    received_at: datetime = utc()


class CustomerHistory(Table, table=True):
    """What changed on a customer, when and by whom: `changes` maps each field to its old and new value."""

    __tablename__ = "customer_history"
    customer_id: UUID = Field(primary_key=True, foreign_key="customer.id")
    version: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    changed_at: datetime = utc()
    changed_by: str
    changes: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
