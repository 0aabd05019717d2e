"""What fact rows said before: a decision of a past day is made again from what was known on that day (docs/adr/0022).

A fact table has `known_at`: since when we know what the row says (null: since the row's own date). Whoever changes a row says `known_at`
with it; what the row said until then stays in `past`, by a trigger, so that no statement can forget it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, Column, DateTime, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.collections.models.base import Table

# The fact tables whose rows change, with the columns of their primary keys: two at most, as the trigger looks for.
KEPT: dict[str, tuple[str] | tuple[str, str]] = {
    "account": ("id",),
    "deduction": ("id",),
    "hold": ("id",),
    "invoice": ("id",),
    "outage": ("id",),
    "payment": ("id",),
    "payment_part": ("payment_id", "invoice_id"),
    "payment_plan": ("id",),
    "promise": ("id",),
    "restriction": ("id",),
    "review": ("id",),
    "suspension": ("id",),
    "suspension_notice": ("id",),
}


class Past(Table, table=True):
    """What a row of a fact table said until something newer became known: those of its columns that changed, as they were. `key` is the
    row's primary key, its columns joined by slashes."""

    __tablename__ = "past"
    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    until: datetime = Field(sa_column=Column(DateTime(timezone=True), primary_key=True))
    was: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


# Two processes may know something in another order than they write it: a row never becomes older than it was. What is changed more than
# once in an instant was, until then, what it was before the first change.
KEEP_PAST = """
CREATE FUNCTION keep_past() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before jsonb := to_jsonb(OLD); after jsonb;
BEGIN
    NEW.known_at := greatest(NEW.known_at, OLD.known_at);
    IF NEW.known_at IS NULL THEN
        RETURN NEW;
    END IF;
    after := to_jsonb(NEW);
    INSERT INTO past (kind, key, until, was)
    SELECT TG_TABLE_NAME, concat_ws('/', before ->> TG_ARGV[0], before ->> TG_ARGV[1]), NEW.known_at, jsonb_object_agg(name, value)
    FROM jsonb_each(before) AS t(name, value) WHERE after -> name IS DISTINCT FROM value HAVING count(*) > 0
    ON CONFLICT (kind, key, until) DO UPDATE SET was = excluded.was || past.was;
    RETURN NEW;
END $$"""
TRIGGER = "CREATE TRIGGER keep_past BEFORE UPDATE{of} ON {table} FOR EACH ROW EXECUTE FUNCTION keep_past({key})"


# An account's row is written for its caches all the time: only a statement that names `known_at` is heard there.
CACHES = {"account": " OF known_at"}


def keeps_past(table: str, key: tuple[str, ...]) -> str:
    """The statement that has a table keep what its rows said before."""
    return TRIGGER.format(table=table, of=CACHES.get(table, ""), key=", ".join(f"'{each}'" for each in key))


for statement in (KEEP_PAST, *(keeps_past(table, key) for table, key in KEPT.items())):
    event.listen(Table.metadata, "after_create", DDL(statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
