"""what a reconnection rests on"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("suspension", sa.Column("rests_on", sa.ARRAY(sa.Uuid()), nullable=True))
    # What was known when a reconnection was asked for is not written anywhere: what was not rejected by then is the nearest to it.
    op.execute("""
        UPDATE suspension s SET rests_on = ARRAY(
            SELECT p.id FROM payment p WHERE p.account_id = s.account_id
                AND p.reported_at BETWEEN s.requested_at AND s.reconnection_requested_at
                AND (p.rejected_at IS NULL OR p.rejected_at > s.reconnection_requested_at))
        WHERE s.basis = 'payment' AND s.reconnection_by IS DISTINCT FROM 'ticketing'""")


def downgrade() -> None:
    op.drop_column("suspension", "rests_on")
