"""The manager's figures, counted over everything in one snapshot (VIP-31); what each means is said in rules/figures.py."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared.arranging import Arranging
from shared.db import rows

# What confirmed money and credit notes took off each invoice.
TAKEN = """
LEFT JOIN (SELECT t.invoice_id, sum(t.amount) AS amount FROM payment_part t JOIN payment p ON p.id = t.payment_id
    WHERE p.confirmed_at IS NOT NULL AND p.reversed_at IS NULL GROUP BY 1) AS paid ON paid.invoice_id = i.id
LEFT JOIN (SELECT invoice_id, sum(amount) AS amount FROM deduction WHERE kind = 'CREDIT' GROUP BY 1) AS back ON back.invoice_id = i.id
"""
# $1: the zone, $2: today there, $3: the first month. Every query names all three, so that all are asked alike.
COUNTED = {
    "collected": f"""
SELECT i.period, a.agent, a.policy, i.currency, count(*) AS invoices,
    sum(i.balance - coalesce(back.amount, 0)) AS billed, sum(coalesce(paid.amount, 0)) AS collected
FROM invoice i JOIN account a ON a.id = i.account_id {TAKEN}
WHERE i.voided_at IS NULL AND i.period >= $3 AND ($1::text, $2::date) IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1 DESC, 2, 3, 4
""",
    "ageing": f"""
SELECT t.agent, t.policy, t.currency, t.bucket, count(*) AS invoices, sum(t.amount) AS amount FROM (
    SELECT a.agent, a.policy, i.currency, i.balance - coalesce(paid.amount, 0) - coalesce(back.amount, 0) AS amount,
        CASE WHEN $2::date <= i.due_date THEN 'current' WHEN $2::date - i.due_date <= 30 THEN '1-30'
            WHEN $2::date - i.due_date <= 60 THEN '31-60' WHEN $2::date - i.due_date <= 90 THEN '61-90' ELSE '90+' END AS bucket
    FROM invoice i JOIN account a ON a.id = i.account_id {TAKEN} WHERE i.voided_at IS NULL AND i.paid_at IS NULL
) AS t WHERE t.amount > 0 AND ($1::text, $3::text) IS NOT NULL
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, array_position(ARRAY['current', '1-30', '31-60', '61-90', '90+'], t.bucket)
""",
    "promises": """
SELECT to_char(p.made_at AT TIME ZONE $1, 'YYYY-MM') AS period, p.agent, a.policy, count(*) AS made,
    count(*) FILTER (WHERE p.state = 'KEPT') AS kept, count(*) FILTER (WHERE p.state = 'BROKEN') AS broken,
    count(*) FILTER (WHERE p.state = 'RUNNING') AS running, count(*) FILTER (WHERE p.state = 'LAPSED') AS lapsed
FROM promise p JOIN account a ON a.id = p.account_id
WHERE p.made_at >= ($3 || '-01')::timestamp AT TIME ZONE $1 AND $2::date IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3
""",
    "cuts": """
SELECT to_char(s.suspended_at AT TIME ZONE $1, 'YYYY-MM') AS period, a.agent, a.policy, count(*) AS cuts,
    count(paid.at) AS paid, count(s.reconnected_at) AS reconnected,
    round(avg(extract(epoch FROM paid.at - s.suspended_at) / 86400), 2) AS days_to_payment,
    round(avg(extract(epoch FROM s.reconnected_at - paid.at) / 86400), 2) AS days_to_reconnection,
    count(*) FILTER (WHERE s.reconnected_at <= s.suspended_at + interval '1 hour') AS within_an_hour
FROM suspension s JOIN account a ON a.id = s.account_id LEFT JOIN LATERAL (
    SELECT min(p.reported_at) AS at FROM payment p WHERE p.account_id = s.account_id AND p.reported_at >= s.suspended_at
        AND p.reported_at <= coalesce(s.reconnected_at, 'infinity') AND p.rejected_at IS NULL
) AS paid ON true
WHERE s.suspended_at >= ($3 || '-01')::timestamp AT TIME ZONE $1 AND s.source <> 'IMPORT' AND $2::date IS NOT NULL
GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2, 3
""",
}
BUCKETS = ("current", "1-30", "31-60", "61-90", "90+")


def _exact(row: Mapping[str, Any], name: str) -> Decimal | None:
    """An amount, or an average, of a counted row."""
    return None if row[name] is None else Decimal(row[name])


def _share(row: Mapping[str, Any], part: str, *whole: str) -> Decimal | None:
    """A part of a counted row's figures, of 1."""
    total = sum(Decimal(row[each]) for each in whole)
    return Decimal(row[part]) / total if total else None


def _sorting(*plain: str, exact: Sequence[str] = (), **by: Callable[[Any], Any]) -> Arranging:
    """How counted rows may be sorted: by what they hold, by its exact value, or by what a function makes of the row."""
    fields = {each: itemgetter(each) for each in plain} | {each: partial(_exact, name=each) for each in exact}
    return Arranging(**fields | by)


SORTINGS = {
    "collected": _sorting(
        "period", "agent", "policy", "invoices", exact=("billed", "collected"),
        collected_percent=lambda row: _share(row, "collected", "billed"),
    ),
    "ageing": _sorting("agent", "policy", "invoices", exact=("amount",), bucket=lambda row: BUCKETS.index(row["bucket"])),
    "promises": _sorting(
        "period", "agent", "policy", "made", "kept", "broken", "running", "lapsed",
        kept_percent=lambda row: _share(row, "kept", "kept", "broken"),
    ),
    "cuts": _sorting(
        "period", "agent", "policy", "cuts", "paid", "reconnected", "within_an_hour", exact=("days_to_payment", "days_to_reconnection"),
    ),
}  # fmt: skip
LATEST = """
SELECT counted_at, (data -> $1::text)::text AS rows FROM figure_report WHERE counted_at IS NOT NULL ORDER BY counted_at DESC LIMIT 1"""
NEXT = "SELECT min(asked_at) FILTER (WHERE counted_at IS NULL) AS asked, max(counted_at) AS counted FROM figure_report"


async def count(session: AsyncSession, *, zone: str, today: date, first: str) -> dict[str, list[dict[str, Any]]]:
    """Every figure's rows; amounts as text. `first` is the first month (`2026-03`) that is counted by months."""
    found = {}
    for name, sql in COUNTED.items():
        counted = await rows(session, sql, zone, today, first)
        found[name] = [{key: value if isinstance(value, int | None) else str(value) for key, value in row.items()} for row in counted]
    return found


async def latest(session: AsyncSession, name: str) -> tuple[datetime, Sequence[dict[str, Any]]] | None:
    """A figure's rows as they were counted last, and when; None before the first time."""
    found = await rows(session, LATEST, name)
    return (found[0].counted_at, json.loads(found[0].rows)) if found else None


async def next_asked(session: AsyncSession) -> tuple[datetime | None, datetime | None]:
    """When the oldest figures were asked for that are not counted, and when any were counted last."""
    found = (await rows(session, NEXT))[0]
    return found.asked, found.counted
