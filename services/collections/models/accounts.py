"""Accounts: what collections knows of each customer, its invoices and its payments. Other services' facts, kept as they told them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, SmallInteger, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from services.collections.models.base import Table
from services.collections.rules.states import DeductionKind, FeeKind
from shared.db import currency_column, money_column, new_id, one_of, period_column, sorted_text, utc


class Account(Table, table=True):
    """A customer as collections sees it; `id` is the customer's.

    `status` with its since, rule and reason is a cache of the one status function (rules/standing.py), never edited. `version` counts the
    account's events and is the API's ETag. `source_agent` is the agent that billing last named: a later one of ours is not overwritten by
    the same name. `last_contact_at` is when somebody last spoke with the customer.
    """

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("external_id", "external_source", name="uq_account_external"),
        CheckConstraint("delivery IN ('own', 'third_party')", name="ck_account_delivery"),
        Index("ix_account_search", "search_name", "id"),
        Index("ix_account_agent", "agent", "search_name", "id"),
        Index("ix_account_status", "status", "search_name", "id"),
        Index("ix_account_policy", "policy", "search_name", "id"),
        Index("ix_account_portfolio", "agent", "policy", "status"),  # counted without reading the accounts
        Index("ix_account_nodes", "nodes", postgresql_using="gin"),
        # Room on its own page for the next version of every row: no index is written then, also on the day on which all are told or cut.
        {"postgresql_with": {"fillfactor": 50}},
    )
    id: UUID = Field(primary_key=True)
    external_source: str
    external_id: str
    name: str
    tax_id: str | None = None
    search_name: str = sorted_text()
    contacts: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    services: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    nodes: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(Text), nullable=False))
    delivery: str
    monthly_amount: Decimal = money_column()
    currency: str = currency_column()
    is_isp: bool = False
    special_negotiation: str | None = None
    contract_start: date | None = None
    contract_end: date | None = None
    agent: str | None = None
    source_agent: str | None = None
    policy: str
    opening_status: str | None = None
    status: str = "active"
    status_since: datetime = utc()
    status_rule: str = ""
    status_reason: str = ""
    version: int = 0
    registered_at: datetime = utc()
    known_at: datetime | None = utc(nullable=True)
    last_contact_at: datetime | None = utc(nullable=True)


class AccountReview(Table, table=True):
    """The next instant at which time alone could change what is decided about an account; without a row there is none. Every new fact sets
    it to now. Written under the account's lock only, and apart from the account, whose row is wide and has many indexes."""

    __tablename__ = "account_review"
    __table_args__ = (Index("ix_account_review_due", "due_at", "account_id"),)
    account_id: UUID = Field(primary_key=True, foreign_key="account.id")
    due_at: datetime = utc()


class ListedAccount(Table, table=True):
    """An account of the worklist, where the last review put it: the more urgent reason first (`urgency`, see rules/worklist.py), then the
    larger debt (`weight` is what is owed, below zero). `overdue_since` is the oldest due date that has passed unpaid."""

    __tablename__ = "worklist"
    __table_args__ = (
        Index("ix_worklist_place", "urgency", "weight", "account_id"),
        Index("ix_worklist_agent", "agent", "urgency", "weight", "account_id"),
    )
    account_id: UUID = Field(primary_key=True, foreign_key="account.id")
    agent: str | None = None
    urgency: int = Field(sa_column=Column(SmallInteger, nullable=False))
    weight: Decimal = money_column()
    overdue_since: date | None = None


class StatusChange(Table, table=True):
    """A step of an account's status: `code` is stable, `label` the operator's word for it on that day."""

    __tablename__ = "status_change"
    account_id: UUID = Field(primary_key=True, foreign_key="account.id")
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    previous: str
    code: str
    label: str
    rule: str
    reason: str
    changed_at: datetime = utc()


class Invoice(Table, table=True):
    """An invoice as billing told it. `balance` is what was owed on it when it came; `due_ends_at` is when the due date's day ends.
    `dispatched_at` and `receipt_confirmed_at` are ours (VIP-5, VIP-6). `fee` is set where it charges a fee (rules/charging.py)."""

    __tablename__ = "invoice"
    __table_args__ = (
        CheckConstraint("balance BETWEEN 0 AND total", name="ck_invoice_balance"),
        Index("ix_invoice_account", "account_id"),
    )
    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    number: str
    origin: str
    period: str = period_column()
    issue_date: date
    due_date: date
    due_ends_at: datetime = utc()
    total: Decimal = money_column()
    balance: Decimal = money_column()
    currency: str = currency_column()
    issued_at: datetime = utc()
    overdue_at: datetime | None = utc(nullable=True)
    paid_at: datetime | None = utc(nullable=True)
    voided_at: datetime | None = utc(nullable=True)
    dispatched_at: datetime | None = utc(nullable=True)
    dispatched_by: str | None = None
    receipt_confirmed_at: datetime | None = utc(nullable=True)
    receipt_confirmed_by: str | None = None
    fee: str | None = None
    known_at: datetime | None = utc(nullable=True)


class Payment(Table, table=True):
    """A payment as billing told it: reported, and then confirmed or rejected; `reversed_at` when it bounced after all that."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("amount > 0", name="ck_payment_amount"),
        CheckConstraint("confirmed_at IS NULL OR rejected_at IS NULL", name="ck_payment_settled"),
        Index("ix_payment_account", "account_id"),
    )
    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    amount: Decimal = money_column()
    currency: str = currency_column()
    reference: str
    channel: str
    reported_at: datetime = utc()
    confirmed_at: datetime | None = utc(nullable=True)
    rejected_at: datetime | None = utc(nullable=True)
    reject_reason: str | None = None
    reversed_at: datetime | None = utc(nullable=True)
    reverse_reason: str | None = None
    known_at: datetime | None = utc(nullable=True)


class PaymentPart(Table, table=True):
    """The part of a payment that goes to one invoice, and since when; nothing of it is left where a credit note took its place."""

    __tablename__ = "payment_part"
    __table_args__ = (CheckConstraint("amount >= 0", name="ck_payment_part_amount"), Index("ix_payment_part_invoice", "invoice_id"))
    payment_id: UUID = Field(primary_key=True, foreign_key="payment.id")
    invoice_id: UUID = Field(primary_key=True, foreign_key="invoice.id")
    amount: Decimal = money_column()
    currency: str = currency_column()
    believed_at: datetime = utc()
    known_at: datetime | None = utc(nullable=True)


class Deduction(Table, table=True):
    """What nobody collects of an invoice: a credit note took it back for good, or it is disputed, from `since` to `until`."""

    __tablename__ = "deduction"
    __table_args__ = (
        one_of("kind", DeductionKind, "ck_deduction_kind"),
        CheckConstraint("amount > 0", name="ck_deduction_amount"),
        CheckConstraint("kind = 'DISPUTE' OR until IS NULL", name="ck_deduction_until"),
        Index("ix_deduction_account", "account_id"),
    )
    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    invoice_id: UUID = Field(foreign_key="invoice.id")
    kind: str
    amount: Decimal = money_column()
    currency: str = currency_column()
    reason: str
    by: str | None = None
    since: datetime = utc()
    until: datetime | None = utc(nullable=True)
    outcome: str | None = None
    closed_by: str | None = None
    known_at: datetime | None = utc(nullable=True)


class Fee(Table, table=True):
    """A fee of the policy that became due and was told to billing. `occasion` is what it is charged for once: a late invoice, a month, or
    a reconnection."""

    __tablename__ = "fee"
    __table_args__ = (
        UniqueConstraint("account_id", "occasion", name="uq_fee_occasion"),
        one_of("kind", FeeKind, "ck_fee_kind"),
        CheckConstraint("amount > 0", name="ck_fee_amount"),
    )
    id: UUID = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    occasion: str
    kind: str
    invoice_id: UUID | None = Field(default=None, foreign_key="invoice.id")
    amount: Decimal = money_column()
    currency: str = currency_column()
    rule: str
    reason: str
    due_at: datetime = utc()


class Reminder(Table, table=True):
    """A reminder of the policy that was asked for: once per invoice and code."""

    __tablename__ = "reminder"
    invoice_id: UUID = Field(primary_key=True, foreign_key="invoice.id")
    code: str = Field(primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    requested_at: datetime = utc()


class Outage(Table, table=True):
    """An outage of an access node as the NOC told it: nobody behind it is cut meanwhile."""

    __tablename__ = "outage"
    __table_args__ = (Index("ix_outage_open", "access_node", postgresql_where=text("closed_at IS NULL")),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    access_node: str
    declared_at: datetime = utc()
    closed_at: datetime | None = utc(nullable=True)
    known_at: datetime | None = utc(nullable=True)
