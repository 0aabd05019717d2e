"""money taken back, disputes, changes of plan"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MONEY = sa.Numeric(precision=18, scale=4)
INSTANT = sa.DateTime(timezone=True)
STATES = "state IN ('REPORTED', 'CONFIRMED', 'REJECTED')"
REFERENCE = [sa.literal_column("lower(channel)"), sa.literal_column("lower(reference)")]
BEFORE, COUNTS = "state <> 'REJECTED'", "state IN ('REPORTED', 'CONFIRMED')"


def upgrade() -> None:
    _series_and_invoices()
    _payments()
    _credit_notes()
    _disputes()
    _refunds()
    _plans()


def _series_and_invoices() -> None:
    op.add_column("fiscal_series", sa.Column("document", sa.String(), server_default="invoice", nullable=False))
    op.create_check_constraint("ck_fiscal_series_document", "fiscal_series", "document IN ('invoice', 'credit_note')")
    op.add_column("invoice", sa.Column("credited", MONEY, server_default=sa.text("0"), nullable=False))
    op.add_column("invoice", sa.Column("disputed", MONEY, server_default=sa.text("0"), nullable=False))
    op.add_column("invoice", sa.Column("fee", sa.String(), nullable=True))
    taken_back = "credited BETWEEN 0 AND total - balance AND disputed BETWEEN 0 AND total"
    op.create_check_constraint("ck_invoice_taken_back", "invoice", taken_back)
    op.create_check_constraint("ck_invoice_fee", "invoice", "fee IN ('late', 'reconnection')")


def _payments() -> None:
    op.add_column("payment", sa.Column("refunded", MONEY, server_default=sa.text("0"), nullable=False))
    op.add_column("payment", sa.Column("reversed_at", INSTANT, nullable=True))
    op.add_column("payment", sa.Column("reversed_by", sa.String(), nullable=True))
    op.add_column("payment", sa.Column("moved_from", sa.Uuid(), nullable=True))
    op.create_foreign_key(None, "payment", "payment", ["moved_from"], ["id"])
    op.create_check_constraint("ck_payment_refunded", "payment", "refunded BETWEEN 0 AND amount - unallocated")
    op.drop_constraint("ck_payment_state", "payment", type_="check")
    op.create_check_constraint("ck_payment_state", "payment", "state IN ('REPORTED', 'CONFIRMED', 'REJECTED', 'REVERSED')")
    op.drop_index("uq_payment_reference", table_name="payment")
    op.create_index("uq_payment_reference", "payment", REFERENCE, unique=True, postgresql_where=sa.text(COUNTS))
    op.drop_index("ix_payment_unallocated", table_name="payment")
    where = sa.text(f"unallocated > 0 AND {COUNTS}")
    op.create_index("ix_payment_unallocated", "payment", ["customer_id"], unique=False, postgresql_where=where)


def _credit_notes() -> None:
    op.create_table(
        "credit_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("fiscal_series_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("base", MONEY, nullable=False),
        sa.Column("tax", MONEY, nullable=False),
        sa.Column("total", MONEY, nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("issued_by", sa.String(), nullable=False),
        sa.CheckConstraint("base >= 0 AND tax >= 0 AND total = base + tax AND total > 0", name="ck_credit_note_total"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"]),
        sa.ForeignKeyConstraint(["fiscal_series_id"], ["fiscal_series.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_credit_note_customer", "credit_note", ["customer_id", "id"], unique=False)
    op.create_index("ix_credit_note_invoice", "credit_note", ["invoice_id"], unique=False)
    op.create_index("uq_credit_note_number", "credit_note", ["number", "fiscal_series_id"], unique=True)
    op.create_table(
        "credit_note_line",
        sa.Column("credit_note_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=True),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("base", MONEY, nullable=False),
        sa.Column("tax_code", sa.String(), nullable=False),
        sa.Column("tax_rate", sa.Numeric(precision=7, scale=4), nullable=False),
        sa.Column("tax", MONEY, nullable=False),
        sa.Column("total", MONEY, nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.CheckConstraint("total = base + tax AND base >= 0 AND tax >= 0", name="ck_credit_note_line_total"),
        sa.ForeignKeyConstraint(["credit_note_id"], ["credit_note.id"]),
        sa.PrimaryKeyConstraint("credit_note_id", "number"),
    )
    op.add_column("posting", sa.Column("credit_note_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(None, "posting", "credit_note", ["credit_note_id"], ["id"])


def _disputes() -> None:
    op.create_table(
        "dispute",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("amount", MONEY, nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("resolved_at", INSTANT, nullable=True),
        sa.Column("resolved_by", sa.String(), nullable=True),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.Column("credit_note_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('OPEN', 'ACCEPTED', 'REJECTED')", name="ck_dispute_state"),
        sa.CheckConstraint("amount > 0", name="ck_dispute_amount"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"]),
        sa.ForeignKeyConstraint(["credit_note_id"], ["credit_note.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_dispute_customer", "dispute", ["customer_id", "id"], unique=False)
    op.create_index("ix_dispute_invoice", "dispute", ["invoice_id"], unique=False)
    op.create_index("ix_dispute_state", "dispute", ["state", "id"], unique=False)


def _refunds() -> None:
    op.create_table(
        "refund",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("amount", MONEY, nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("refunded_at", INSTANT, nullable=False),
        sa.Column("refunded_by", sa.String(), nullable=False),
        sa.CheckConstraint("amount > 0", name="ck_refund_amount"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_refund_customer", "refund", ["customer_id", "id"], unique=False)
    op.add_column("posting", sa.Column("refund_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(None, "posting", "refund", ["refund_id"], ["id"])


def _plans() -> None:
    op.create_table(
        "plan_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("from_plan", sa.String(), nullable=False),
        sa.Column("from_amount", MONEY, nullable=False),
        sa.Column("to_plan", sa.String(), nullable=False),
        sa.Column("to_kind", sa.String(), nullable=False),
        sa.Column("to_amount", MONEY, nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("reference", sa.Uuid(), nullable=True),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("applied_at", INSTANT, nullable=True),
        sa.CheckConstraint("from_amount >= 0 AND to_amount >= 0", name="ck_plan_change_amounts"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_plan_change_customer", "plan_change", ["customer_id", "id"], unique=False)
    op.create_index("ix_plan_change_day", "plan_change", ["effective_from"], unique=False)
    pending = sa.text("applied_at IS NULL")
    op.create_index("ix_plan_change_pending", "plan_change", ["effective_from", "id"], unique=False, postgresql_where=pending)
    op.create_index("ix_plan_change_service", "plan_change", ["service_id", "effective_from", "id"], unique=False)
    op.create_table(
        "agreement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("ticket_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("plan_code", sa.String(), nullable=True),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("agreed_by", sa.String(), nullable=False),
        sa.Column("agreed_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("refusal", sa.String(), nullable=True),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.CheckConstraint("state IN ('CARRIED_OUT', 'NOTED', 'REFUSED')", name="ck_agreement_state"),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_agreement_customer", "agreement", ["customer_id", "id"], unique=False)
    op.create_index("ix_agreement_state", "agreement", ["state", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("agreement")
    op.drop_table("plan_change")
    op.drop_column("posting", "refund_id")
    op.drop_table("refund")
    op.drop_table("dispute")
    op.drop_column("posting", "credit_note_id")
    op.drop_table("credit_note_line")
    op.drop_table("credit_note")
    op.execute("UPDATE payment SET state = 'REJECTED' WHERE state = 'REVERSED'")
    for index, where, columns, unique in (
        ("ix_payment_unallocated", f"unallocated > 0 AND {BEFORE}", ["customer_id"], False),
        ("uq_payment_reference", BEFORE, REFERENCE, True),
    ):
        op.drop_index(index, table_name="payment")
        op.create_index(index, "payment", columns, unique=unique, postgresql_where=sa.text(where))
    op.drop_constraint("ck_payment_state", "payment", type_="check")
    op.create_check_constraint("ck_payment_state", "payment", STATES)
    for table, column in (
        ("payment", "moved_from"), ("payment", "reversed_by"), ("payment", "reversed_at"), ("payment", "refunded"),
        ("invoice", "fee"), ("invoice", "disputed"), ("invoice", "credited"), ("fiscal_series", "document"),
    ):  # fmt: skip
        op.drop_column(table, column)
