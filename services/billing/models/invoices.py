"""Fiscal series, invoices and their lines."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Numeric, SmallInteger, UniqueConstraint, text
from sqlmodel import Field

from services.billing.models.base import Table
from services.billing.rules.states import DisputeState, InvoiceState
from shared.db import currency_column, money_column, new_id, one_of, period_column, utc

# An invoice that becomes overdue when its day ends: once, and only if somebody still owes part of it. That the index of these names
# `reported` makes a new entry in every index of each invoice that is reported as paid (30 µs, 570 bytes of log). Without it whoever looks
# for the next day's end, once a second and more, would pass all that is reported and not confirmed: 13 ms for 20,000 invoices.
UNJUDGED = "state = 'OPEN' AND overdue_at IS NULL AND balance > reported"


def _none_yet() -> Any:
    """An amount that is zero where nothing says otherwise."""
    return Field(default=Decimal(0), sa_column=Column(Numeric(18, 4), nullable=False, server_default=text("0")))


class FiscalSeries(Table, table=True):
    """A range of numbers that the tax authority granted (Honduras: CAI) for one kind of document. `next_number` only grows; a number
    taken is used for ever."""

    __tablename__ = "fiscal_series"
    __table_args__ = (
        UniqueConstraint("code", "authorization_code", name="uq_fiscal_series_authorization"),
        CheckConstraint("next_number BETWEEN from_number AND to_number + 1", name="ck_fiscal_series_range"),
        CheckConstraint("document IN ('invoice', 'credit_note')", name="ck_fiscal_series_document"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    code: str
    document: str = Field(default="invoice", sa_column_kwargs={"server_default": "invoice"})
    authorization_code: str
    prefix: str
    digits: int
    from_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    to_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    next_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    expires: date


class Invoice(Table, table=True):
    """What a customer owes for a month.

    `balance` is what confirmed payments and credit notes leave; `reported` is the part of it that somebody reported as paid. `credited` is
    what credit notes took back, `disputed` what the customer does not agree with. `due_ends_at` is when the due date's day ends in the
    operator's zone. `origin_key` is `run` for the month's own invoice, so that no month is billed twice, the old number for one that the
    customer brought along, and the cause (`fee:<id>`, `plan:<id>`) of one issued between two runs.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        one_of("state", InvoiceState, "ck_invoice_state"),
        UniqueConstraint("customer_id", "period", "origin_key", name="uq_invoice_month"),
        Index("uq_invoice_number", "number", "fiscal_series_id", unique=True),
        Index("ix_invoice_period", "period", "id"),
        Index("ix_invoice_period_state", "period", "state", "id"),
        Index("ix_invoice_state", "state", "id"),
        Index("ix_invoice_unjudged", "due_ends_at", postgresql_where=text(UNJUDGED)),
        CheckConstraint("base >= 0 AND tax >= 0 AND total = base + tax", name="ck_invoice_total"),
        CheckConstraint("balance BETWEEN 0 AND total AND reported BETWEEN 0 AND balance", name="ck_invoice_balance"),
        CheckConstraint("credited BETWEEN 0 AND total - balance AND disputed BETWEEN 0 AND total", name="ck_invoice_taken_back"),
        CheckConstraint("fee IN ('late', 'reconnection')", name="ck_invoice_fee"),
        CheckConstraint("(fiscal_series_id IS NULL) = (sequence IS NULL)", name="ck_invoice_series"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID = Field(foreign_key="customer.id")
    run_id: UUID | None = None
    origin: str
    origin_key: str
    fiscal_series_id: UUID | None = Field(default=None, foreign_key="fiscal_series.id")
    sequence: int | None = Field(default=None, sa_column=Column(BigInteger))
    number: str
    period: str = period_column()
    issue_date: date
    due_date: date
    due_ends_at: datetime = utc()
    base: Decimal = money_column()
    tax: Decimal = money_column()
    total: Decimal = money_column()
    balance: Decimal = money_column()
    reported: Decimal = money_column()
    credited: Decimal = _none_yet()
    disputed: Decimal = _none_yet()
    currency: str = currency_column()
    fee: str | None = None
    state: str = InvoiceState.OPEN
    version: int = 1
    overdue_at: datetime | None = utc(nullable=True)
    paid_at: datetime | None = utc(nullable=True)
    voided_at: datetime | None = utc(nullable=True)
    void_reason: str | None = None


class InvoiceLine(Table, table=True):
    """One line, rounded once; `base + tax = total`."""

    __tablename__ = "invoice_line"
    __table_args__ = (CheckConstraint("total = base + tax AND base >= 0 AND tax >= 0", name="ck_invoice_line_total"),)
    invoice_id: UUID = Field(primary_key=True, foreign_key="invoice.id")
    number: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    service_id: UUID | None = None
    description: str
    quantity: Decimal = money_column()
    base: Decimal = money_column()
    tax_code: str
    tax_rate: Decimal = Field(sa_column=Column(Numeric(7, 4), nullable=False))
    tax: Decimal = money_column()
    total: Decimal = money_column()
    currency: str = currency_column()


class CreditNote(Table, table=True):
    """What takes back part of an invoice, with a number of a series of its own."""

    __tablename__ = "credit_note"
    __table_args__ = (
        Index("uq_credit_note_number", "number", "fiscal_series_id", unique=True),
        Index("ix_credit_note_customer", "customer_id", "id"),
        Index("ix_credit_note_invoice", "invoice_id"),
        CheckConstraint("base >= 0 AND tax >= 0 AND total = base + tax AND total > 0", name="ck_credit_note_total"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID = Field(foreign_key="customer.id")
    invoice_id: UUID = Field(foreign_key="invoice.id")
    fiscal_series_id: UUID = Field(foreign_key="fiscal_series.id")
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    number: str
    issue_date: date
    base: Decimal = money_column()
    tax: Decimal = money_column()
    total: Decimal = money_column()
    currency: str = currency_column()
    reason: str
    issued_at: datetime = utc()
    issued_by: str


class CreditNoteLine(Table, table=True):
    """One line of a credit note; `base + tax = total`."""

    __tablename__ = "credit_note_line"
    __table_args__ = (CheckConstraint("total = base + tax AND base >= 0 AND tax >= 0", name="ck_credit_note_line_total"),)
    credit_note_id: UUID = Field(primary_key=True, foreign_key="credit_note.id")
    number: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    service_id: UUID | None = None
    description: str
    base: Decimal = money_column()
    tax_code: str
    tax_rate: Decimal = Field(sa_column=Column(Numeric(7, 4), nullable=False))
    tax: Decimal = money_column()
    total: Decimal = money_column()
    currency: str = currency_column()


class Dispute(Table, table=True):
    """Part of an invoice that the customer does not agree with."""

    __tablename__ = "dispute"
    __table_args__ = (
        one_of("state", DisputeState, "ck_dispute_state"),
        CheckConstraint("amount > 0", name="ck_dispute_amount"),
        Index("ix_dispute_customer", "customer_id", "id"),
        Index("ix_dispute_invoice", "invoice_id"),
        Index("ix_dispute_state", "state", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID = Field(foreign_key="customer.id")
    invoice_id: UUID = Field(foreign_key="invoice.id")
    amount: Decimal = money_column()
    currency: str = currency_column()
    reason: str
    state: str = DisputeState.OPEN
    opened_at: datetime = utc()
    opened_by: str
    resolved_at: datetime | None = utc(nullable=True)
    resolved_by: str | None = None
    resolution: str | None = None
    credit_note_id: UUID | None = Field(default=None, foreign_key="credit_note.id")
    version: int = 1
