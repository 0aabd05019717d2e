"""What people did with accounts: lists that Sales sent, portfolios, and every contact with a customer."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, Integer
from sqlmodel import Field

from services.collections.models.base import Table
from services.collections.rules.listing import RowOutcome
from shared.db import new_id, one_of, period_column, utc


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
    __table_args__ = (Index("ix_portfolio_change_customer", "customer_id", "assigned_at"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID
    previous: str | None = None
    agent: str
    reason: str
    assigned_by: str
    assigned_at: datetime = utc()


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
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID
    kind: str
    channel: str
    agent: str
    said: str
    invoice_id: UUID | None = None
    contacted_at: datetime = utc()
