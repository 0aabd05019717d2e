"""The monthly billing run: its plan and its pieces."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, Integer, UniqueConstraint, text
from sqlmodel import Field

from services.billing.models.base import Table
from services.billing.rules.states import RunState
from shared.db import currency_column, money_column, new_id, one_of, period_column, utc


class BillingRun(Table, table=True):
    """One month's run: at most one per period. Its invoices have the numbers from `first_number` on, in the order of the plan."""

    __tablename__ = "billing_run"
    __table_args__ = (one_of("state", RunState, "ck_billing_run_state"), UniqueConstraint("period", name="uq_billing_run_period"))
    id: UUID = Field(default_factory=new_id, primary_key=True)
    period: str = period_column()
    state: str
    issue_date: date
    fiscal_series_id: UUID | None = Field(default=None, foreign_key="fiscal_series.id")
    first_number: int | None = Field(default=None, sa_column=Column(BigInteger))
    customers: int = 0
    currency: str = currency_column()
    refusal: str | None = None
    requested_by: str
    requested_at: datetime = utc()
    started_at: datetime | None = utc(nullable=True)
    completed_at: datetime | None = utc(nullable=True)
    version: int = 1


class PlannedInvoice(Table, table=True):
    """The run's plan: who gets which place in line, those whose policy says so first (VIP-5)."""

    __tablename__ = "billing_run_customer"
    run_id: UUID = Field(primary_key=True, foreign_key="billing_run.id")
    ordinal: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    customer_id: UUID
    first: bool = False


class BillingChunk(Table, table=True):
    """A piece of a run that one worker issues in one transaction; the row lock of that transaction is the claim."""

    __tablename__ = "billing_chunk"
    __table_args__ = (Index("ix_billing_chunk_open", "run_id", "number", postgresql_where=text("done_at IS NULL")),)
    run_id: UUID = Field(primary_key=True, foreign_key="billing_run.id")
    number: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    first_ordinal: int
    last_ordinal: int
    invoices: int = 0
    total: Decimal = money_column()
    done_at: datetime | None = utc(nullable=True)
