"""What people did with accounts: lists that Sales sent, portfolios, and every contact with a customer."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer
from sqlmodel import Field

from services.collections.models.base import Table
from services.collections.rules.listing import RowOutcome
from shared.db import currency_column, money_column, new_id, one_of, period_column, utc


class SegmentList(Table, table=True):
    """A list of customers who must be in a segment, as Sales sent it for a month (VIP-2). Who is absent from it stays where it is."""

    __tablename__ = "segment_list"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    policy: str
    period: str = period_column()
    sent_by: str
    sent_at: datetime = utc()
    rows: int
    applied: int
    unchanged: int
    faulty: int


class SegmentListRow(Table, table=True):
    """One row of a list: what it asked for, and what became of it and why. `line` counts from 1."""

    __tablename__ = "segment_list_row"
    __table_args__ = (one_of("outcome", RowOutcome, "ck_segment_list_row_outcome"),)
    list_id: UUID = Field(primary_key=True, foreign_key="segment_list.id")
    line: int = Field(primary_key=True, sa_type=Integer, sa_column_kwargs={"autoincrement": False})
    external_source: str | None = None
    external_id: str
    note: str
    customer_id: UUID | None = None
    outcome: str
    reason: str


class SegmentChange(Table, table=True):
    """An account moved from one policy to another: who did it, when, and the note that says why."""

    __tablename__ = "segment_change"
    __table_args__ = (Index("ix_segment_change_customer", "customer_id", "changed_at"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID
    previous: str
    policy: str
    note: str
    list_id: UUID | None = Field(default=None, foreign_key="segment_list.id")
    changed_by: str
    changed_at: datetime = utc()


class PortfolioChange(Table, table=True):
    """An account came into an agent's portfolio: from whose, by whom and why (VIP-4)."""

    __tablename__ = "portfolio_change"
    __table_args__ = (
        Index("ix_portfolio_change_customer", "customer_id", "assigned_at"),
        Index("ix_portfolio_change_assigned", "assigned_at", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID
    previous: str | None = None
    agent: str
    reason: str
    assigned_by: str
    assigned_at: datetime = utc()


class PortfolioCover(Table, table=True):
    """From `from_at` until `until` somebody stands in for an absent agent: sees its list and does what only the assigned agent may
    (VIP-9). `ended_at` is when it was called off before that."""

    __tablename__ = "portfolio_cover"
    __table_args__ = (
        CheckConstraint("until > from_at", name="ck_portfolio_cover_until"),
        CheckConstraint("agent <> covered_by", name="ck_portfolio_cover_other"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ck_portfolio_cover_ended"),
        Index("ix_portfolio_cover_agent", "agent", "until"),
        Index("ix_portfolio_cover_by", "covered_by", "until"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    agent: str
    covered_by: str
    from_at: datetime = utc()
    until: datetime = utc()
    reason: str
    made_by: str
    made_at: datetime = utc()
    ended_at: datetime | None = utc(nullable=True)
    ended_by: str | None = None


class Distribution(Table, table=True):
    """How customers of a policy would be divided among agents by a rule: shown first, and then applied as it was shown."""

    __tablename__ = "distribution"
    __table_args__ = (
        CheckConstraint("balanced_by IN ('count', 'amount')", name="ck_distribution_balanced_by"),
        CheckConstraint("(applied_at IS NULL) = (applied_by IS NULL)", name="ck_distribution_applied"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    policy: str
    balanced_by: str
    reason: str
    made_by: str
    made_at: datetime = utc()
    applied_by: str | None = None
    applied_at: datetime | None = utc(nullable=True)


class DistributionMove(Table, table=True):
    """A customer that changes hands by a distribution; `amount` is what it pays a month."""

    __tablename__ = "distribution_move"
    distribution_id: UUID = Field(primary_key=True, foreign_key="distribution.id")
    account_id: UUID = Field(primary_key=True, foreign_key="account.id")
    previous: str | None = None
    agent: str
    amount: Decimal = money_column()
    currency: str = currency_column()


class ContactKind(StrEnum):
    """What a contact with a customer was about."""

    INVOICE_SENT = "invoice_sent"
    RECEIPT_CONFIRMED = "receipt_confirmed"
    FOLLOW_UP = "follow_up"
    TERMS_TOLD = "terms_told"
    PROMISE_TALK = "promise_talk"
    OTHER = "other"


class Contact(Table, table=True):
    """Who spoke with the customer, when, how, and what was said (VIP-7). Never changed and never deleted."""

    __tablename__ = "contact"
    __table_args__ = (
        one_of("kind", ContactKind, "ck_contact_kind"),
        Index("ix_contact_customer", "customer_id", "contacted_at"),
        Index("ix_contact_at", "contacted_at", "agent", "kind"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID
    kind: str
    channel: str
    agent: str
    said: str
    invoice_id: UUID | None = None
    contacted_at: datetime = utc()
