"""answers that are kept for a repetition hold no secret of a webhook in words; from now on they are sealed"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ERASE = """UPDATE idempotency_key
SET body = convert_to(regexp_replace(convert_from(body, 'UTF8'), 'whsec_[A-Za-z0-9+/]+=*', 'whsec_', 'g'), 'UTF8')
WHERE route IN ('POST /webhooks', 'POST /webhooks/{webhook_id}/secret')"""


def upgrade() -> None:
    op.execute(ERASE)


def downgrade() -> None:
    """What was erased does not come back."""
