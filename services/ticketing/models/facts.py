"""What billing told us: customers, and what is open of their invoices. Fed by events alone."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.ticketing.models.base import Table
from shared.db import money_column, utc


class Customer(Table, table=True):
    """A customer, the agent that its source names, and its services (`service_id`, `delivery`, `network_login`, `access_node`,
    `active_from`, `active_to`).

    Its row is the lock under which payments, orders and outcomes of this customer meet, one at a time.
    """

    __tablename__ = "customer"
    id: UUID = Field(primary_key=True)
    external_id: str
    name: str
    agent: str | None = None
    services: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))


class Portfolio(Table, table=True):
    """The agent to whom collections gave the customer: goes before the one that the source names."""

    __tablename__ = "portfolio"
    customer_id: UUID = Field(primary_key=True)
    agent: str


class Invoice(Table, table=True):
    """An invoice and what was owed of it when it was issued; what is open follows from the allocations."""

    __tablename__ = "invoice"
    id: UUID = Field(primary_key=True)
    customer_id: UUID
    balance: Decimal = money_column()
    voided: bool = False


class Payment(Table, table=True):
    """A payment as billing told of it. `reported_at` is business time (UTC); a rejected one counts for nothing."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("state IN ('REPORTED', 'CONFIRMED', 'REJECTED')", name="ck_payment_state"),
        Index("ix_payment_customer", "customer_id"),
    )
    id: UUID = Field(primary_key=True)
    customer_id: UUID
    state: str
    reported_at: datetime = utc()


class Allocation(Table, table=True):
    """The part of a payment that goes to an invoice."""

    __tablename__ = "allocation"
    __table_args__ = (Index("ix_allocation_invoice", "invoice_id"),)
    payment_id: UUID = Field(primary_key=True, foreign_key="payment.id")
    invoice_id: UUID = Field(primary_key=True)
    amount: Decimal = money_column()
