"""holds, covers, distributions, simulated and approved cuts"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CAUSES = "withdraw_cause IN ('OUTAGE', 'AGREEMENT', 'NOTHING_OWED'{more})"


def upgrade() -> None:
    op.add_column("account", sa.Column("last_contact_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint("ck_suspension_withdraw_cause", "suspension", type_="check")
    op.create_check_constraint("ck_suspension_withdraw_cause", "suspension", CAUSES.format(more=", 'HOLD'"))
    op.create_table(
        "portfolio_cover",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("covered_by", sa.String(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ck_portfolio_cover_ended"),
        sa.CheckConstraint("agent <> covered_by", name="ck_portfolio_cover_other"),
        sa.CheckConstraint("until > from_at", name="ck_portfolio_cover_until"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_portfolio_cover_agent", "portfolio_cover", ["agent", "until"], unique=False)
    op.create_index("ix_portfolio_cover_by", "portfolio_cover", ["covered_by", "until"], unique=False)
    op.create_table(
        "distribution",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("balanced_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_by", sa.String(), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("balanced_by IN ('count', 'amount')", name="ck_distribution_balanced_by"),
        sa.CheckConstraint("(applied_at IS NULL) = (applied_by IS NULL)", name="ck_distribution_applied"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "distribution_move",
        sa.Column("distribution_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("previous", sa.String(), nullable=True),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["distribution_id"],
            ["distribution.id"],
        ),
        sa.PrimaryKeyConstraint("distribution_id", "account_id"),
    )
    op.create_table(
        "hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("service_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ck_hold_ended"),
        sa.CheckConstraint("until > placed_at", name="ck_hold_until"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_hold_account", "hold", ["account_id"], unique=False)
    op.create_index("ix_hold_open", "hold", ["until", "id"], unique=False, postgresql_where=sa.text("ended_at IS NULL"))
    op.create_index("ix_hold_open_account", "hold", ["account_id"], unique=False, postgresql_where=sa.text("ended_at IS NULL"))
    op.create_table(
        "cut_simulation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("policy", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reached", sa.Uuid(), nullable=True),
        sa.Column("looked_at", sa.Integer(), nullable=False),
        sa.Column("to_look_at", sa.Integer(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totals", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('QUEUED', 'RUNNING', 'DONE')", name="ck_cut_simulation_state"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_cut_simulation_asked", "cut_simulation", ["asked_at", "id"], unique=False)
    op.create_index(
        "ix_cut_simulation_open", "cut_simulation", ["asked_at"], unique=False, postgresql_where=sa.text("state <> 'DONE'")
    )
    op.create_table(
        "cut_simulation_step",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("simulation_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("weight", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("monthly_amount", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("delivery", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=True),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("reminder", sa.String(), nullable=True),
        sa.Column("oldest_due_date", sa.Date(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('REMIND', 'NOTICE', 'CUT', 'NOTICE_POSSIBLE', 'CUT_POSSIBLE', 'HELD_REMIND', 'HELD_NOTICE', 'HELD_CUT')",
            name="ck_cut_simulation_step_kind",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["hold_id"],
            ["hold.id"],
        ),
        sa.ForeignKeyConstraint(
            ["simulation_id"],
            ["cut_simulation.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_cut_simulation_step_agent",
        "cut_simulation_step",
        ["simulation_id", "agent", "kind", "at", "weight", "id"],
        unique=False,
    )
    op.create_index(
        "ix_cut_simulation_step_place", "cut_simulation_step", ["simulation_id", "kind", "at", "weight", "id"], unique=False
    )
    op.create_table(
        "cut_approval",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("simulation_id", sa.Uuid(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["simulation_id"],
            ["cut_simulation.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "day"),
    )
    op.create_index("ix_cut_approval_day", "cut_approval", ["day", "policy"], unique=False)
    op.create_index("ix_portfolio_change_assigned", "portfolio_change", ["assigned_at", "id"], unique=False)
    # What was said to customers before counts, too; a sent invoice and told terms are no talk.
    op.execute("""
        UPDATE account a SET last_contact_at = c.at FROM (
            SELECT customer_id, max(contacted_at) AS at FROM contact WHERE kind NOT IN ('invoice_sent', 'terms_told') GROUP BY 1) AS c
        WHERE a.id = c.customer_id""")


def downgrade() -> None:
    op.drop_index("ix_portfolio_change_assigned", table_name="portfolio_change")
    for table in (
        "cut_approval",
        "cut_simulation_step",
        "cut_simulation",
        "hold",
        "distribution_move",
        "distribution",
        "portfolio_cover",
    ):
        op.drop_table(table)
    op.drop_constraint("ck_suspension_withdraw_cause", "suspension", type_="check")
    op.create_check_constraint("ck_suspension_withdraw_cause", "suspension", CAUSES.format(more=""))
    op.drop_column("account", "last_contact_at")
