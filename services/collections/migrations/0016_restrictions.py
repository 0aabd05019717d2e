"""the restriction before the cut"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STEPS = "'REMIND', 'NOTICE', 'CUT', 'NOTICE_POSSIBLE', 'CUT_POSSIBLE', 'HELD_REMIND', 'HELD_NOTICE', 'HELD_CUT'"
MORE = (
    "'REMIND', 'RESTRICT', 'NOTICE', 'CUT', 'NOTICE_POSSIBLE', 'CUT_POSSIBLE', 'HELD_REMIND', 'HELD_RESTRICT', 'HELD_NOTICE', 'HELD_CUT'"
)


def upgrade() -> None:
    op.create_table(
        "restriction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("procedure", sa.String(), nullable=False),
        sa.Column("release_procedure", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=4), nullable=False),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("invoice_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("except_services", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("restricted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("release_id", sa.Uuid(), nullable=True),
        sa.Column("release_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("release_cause", sa.String(), nullable=True),
        sa.Column("release_reason", sa.String(), nullable=True),
        sa.Column("release_refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("source IN ('PERSON', 'SYSTEM', 'IMPORT')", name="ck_restriction_source"),
        sa.CheckConstraint(
            "release_cause IN ('payment', 'agreement', 'nothing_owed', 'hold', 'outage', 'policy')", name="ck_restriction_release_cause"
        ),
        sa.CheckConstraint("outcome IN ('released', 'suspended', 'cancelled', 'refused')", name="ck_restriction_outcome"),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ck_restriction_ended"),
        sa.CheckConstraint("(release_requested_at IS NULL) = (release_id IS NULL)", name="ck_restriction_release"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_restriction_account", "restriction", ["account_id"], unique=False)
    op.create_index("uq_restriction_open", "restriction", ["account_id"], unique=True, postgresql_where=sa.text("ended_at IS NULL"))
    op.create_index(
        "ix_restriction_release", "restriction", ["release_id"], unique=True, postgresql_where=sa.text("release_id IS NOT NULL")
    )
    op.execute("CREATE TRIGGER keep_past BEFORE UPDATE ON restriction FOR EACH ROW EXECUTE FUNCTION keep_past('id')")
    op.drop_constraint("ck_cut_simulation_step_kind", "cut_simulation_step", type_="check")
    op.create_check_constraint("ck_cut_simulation_step_kind", "cut_simulation_step", f"kind IN ({MORE})")


def downgrade() -> None:
    op.execute("DELETE FROM cut_simulation_step WHERE kind IN ('RESTRICT', 'HELD_RESTRICT')")
    op.drop_constraint("ck_cut_simulation_step_kind", "cut_simulation_step", type_="check")
    op.create_check_constraint("ck_cut_simulation_step_kind", "cut_simulation_step", f"kind IN ({STEPS})")
    op.drop_table("restriction")
