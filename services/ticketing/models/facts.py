"""What billing told us: customers, and what is open of their invoices. Fed by events alone."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CHAR, CheckConstraint, Column, Index, Numeric, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.ticketing.models.base import Table
from shared.db import money_column, utc


class Customer(Table, table=True):
    """A customer, the agent that its source names, its services (`service_id`, `plan_code`, `monthly_amount`, `delivery`, `network_login`,
    `access_node`, `active_from`, `active_to`), and `about` it: contract, amounts and contacts (`queries.facts.About`).

    Its row is the lock under which payments, orders and outcomes of this customer meet, one at a time.
    """

    __tablename__ = "customer"
    id: UUID = Field(primary_key=True)
    external_id: str
    name: str
    agent: str | None = None
    services: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    about: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")))


class Portfolio(Table, table=True):
    """The agent to whom collections gave the customer: goes before the one that the source names."""

    __tablename__ = "portfolio"
    customer_id: UUID = Field(primary_key=True)
    agent: str


class Invoice(Table, table=True):
    """An invoice and what was owed of it when it was issued; what is open follows from the allocations and from `credited`, what credit
    notes took off it."""

    __tablename__ = "invoice"
    __table_args__ = (Index("ix_invoice_customer", "customer_id"),)
    id: UUID = Field(primary_key=True)
    customer_id: UUID
    number: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=text("''")))
    due_date: date | None = None
    balance: Decimal = money_column()
    credited: Decimal = Field(default=Decimal(0), sa_column=Column(Numeric(18, 4), nullable=False, server_default=text("0")))
    currency: str | None = Field(default=None, sa_column=Column(CHAR(3), nullable=True))
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
