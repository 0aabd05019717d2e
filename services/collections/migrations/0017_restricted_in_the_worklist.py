"""whoever sees only the payment page has a reason of its own in the worklist"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# The new reason is the ninth of the order of urgency: those behind it move by one, also where the day's work is done (100 is added).
MAKE_ROOM = "UPDATE worklist SET urgency = urgency + 1 WHERE urgency % 100 >= 8"
CLOSE_UP = "UPDATE worklist SET urgency = urgency - 1 WHERE urgency % 100 > 8"
# Who is restricted is looked at once more: that gives it the reason, or takes it away.
LOOK_AGAIN = """
INSERT INTO account_review (account_id, due_at) SELECT w.account_id, a.registered_at FROM worklist w JOIN account a ON a.id = w.account_id
WHERE EXISTS (SELECT FROM restriction r WHERE r.account_id = w.account_id AND r.ended_at IS NULL)
ON CONFLICT (account_id) DO UPDATE SET due_at = excluded.due_at
"""


def upgrade() -> None:
    op.execute(MAKE_ROOM)
    op.execute(LOOK_AGAIN)


def downgrade() -> None:
    op.execute(CLOSE_UP)
    op.execute(LOOK_AGAIN)
