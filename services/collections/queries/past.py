"""Rows as they were known at an instant (docs/adr/0022): a statement that reads fact tables becomes one that reads what they said then."""

import re
from functools import cache

from services.collections.models.past import KEPT

TABLE = re.compile(r"\b(?:FROM|JOIN) ([a-z_]+)")
# The date of a row's own, for one that nobody has changed since it was written. Tables of rows that never change have nothing else.
BORN = {
    "account": "registered_at",
    "cut_approval": "approved_at",
    "deduction": "since",
    "fee": "due_at",
    "hold": "placed_at",
    "invoice": "issued_at",
    "outage": "declared_at",
    "payment": "reported_at",
    "payment_part": "believed_at",
    "payment_plan": "agreed_at",
    "portfolio_cover": "made_at",
    "promise": "made_at",
    "reminder": "requested_at",
    "restriction": "requested_at",
    "review": "opened_at",
    "suspension": "requested_at",
    "suspension_notice": "requested_at",
}
# Which rows a statement may be about; its first argument are the accounts, unless said here.
MINE = {
    "account": "t.id = ANY($1::uuid[])",
    "outage": "t.access_node = ANY($1::text[])",
    "payment_part": "t.payment_id IN (SELECT id FROM public.payment WHERE account_id = ANY($1::uuid[]))",
    "portfolio_cover": "t.agent = ANY($1::text[])",
}
ACCOUNTS = "t.account_id = ANY($1::uuid[])"
CHANGED = """{table} AS (
    SELECT r.* FROM public.{table} t LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(e.key, e.value ORDER BY p.until DESC) AS was FROM past p, jsonb_each(p.was) AS e
        WHERE p.kind = '{table}' AND p.key = {key} AND p.until > ${place}
    ) AS w ON true CROSS JOIN LATERAL jsonb_populate_record(t, coalesce(w.was, '{{}}'::jsonb)) AS r
    WHERE {mine} AND coalesce(r.known_at, r.{born}) <= ${place})"""
WRITTEN_ONCE = "{table} AS (SELECT t.* FROM public.{table} t WHERE {mine} AND t.{born} <= ${place})"


@cache
def as_known(sql: str, place: int) -> str:
    """The statement about the rows as they were known at the instant that its argument number `place` will be."""
    tables = sorted({each for each in TABLE.findall(sql) if each in BORN})
    return f"WITH {', '.join(_then(each, place) for each in tables)} {sql}" if tables else sql


def _then(table: str, place: int) -> str:
    form = CHANGED if table in KEPT else WRITTEN_ONCE
    key = " || '/' || ".join(f"t.{each}::text" for each in KEPT.get(table, ()))
    return form.format(table=table, key=key, mine=MINE.get(table, ACCOUNTS), born=BORN[table], place=place)
