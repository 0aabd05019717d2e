"""a crash of the server ends every lease: who led may remember what its disk does not"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE lease SET UNLOGGED")


def downgrade() -> None:
    op.execute("ALTER TABLE lease SET LOGGED")
