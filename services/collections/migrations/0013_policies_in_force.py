"""what the policies' files said when they were last changed; customers that come to us in recovery, and whose case is yet to be opened"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

RECOVERY = "ck_suspension_recovery"


def upgrade() -> None:
    op.create_table(
        "policy_in_force",
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cut", sa.String(), nullable=False),
        sa.Column("cut_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recovery", sa.String(), nullable=False),
        sa.Column("recovery_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reached", sa.Uuid(), nullable=True),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("policy"),
    )
    op.drop_constraint(RECOVERY, "suspension", type_="check")
    op.create_check_constraint(RECOVERY, "suspension", "recovery_id IS NULL OR recovery_requested_at IS NOT NULL")


def downgrade() -> None:
    op.drop_constraint(RECOVERY, "suspension", type_="check")
    op.execute("UPDATE suspension SET recovery_id = gen_random_uuid() WHERE recovery_requested_at IS NOT NULL AND recovery_id IS NULL")
    op.create_check_constraint(RECOVERY, "suspension", "(recovery_requested_at IS NULL) = (recovery_id IS NULL)")
    op.drop_table("policy_in_force")
