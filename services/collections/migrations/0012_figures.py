"""Figures of the manager"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "figure_report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_figure_report_counted", "figure_report", ["counted_at"], unique=False)
    op.create_index("ix_figure_report_open", "figure_report", ["asked_at"], unique=False, postgresql_where=sa.text("counted_at IS NULL"))


def downgrade() -> None:
    op.drop_index("ix_figure_report_open", table_name="figure_report", postgresql_where=sa.text("counted_at IS NULL"))
    op.drop_index("ix_figure_report_counted", table_name="figure_report")
    op.drop_table("figure_report")
