"""the next look at an account stands in account_review alone: nothing of the release before it runs any more"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

HEAR_OLDER = """
CREATE FUNCTION hear_older_release() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM account_review WHERE account_id = NEW.id AND NEW.next_review_at IS NULL;
    INSERT INTO account_review (account_id, due_at) SELECT NEW.id, NEW.next_review_at WHERE NEW.next_review_at IS NOT NULL
    ON CONFLICT (account_id) DO UPDATE SET due_at = excluded.due_at;
    RETURN NULL;
END $$"""
TRIGGERS = (
    """CREATE TRIGGER hear_older_insert AFTER INSERT ON account FOR EACH ROW
WHEN (NEW.next_review_at IS NOT NULL) EXECUTE FUNCTION hear_older_release()""",
    """CREATE TRIGGER hear_older_update AFTER UPDATE OF next_review_at ON account FOR EACH ROW EXECUTE FUNCTION hear_older_release()""",
)


def upgrade() -> None:
    op.execute("DROP TRIGGER hear_older_update ON account")
    op.execute("DROP TRIGGER hear_older_insert ON account")
    op.execute("DROP FUNCTION hear_older_release()")
    op.drop_index("ix_account_review", table_name="account")
    op.drop_column("account", "next_review_at")


def downgrade() -> None:
    op.add_column("account", sa.Column("next_review_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_account_review", "account", ["next_review_at", "id"], unique=False, postgresql_where=sa.text("next_review_at IS NOT NULL")
    )
    for statement in (HEAR_OLDER, *TRIGGERS):
        op.execute(statement)
