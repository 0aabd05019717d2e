"""what agents did between two instants"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_contact_at": ("contact", ["contacted_at", "agent", "kind"]),
    "ix_promise_made": ("promise", ["made_at", "agent"]),
    "ix_payment_plan_agreed": ("payment_plan", ["agreed_at", "agent"]),
    "ix_suspension_requested": ("suspension", ["requested_at"]),
    "ix_suspension_notice_requested": ("suspension_notice", ["requested_at"]),
}


def upgrade() -> None:
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns, unique=False)


def downgrade() -> None:
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
