"""what happened with each customer, and dossiers"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "happening",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "number"),
    )
    op.create_index("ix_happening_customer", "happening", ["customer_id", "at", "number"], unique=False)
    op.create_table(
        "dossier",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("suspension_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("content_sha256", sa.String(), nullable=True),
        sa.Column("file", sa.LargeBinary(), nullable=True),
        sa.Column("file_sha256", sa.String(), nullable=True),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.CheckConstraint("(state = 'READY') = (file IS NOT NULL)", name="ck_dossier_file"),
        sa.CheckConstraint("state IN ('QUEUED', 'READY', 'FAILED')", name="ck_dossier_state"),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_dossier_customer", "dossier", ["customer_id", "id"], unique=False)
    op.create_index("ix_dossier_file", "dossier", ["file_sha256"], unique=False)
    op.create_index(
        "ix_dossier_queued", "dossier", ["requested_at", "id"], unique=False, postgresql_where=sa.text("state = 'QUEUED'")
    )


def downgrade() -> None:
    op.drop_table("dossier")
    op.drop_table("happening")
