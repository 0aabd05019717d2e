"""What notifier knows of customers and invoices, told by others: just enough to write a mail."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.notifier.models.base import Table
from shared.db import currency_column, money_column, period_column, utc


class Customer(Table, table=True):
    """A customer as billing last told of it. `agent` is billing's; collections' word (Assignment) counts more."""

    __tablename__ = "customer"
    id: UUID = Field(primary_key=True)
    external_id: str
    name: str
    tax_id: str | None = None
    agent: str | None = None
    contacts: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))


class Assignment(Table, table=True):
    """What collections decided about a customer; it may be known before the customer is."""

    __tablename__ = "assignment"
    customer_id: UUID = Field(primary_key=True)
    policy: str | None = None
    agent: str | None = None


class Invoice(Table, table=True):
    """An invoice as it was issued (`data`: the event, as it travelled), and what of it is neither paid nor reported as paid."""

    __tablename__ = "invoice"
    __table_args__ = (Index("ix_invoice_open", "customer_id", postgresql_where=text("open_amount > 0")),)
    id: UUID = Field(primary_key=True)
    customer_id: UUID
    number: str
    period: str = period_column()
    due_date: date
    open_amount: Decimal = money_column()
    currency: str = currency_column()
    voided: bool = False
    paid_at: datetime | None = utc(nullable=True)
    data: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
