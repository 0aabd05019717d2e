"""cuts whose case is handed to recovery"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("suspension", sa.Column("recovery_id", sa.Uuid(), nullable=True))
    op.add_column("suspension", sa.Column("recovery_requested_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("suspension", sa.Column("recovery_ended_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint("ck_suspension_recovery", "suspension", "(recovery_requested_at IS NULL) = (recovery_id IS NULL)")
    op.create_index(
        "ix_suspension_recovery", "suspension", ["recovery_id"], unique=True, postgresql_where=sa.text("recovery_id IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_suspension_recovery", "suspension")
    op.drop_constraint("ck_suspension_recovery", "suspension")
    op.drop_column("suspension", "recovery_ended_at")
    op.drop_column("suspension", "recovery_requested_at")
    op.drop_column("suspension", "recovery_id")
