"""posts that are due are found without reading those that wait"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = ["webhook_id", "next_attempt_at"]


def upgrade() -> None:
    op.drop_index("ix_webhook_post_due", table_name="webhook_post")
    op.create_index("ix_webhook_post_due", "webhook_post", [*COLUMNS, "id"], unique=False, postgresql_where=sa.text("state = 'QUEUED'"))
    sending = sa.text("state = 'SENDING'")
    op.create_index("ix_webhook_post_sending", "webhook_post", ["webhook_id", "id"], unique=False, postgresql_where=sending)


def downgrade() -> None:
    op.drop_index("ix_webhook_post_sending", table_name="webhook_post")
    op.drop_index("ix_webhook_post_due", table_name="webhook_post")
    op.create_index("ix_webhook_post_due", "webhook_post", COLUMNS, unique=False, postgresql_where=sa.text("state IN ('QUEUED', 'SENDING')"))
