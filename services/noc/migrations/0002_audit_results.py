"""what the nightly audits found"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_result",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=True),
        sa.Column("audited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("found", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("state IN ('WAITING', 'SOUND', 'BROKEN', 'FAILED')", name="ck_audit_result_state"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_audit_result_audited_at", "audit_result", ["audited_at"], unique=False)
    waiting = sa.text("state = 'WAITING'")
    op.create_index("uq_audit_result_waiting", "audit_result", ["state"], unique=True, postgresql_where=waiting)


def downgrade() -> None:
    op.drop_table("audit_result")
