"""since when each fact is known, what it said before, credit notes, disputes, reversals and fees"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEYS = {
    "account": "'id'",
    "deduction": "'id'",
    "hold": "'id'",
    "invoice": "'id'",
    "outage": "'id'",
    "payment": "'id'",
    "payment_part": "'payment_id', 'invoice_id'",
    "payment_plan": "'id'",
    "promise": "'id'",
    "review": "'id'",
    "suspension": "'id'",
    "suspension_notice": "'id'",
}
KEEP_PAST = """
CREATE FUNCTION keep_past() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before jsonb := to_jsonb(OLD); after jsonb;
BEGIN
    NEW.known_at := greatest(NEW.known_at, OLD.known_at);
    IF NEW.known_at IS NULL THEN
        RETURN NEW;
    END IF;
    after := to_jsonb(NEW);
    INSERT INTO past (kind, key, until, was)
    SELECT TG_TABLE_NAME, (SELECT string_agg(before ->> part, '/' ORDER BY n) FROM unnest(TG_ARGV) WITH ORDINALITY AS t(part, n)),
        NEW.known_at, jsonb_object_agg(name, value)
    FROM jsonb_each(before) AS t(name, value) WHERE after -> name IS DISTINCT FROM value HAVING count(*) > 0
    ON CONFLICT (kind, key, until) DO UPDATE SET was = excluded.was || past.was;
    RETURN NEW;
END $$"""
TRIGGER = "CREATE TRIGGER keep_past BEFORE UPDATE{of} ON {table} FOR EACH ROW EXECUTE FUNCTION keep_past({key})"


def upgrade() -> None:
    op.create_table(
        "past",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("was", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", "until"),
    )
    op.create_table(
        "deduction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('CREDIT', 'DISPUTE')", name="ck_deduction_kind"),
        sa.CheckConstraint("amount > 0", name="ck_deduction_amount"),
        sa.CheckConstraint("kind = 'DISPUTE' OR until IS NULL", name="ck_deduction_until"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_deduction_account", "deduction", ["account_id"], unique=False)
    op.create_table(
        "fee",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('late', 'reconnection')", name="ck_fee_kind"),
        sa.CheckConstraint("amount > 0", name="ck_fee_amount"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "occasion", name="uq_fee_occasion"),
    )
    for table in KEYS:
        if table != "deduction":
            op.add_column(table, sa.Column("known_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("invoice", sa.Column("fee", sa.String(), nullable=True))
    op.add_column("payment", sa.Column("reversed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("payment", sa.Column("reverse_reason", sa.String(), nullable=True))
    op.drop_constraint("ck_payment_part_amount", "payment_part")
    op.create_check_constraint("ck_payment_part_amount", "payment_part", "amount >= 0")
    op.execute(KEEP_PAST)
    for table, key in KEYS.items():
        op.execute(TRIGGER.format(table=table, of=" OF known_at" if table == "account" else "", key=key))


def downgrade() -> None:
    for table in KEYS:
        op.execute(f"DROP TRIGGER keep_past ON {table}")
    op.execute("DROP FUNCTION keep_past()")
    op.execute("DELETE FROM payment_part WHERE amount = 0")
    op.drop_constraint("ck_payment_part_amount", "payment_part")
    op.create_check_constraint("ck_payment_part_amount", "payment_part", "amount > 0")
    op.drop_column("payment", "reverse_reason")
    op.drop_column("payment", "reversed_at")
    op.drop_column("invoice", "fee")
    for table in KEYS:
        if table != "deduction":
            op.drop_column(table, "known_at")
    op.drop_table("fee")
    op.drop_table("deduction")
    op.drop_table("past")
