"""a change of a status costs less: an index less on accounts, and a shorter way to the key of what a row said before"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

KEEP_PAST = """
CREATE OR REPLACE FUNCTION keep_past() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before jsonb := to_jsonb(OLD); after jsonb;
BEGIN
    NEW.known_at := greatest(NEW.known_at, OLD.known_at);
    IF NEW.known_at IS NULL THEN
        RETURN NEW;
    END IF;
    after := to_jsonb(NEW);
    INSERT INTO past (kind, key, until, was)
    SELECT TG_TABLE_NAME, {key}, NEW.known_at, jsonb_object_agg(name, value)
    FROM jsonb_each(before) AS t(name, value) WHERE after -> name IS DISTINCT FROM value HAVING count(*) > 0
    ON CONFLICT (kind, key, until) DO UPDATE SET was = excluded.was || past.was;
    RETURN NEW;
END $$"""
KEY = "concat_ws('/', before ->> TG_ARGV[0], before ->> TG_ARGV[1])"
FORMER = "(SELECT string_agg(before ->> part, '/' ORDER BY n) FROM unnest(TG_ARGV) WITH ORDINALITY AS t(part, n))"


def upgrade() -> None:
    # The other way round it also finds an account by its id alone.
    op.drop_constraint("uq_account_external", "account", type_="unique")
    op.create_unique_constraint("uq_account_external", "account", ["external_id", "external_source"])
    op.drop_index("ix_account_external_id", table_name="account")
    op.execute(KEEP_PAST.format(key=KEY))


def downgrade() -> None:
    op.execute(KEEP_PAST.format(key=FORMER))
    op.create_index("ix_account_external_id", "account", ["external_id"], unique=False)
    op.drop_constraint("uq_account_external", "account", type_="unique")
    op.create_unique_constraint("uq_account_external", "account", ["external_source", "external_id"])
