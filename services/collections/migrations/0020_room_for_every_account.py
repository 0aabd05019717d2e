"""room on its page for the next version of every account: on a day on which all are told or cut no index is written"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # For pages that are written from now on; a house that has its customers already may have it at once by VACUUM FULL account.
    op.execute("ALTER TABLE account SET (fillfactor = 50)")


def downgrade() -> None:
    op.execute("ALTER TABLE account SET (fillfactor = 85)")
