"""since when whoever stands in the worklist is overdue"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("worklist", sa.Column("overdue_since", sa.Date(), nullable=True))
    # They are looked at once more: that fills it.
    op.execute("""
        INSERT INTO account_review (account_id, due_at) SELECT w.account_id, a.registered_at FROM worklist w JOIN account a ON a.id = w.account_id
        ON CONFLICT (account_id) DO UPDATE SET due_at = excluded.due_at""")


def downgrade() -> None:
    op.drop_column("worklist", "overdue_since")
