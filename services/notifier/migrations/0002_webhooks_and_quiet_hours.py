"""webhooks, and messages that wait for the policy's hours"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('QUEUED', 'SENDING')")


def upgrade() -> None:
    op.create_table(
        "webhook",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("previous_secret", sa.String(), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("rests_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('ACTIVE', 'PAUSED', 'DISABLED')", name="ck_webhook_state"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "webhook_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_webhook_event_at", "webhook_event", ["at"], unique=False)
    op.create_table(
        "webhook_post",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('QUEUED', 'SENDING', 'DELIVERED', 'FAILED')", name="ck_webhook_post_state"),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["event_id"], ["webhook_event.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("webhook_id", "event_id", name="uq_webhook_post_event"),
    )
    op.create_index("ix_webhook_post_webhook", "webhook_post", ["webhook_id", "id"], unique=False)
    op.create_index("ix_webhook_post_event", "webhook_post", ["event_id"], unique=False)
    op.create_index("ix_webhook_post_due", "webhook_post", ["webhook_id", "next_attempt_at"], unique=False, postgresql_where=OPEN)
    op.create_index("ix_webhook_post_key", "webhook_post", ["webhook_id", "key", "id"], unique=False, postgresql_where=OPEN)
    op.create_table(
        "webhook_attempt",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["webhook_post.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_webhook_attempt_post", "webhook_attempt", ["post_id", "id"], unique=False)
    op.add_column("delivery", sa.Column("held", sa.String(), nullable=False, server_default=sa.text("''")))
    op.add_column("delivery", sa.Column("day", sa.Date(), nullable=True))
    op.add_column("delivery", sa.Column("rides_with", sa.Uuid(), nullable=True))
    op.create_foreign_key(None, "delivery", "delivery", ["rides_with"], ["id"])
    op.create_index("ix_delivery_rides", "delivery", ["rides_with"], unique=False, postgresql_where=sa.text("rides_with IS NOT NULL"))


def downgrade() -> None:
    for column in ("rides_with", "day", "held"):
        op.drop_column("delivery", column)
    for table in ("webhook_attempt", "webhook_post", "webhook_event", "webhook"):
        op.drop_table(table)
