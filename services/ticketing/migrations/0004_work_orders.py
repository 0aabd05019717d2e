"""steps that are passed over, appointments of work orders"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEFORE = "state IN ('WAITING', 'OPEN', 'FINISHED', 'DROPPED')"
AFTER = "state IN ('WAITING', 'OPEN', 'FINISHED', 'SKIPPED', 'DROPPED')"


def upgrade() -> None:
    op.add_column("ticket_step", sa.Column("appointment", postgresql.JSONB(), nullable=True))
    op.drop_constraint("ck_ticket_step_state", "ticket_step", type_="check")
    op.create_check_constraint("ck_ticket_step_state", "ticket_step", AFTER)


def downgrade() -> None:
    op.execute("UPDATE ticket_step SET state = 'DROPPED' WHERE state = 'SKIPPED'")
    op.drop_constraint("ck_ticket_step_state", "ticket_step", type_="check")
    op.create_check_constraint("ck_ticket_step_state", "ticket_step", BEFORE)
    op.drop_column("ticket_step", "appointment")
