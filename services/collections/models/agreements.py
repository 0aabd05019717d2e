"""What was agreed with a customer: promises, payment plans, and reviews of its invoices. `state` caches what the ledger says."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy import Uuid as UuidType
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from services.collections.models.base import Table
from services.collections.rules.states import PlanState, PromiseState, Source
from shared.db import currency_column, money_column, new_id, one_of, period_column, utc


class Promise(Table, table=True):
    """The customer promised an amount by an instant, for the unpaid month `period` (VIP-11). `known_payments` are those that had been
    reported in the very instant in which it was made: they do not count towards it."""

    __tablename__ = "promise"
    __table_args__ = (
        UniqueConstraint("account_id", "period", "ordinal", name="uq_promise_ordinal"),
        one_of("state", PromiseState, "ck_promise_state"),
        CheckConstraint("amount > 0", name="ck_promise_amount"),
        CheckConstraint("due_at > made_at", name="ck_promise_due"),
        CheckConstraint("ordinal >= 1", name="ck_promise_ordinal"),
        Index("ix_promise_made", "made_at", "agent"),
        Index("ix_promise_running", "due_at", postgresql_where=text("state = 'RUNNING'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    period: str = period_column()
    ordinal: int = Field(sa_column=Column(SmallInteger, nullable=False))
    amount: Decimal = money_column()
    currency: str = currency_column()
    made_at: datetime = utc()
    due_at: datetime = utc()
    agent: str
    known_payments: list[UUID] = Field(default_factory=list, sa_column=Column(ARRAY(UuidType), nullable=False))
    state: str = PromiseState.RUNNING
    state_at: datetime = utc()
    known_at: datetime | None = utc(nullable=True)


class Plan(Table, table=True):
    """The debt in instalments. One that the customer brought along has none that we know, and counts until `holds_until` at the latest."""

    __tablename__ = "payment_plan"
    __table_args__ = (
        one_of("state", PlanState, "ck_payment_plan_state"),
        one_of("source", Source, "ck_payment_plan_source"),
        Index("ix_payment_plan_account", "account_id"),
        Index("ix_payment_plan_agreed", "agreed_at", "agent"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    currency: str = currency_column()
    agreed_at: datetime = utc()
    agent: str
    source: str = Source.PERSON
    holds_until: datetime | None = utc(nullable=True)
    known_payments: list[UUID] = Field(default_factory=list, sa_column=Column(ARRAY(UuidType), nullable=False))
    state: str = PlanState.RUNNING
    state_at: datetime = utc()
    known_at: datetime | None = utc(nullable=True)


class PlanInstalment(Table, table=True):
    """One part of a plan. It is met when the payments reported by `due_at` reach the sum of all parts up to it."""

    __tablename__ = "payment_plan_instalment"
    __table_args__ = (CheckConstraint("amount > 0", name="ck_payment_plan_instalment_amount"),)
    plan_id: UUID = Field(primary_key=True, foreign_key="payment_plan.id")
    number: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    due_at: datetime = utc()
    amount: Decimal = money_column()
    currency: str = currency_column()


class Review(Table, table=True):
    """Something of the customer's billing is looked into (VIP-23: INVESTIGAR) until somebody concludes it."""

    __tablename__ = "review"
    __table_args__ = (
        one_of("source", Source, "ck_review_source"),
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="ck_review_closed"),
        Index("uq_review_open", "account_id", unique=True, postgresql_where=text("closed_at IS NULL")),
        Index("ix_review_account", "account_id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    reason: str
    opened_at: datetime = utc()
    opened_by: str
    source: str = Source.PERSON
    closed_at: datetime | None = utc(nullable=True)
    closed_by: str | None = None
    conclusion: str | None = None
    known_at: datetime | None = utc(nullable=True)
