"""Notices of a coming cut, and orders to restrict, to cut and to reconnect."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, Index, text
from sqlalchemy import Uuid as UuidType
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from services.collections.models.base import Table
from services.collections.rules.states import UNFINISHED, ReleaseCause, Source, SuspensionState, WithdrawCause
from shared.db import currency_column, money_column, new_id, one_of, period_column, utc

OPEN_STATES = ", ".join(f"'{each.value}'" for each in UNFINISHED)


class Notice(Table, table=True):
    """The desks are told of a coming cut for the unpaid month `period` (VIP-10). `accepted_at` is when the last mail server took it;
    `failed_at` that one of them did not."""

    __tablename__ = "suspension_notice"
    __table_args__ = (
        one_of("source", Source, "ck_suspension_notice_source"),
        Index("ix_suspension_notice_account", "account_id"),
        Index("ix_suspension_notice_requested", "requested_at"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    notice: str
    period: str = period_column()
    amount: Decimal = money_column()
    currency: str = currency_column()
    reason: str
    requested_by: str
    source: str = Source.PERSON
    requested_at: datetime = utc()
    accepted_at: datetime | None = utc(nullable=True)
    failed_at: datetime | None = utc(nullable=True)
    failure: str | None = None
    known_at: datetime | None = utc(nullable=True)


class Restriction(Table, table=True):
    """An order to restrict the service before the cut, and what ticketing told of it: `restricted_at`, and `ended_at` with its `outcome`
    (released; suspended, for the cut took its place; cancelled or refused, for it never was). `release_*` is that we asked for its end;
    `release_refused_at` when that last came to nothing. One that the customer brought along has no invoices."""

    __tablename__ = "restriction"
    __table_args__ = (
        one_of("source", Source, "ck_restriction_source"),
        one_of("release_cause", ReleaseCause, "ck_restriction_release_cause"),
        CheckConstraint("outcome IN ('released', 'suspended', 'cancelled', 'refused')", name="ck_restriction_outcome"),
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ck_restriction_ended"),
        CheckConstraint("(release_requested_at IS NULL) = (release_id IS NULL)", name="ck_restriction_release"),
        Index("uq_restriction_open", "account_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_restriction_account", "account_id"),
        Index("ix_restriction_release", "release_id", unique=True, postgresql_where=text("release_id IS NOT NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    source: str = Source.SYSTEM
    procedure: str
    release_procedure: str
    rule: str
    reason: str
    amount: Decimal = money_column()
    currency: str = currency_column()
    invoice_ids: list[UUID] = Field(default_factory=list, sa_column=Column(ARRAY(UuidType), nullable=False))
    except_services: list[UUID] = Field(default_factory=list, sa_column=Column(ARRAY(UuidType), nullable=False))
    requested_at: datetime = utc()
    restricted_at: datetime | None = utc(nullable=True)
    release_id: UUID | None = None
    release_requested_at: datetime | None = utc(nullable=True)
    release_cause: str | None = None
    release_reason: str | None = None
    release_refused_at: datetime | None = utc(nullable=True)
    ended_at: datetime | None = utc(nullable=True)
    outcome: str | None = None
    known_at: datetime | None = utc(nullable=True)


class Suspension(Table, table=True):
    """An order to cut, from its request to the reconnection. What ticketing told of it are facts: `suspended_at`, `ended_at` (it never
    happened, `ended_cause` says why) and `reconnected_at`. `rests_on` are the payments for which we had it reconnected; None when
    ticketing did by itself. `resumes` is the order that an outage took back and this one repeats. `recovery_requested_at` is when the case
    was last handed to recovery, `recovery_ended_at` when that came to its end because the debt was covered. Without `recovery_id` the
    customer came to us in recovery, and its case is opened here once we know what it owes."""

    __tablename__ = "suspension"
    __table_args__ = (
        one_of("state", SuspensionState, "ck_suspension_state"),
        one_of("source", Source, "ck_suspension_source"),
        one_of("withdraw_cause", WithdrawCause, "ck_suspension_withdraw_cause"),
        CheckConstraint("(reconnected_at IS NULL) OR (suspended_at IS NOT NULL)", name="ck_suspension_order"),
        CheckConstraint("(reconnection_requested_at IS NULL) = (reconnection_id IS NULL)", name="ck_suspension_reconnection"),
        CheckConstraint("recovery_id IS NULL OR recovery_requested_at IS NOT NULL", name="ck_suspension_recovery"),
        Index("ix_suspension_recovery", "recovery_id", unique=True, postgresql_where=text("recovery_id IS NOT NULL")),
        Index("uq_suspension_open", "account_id", unique=True, postgresql_where=text(f"state IN ({OPEN_STATES})")),
        Index("ix_suspension_account", "account_id"),
        Index("ix_suspension_requested", "requested_at"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    state: str = SuspensionState.REQUESTED
    source: str = Source.PERSON
    procedure: str
    delivery: str
    rule: str
    reason: str
    amount: Decimal = money_column()
    currency: str = currency_column()
    invoice_ids: list[UUID] = Field(default_factory=list, sa_column=Column(ARRAY(UuidType), nullable=False))
    agent: str
    resumes: UUID | None = None
    requested_at: datetime = utc()
    withdrawn_at: datetime | None = utc(nullable=True)
    withdraw_cause: str | None = None
    withdraw_reason: str | None = None
    ended_at: datetime | None = utc(nullable=True)
    ended_cause: str | None = None
    suspended_at: datetime | None = utc(nullable=True)
    reconnection_id: UUID | None = None
    reconnection_requested_at: datetime | None = utc(nullable=True)
    reconnection_by: str | None = None
    reconnection_refused_at: datetime | None = utc(nullable=True)
    basis: str | None = None
    rests_on: list[UUID] | None = Field(default=None, sa_column=Column(ARRAY(UuidType), nullable=True))
    target_status: str | None = None
    reconnected_at: datetime | None = utc(nullable=True)
    recovery_id: UUID | None = None
    recovery_requested_at: datetime | None = utc(nullable=True)
    recovery_ended_at: datetime | None = utc(nullable=True)
    holds_until: datetime | None = utc(nullable=True)
    unresolved_at: datetime | None = utc(nullable=True)
    unresolved: str | None = None
    known_at: datetime | None = utc(nullable=True)
