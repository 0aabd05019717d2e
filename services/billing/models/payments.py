"""Payments, where they went, and the ledger."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import DDL, BigInteger, CheckConstraint, Column, Identity, Index, Numeric, event, text
from sqlmodel import Field

from services.billing.models.base import Table
from services.billing.rules.states import Account, PaymentState
from shared.db import currency_column, money_column, new_id, one_of, utc

# A payment that somebody says was made, and that nobody has denied.
COUNTS = "state IN ('REPORTED', 'CONFIRMED')"


class Payment(Table, table=True):
    """Money that a customer says it paid. One reference counts once per channel; one that does not count any more may be reported again.

    `unallocated` is what no open invoice took; it goes to the next one that is issued. `refunded` was given back. `paid_on` is the day in
    the bank's books. `moved_from` is the payment of another customer as which this one was booked before; `reject_reason` tells why a
    rejected or reversed payment does not count.
    """

    __tablename__ = "payment"
    __table_args__ = (
        one_of("state", PaymentState, "ck_payment_state"),
        CheckConstraint("amount > 0", name="ck_payment_amount"),
        CheckConstraint("unallocated BETWEEN 0 AND amount", name="ck_payment_unallocated"),
        CheckConstraint("refunded BETWEEN 0 AND amount - unallocated", name="ck_payment_refunded"),
        Index(
            "uq_payment_reference",
            text("lower(channel)"),
            text("lower(reference)"),
            unique=True,
            postgresql_where=text(COUNTS),
        ),
        Index("ix_payment_customer", "customer_id", "id"),
        Index("ix_payment_state", "state", "id"),
        Index("ix_payment_reference", text("lower(reference)")),
        Index("ix_payment_unallocated", "customer_id", postgresql_where=text(f"unallocated > 0 AND {COUNTS}")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID = Field(foreign_key="customer.id")
    channel: str
    reference: str
    amount: Decimal = money_column()
    unallocated: Decimal = money_column()
    refunded: Decimal = Field(default=Decimal(0), sa_column=Column(Numeric(18, 4), nullable=False, server_default=text("0")))
    currency: str = currency_column()
    state: str = PaymentState.REPORTED
    paid_on: date
    reported_at: datetime = utc()
    reported_by: str
    settled_at: datetime | None = utc(nullable=True)
    settled_by: str | None = None
    reject_reason: str | None = None
    reversed_at: datetime | None = utc(nullable=True)
    reversed_by: str | None = None
    moved_from: UUID | None = Field(default=None, foreign_key="payment.id")
    import_id: UUID | None = None
    version: int = 1


class PaymentAllocation(Table, table=True):
    """The part of a payment that went to one invoice. Of a payment that counts no longer it says what was believed."""

    __tablename__ = "payment_allocation"
    __table_args__ = (
        CheckConstraint("amount > 0", name="ck_payment_allocation_amount"),
        Index("ix_payment_allocation_invoice", "invoice_id"),
    )
    payment_id: UUID = Field(primary_key=True, foreign_key="payment.id")
    invoice_id: UUID = Field(primary_key=True, foreign_key="invoice.id")
    amount: Decimal = money_column()
    currency: str = currency_column()
    allocated_at: datetime = utc()


class Refund(Table, table=True):
    """Money that the customer had left over and that was given back to it; the postings tell of which payments."""

    __tablename__ = "refund"
    __table_args__ = (CheckConstraint("amount > 0", name="ck_refund_amount"), Index("ix_refund_customer", "customer_id", "id"))
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID = Field(foreign_key="customer.id")
    amount: Decimal = money_column()
    currency: str = currency_column()
    channel: str
    reference: str
    reason: str
    refunded_at: datetime = utc()
    refunded_by: str


class Posting(Table, table=True):
    """An amount moved from the credited to the debited account: double entry that balances by its shape. Never updated, never deleted
    (a trigger refuses); a mistake is reversed by its mirror image."""

    __tablename__ = "posting"
    __table_args__ = (
        one_of("debit", Account, "ck_posting_debit"),
        one_of("credit", Account, "ck_posting_credit"),
        CheckConstraint("debit <> credit", name="ck_posting_accounts"),
        CheckConstraint("amount > 0", name="ck_posting_amount"),
        CheckConstraint("invoice_id IS NOT NULL OR payment_id IS NOT NULL", name="ck_posting_document"),
        Index("ix_posting_customer", "customer_id"),
    )
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    customer_id: UUID
    invoice_id: UUID | None = Field(default=None, foreign_key="invoice.id")
    payment_id: UUID | None = Field(default=None, foreign_key="payment.id")
    credit_note_id: UUID | None = Field(default=None, foreign_key="credit_note.id")
    refund_id: UUID | None = Field(default=None, foreign_key="refund.id")
    debit: str
    credit: str
    amount: Decimal = money_column()
    currency: str = currency_column()
    posted_at: datetime = utc()


# The ledger only grows.
POSTED_STAYS = """
CREATE FUNCTION refuse_posting_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'postings are never changed: reverse them';
END $$"""
POSTED_STAYS_TRIGGER = """
CREATE TRIGGER posting_stays BEFORE UPDATE OR DELETE ON posting FOR EACH STATEMENT EXECUTE FUNCTION refuse_posting_change()"""
posting_table = Posting.metadata.tables["posting"]
for statement in (POSTED_STAYS, POSTED_STAYS_TRIGGER):
    event.listen(posting_table, "after_create", DDL(statement))  # type: ignore[no-untyped-call]
