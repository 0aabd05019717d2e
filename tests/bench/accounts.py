"""Accounts for the policy run, made by set-based SQL: how a book of residential customers stands on the evening of 19 March 2026.

Every account has February's invoice, paid, and March's. What else it has follows from its kind:

- `paid`, `reported`: March's money is there, or a payment is reported. Time alone changes nothing.
- `cut`: unpaid, restricted since the 17th, ten days late tomorrow at 9:00; whoever is late was charged for it. `remind`: due on the 23rd,
  reminded tomorrow at 9:00.
- `plan`: came with a payment plan that holds until tomorrow begins. `promise`: promised by tomorrow at 10:00.
- `suspended`, `review`, `vip`: cut already, looked into, or a person's to decide, and then in the worklist. Nothing is due tomorrow.
- `looked`: like `paid`, and yet to be looked at tomorrow at 9:00.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import asyncpg

from services.collections.rules.worklist import ORDER, Reason
from shared.db import Database

ZONE = ZoneInfo("America/Tegucigalpa")
EVENING = datetime(2026, 3, 19, 22, tzinfo=ZONE).astimezone(UTC)
MIDNIGHT = datetime(2026, 3, 20, 0, 0, 1, tzinfo=ZONE).astimezone(UTC)
NOON = datetime(2026, 3, 20, 12, tzinfo=ZONE).astimezone(UTC)
ORDINARY = {"paid": 66, "reported": 10, "suspended": 4, "review": 1, "vip": 5, "cut": 6, "remind": 5, "plan": 1, "promise": 2}
TABLES = (
    "reminder", "fee", "payment_part", "payment", "payment_plan", "promise", "review", "restriction", "suspension", "status_change",
    "invoice", "account_review", "worklist", "account", "past", "happening", "outbox",
)  # fmt: skip


def _id(kind: int) -> str:
    """A time-ordered id of the n-th account's row of this kind."""
    return f"('019{kind:x}0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"


AGENT = "CASE n / 100 % 20 WHEN 0 THEN 'ana.martinez' ELSE 'gestor.' || n / 100 % 20 END"  # each has the twentieth part
ACCOUNT, FEBRUARY, MARCH, OLD, NEW, FACT, FEE = map(_id, range(7))
ROWS = (
    f"""
INSERT INTO account (id, external_source, external_id, name, search_name, contacts, services, nodes, delivery, monthly_amount, currency,
    is_isp, agent, policy, status, status_since, status_rule, status_reason, version, registered_at)
SELECT {ACCOUNT}, 'crm', 'C-' || n, 'Cliente ' || n, 'cliente ' || lpad(n::text, 8, '0'),
    '[{{"kind": "email", "value": "cliente@example.com"}}]',
    '[{{"plan_code": "hogar_50", "plan_kind": "residential", "active_from": "2025-01-01"}}]', ARRAY['NODO-' || n % 500], 'own', 39.90,
    'USD', false, CASE WHEN kind = 'vip' THEN {AGENT} END, CASE WHEN kind = 'vip' THEN 'vip' ELSE 'residencial' END,
    CASE kind WHEN 'plan' THEN 'payment_plan' WHEN 'suspended' THEN 'suspended' WHEN 'review' THEN 'under_review'
        WHEN 'cut' THEN 'restricted' ELSE 'active' END,
    '2026-01-15 12:00Z', 'RES-1', '', 1, '2026-01-15 12:00Z'
FROM book""",
    f"""
INSERT INTO account_review (account_id, due_at)
SELECT {ACCOUNT}, CASE kind WHEN 'plan' THEN '2026-03-20 06:00Z'::timestamptz WHEN 'vip' THEN '2026-03-26 06:00Z'
    ELSE '2026-03-20 15:00Z' END FROM book WHERE kind IN ('cut', 'remind', 'looked', 'plan', 'promise', 'vip')""",
    f"""
INSERT INTO worklist (account_id, agent, urgency, weight, overdue_since)
SELECT {ACCOUNT}, {AGENT}, {ORDER.index(Reason.RECEIPT_NOT_CONFIRMED)}, -39.90, '2026-03-10' FROM book WHERE kind = 'vip'""",
    f"""
INSERT INTO status_change (account_id, version, previous, code, label, rule, reason, changed_at)
SELECT {ACCOUNT}, 1, 'active', CASE kind WHEN 'plan' THEN 'payment_plan' WHEN 'suspended' THEN 'suspended' WHEN 'cut' THEN 'restricted'
    ELSE 'under_review' END, 'así', 'RES-7', 'así', '2026-01-15 12:00Z' FROM book WHERE kind IN ('plan', 'suspended', 'review', 'cut')""",
    f"""
INSERT INTO invoice (id, account_id, number, origin, period, issue_date, due_date, due_ends_at, total, balance, currency, issued_at,
    paid_at, dispatched_at, dispatched_by)
SELECT {FEBRUARY}, {ACCOUNT}, '000-001-01-' || n, 'run', '2026-02', '2026-02-01'::date, '2026-02-10'::date,
    '2026-02-11 06:00Z'::timestamptz, 39.90, 39.90, 'USD', '2026-02-01 12:00Z'::timestamptz, '2026-02-08 12:00Z'::timestamptz,
    '2026-02-01 12:00Z'::timestamptz, 'sistema'
FROM book
UNION ALL
SELECT {MARCH}, {ACCOUNT}, '000-001-02-' || n, 'run', '2026-03', '2026-03-01',
    CASE kind WHEN 'remind' THEN '2026-03-23'::date ELSE '2026-03-10' END,
    CASE kind WHEN 'remind' THEN '2026-03-24 06:00Z'::timestamptz ELSE '2026-03-11 06:00Z' END, 39.90, 39.90, 'USD', '2026-03-01 12:00Z',
    CASE WHEN kind IN ('paid', 'looked') THEN '2026-03-08 12:00Z'::timestamptz END, '2026-03-01 12:00Z', 'sistema'
FROM book""",
    f"""
INSERT INTO payment (id, account_id, amount, currency, reference, channel, reported_at, confirmed_at)
SELECT {OLD}, {ACCOUNT}, 39.90, 'USD', 'R' || n, 'ventanilla', '2026-02-08 12:00Z'::timestamptz, '2026-02-08 12:00Z'::timestamptz FROM book
UNION ALL
SELECT {NEW}, {ACCOUNT}, 39.90, 'USD', 'R' || n, 'ventanilla', '2026-03-08 12:00Z',
    CASE WHEN kind <> 'reported' THEN '2026-03-08 12:00Z'::timestamptz END FROM book WHERE kind IN ('paid', 'looked', 'reported')""",
    f"""
INSERT INTO payment_part (payment_id, invoice_id, amount, currency, believed_at)
SELECT {OLD}, {FEBRUARY}, 39.90, 'USD', '2026-02-08 12:00Z'::timestamptz FROM book
UNION ALL SELECT {NEW}, {MARCH}, 39.90, 'USD', '2026-03-08 12:00Z' FROM book WHERE kind IN ('paid', 'looked', 'reported')""",
    f"""
INSERT INTO reminder (invoice_id, code, account_id, requested_at)
SELECT {MARCH}, 'antes_de_vencer', {ACCOUNT}, '2026-03-07 15:00Z' FROM book WHERE kind IN ('cut', 'plan', 'promise', 'suspended')""",
    f"""
INSERT INTO payment_plan (id, account_id, currency, agreed_at, agent, source, holds_until, known_payments, state, state_at)
SELECT {FACT}, {ACCOUNT}, 'USD', '2026-01-15 12:00Z', 'sistema', 'IMPORT', '2026-03-20 06:00Z', '{{}}', 'RUNNING', '2026-01-15 12:00Z'
FROM book WHERE kind = 'plan'""",
    f"""
INSERT INTO promise (id, account_id, period, ordinal, amount, currency, made_at, due_at, agent, known_payments, state, state_at)
SELECT {FACT}, {ACCOUNT}, '2026-03', 1, 39.90, 'USD', '2026-03-18 16:00Z', '2026-03-20 16:00Z', 'ana.martinez', '{{}}', 'RUNNING',
    '2026-03-18 16:00Z' FROM book WHERE kind = 'promise'""",
    f"""
INSERT INTO review (id, account_id, reason, opened_at, opened_by, source)
SELECT {FACT}, {ACCOUNT}, 'El cobro no coincide.', '2026-03-05 12:00Z', 'ana.martinez', 'PERSON' FROM book WHERE kind = 'review'""",
    f"""
INSERT INTO suspension (id, account_id, state, source, procedure, delivery, rule, reason, amount, currency, invoice_ids, agent,
    requested_at, suspended_at)
SELECT {FACT}, {ACCOUNT}, 'SUSPENDED', 'SYSTEM', 'suspension_residencial', 'own', 'RES-5', 'Falta de pago.', 39.90, 'USD',
    ARRAY[{MARCH}], 'sistema', '2026-03-12 15:00Z', '2026-03-12 15:05Z' FROM book WHERE kind = 'suspended'""",
    f"""
INSERT INTO restriction (id, account_id, source, procedure, release_procedure, rule, reason, amount, currency, invoice_ids, except_services,
    requested_at, restricted_at)
SELECT {FACT}, {ACCOUNT}, 'SYSTEM', 'restriccion_residencial', 'liberacion_residencial', 'RES-9', 'Falta de pago.', 39.90, 'USD',
    ARRAY[{MARCH}], '{{}}', '2026-03-17 15:00Z', '2026-03-17 15:00Z' FROM book WHERE kind = 'cut'""",
    f"""
INSERT INTO fee (id, account_id, occasion, kind, invoice_id, amount, currency, rule, reason, due_at)
SELECT {FEE}, {ACCOUNT}, 'late/' || {MARCH}, 'late', {MARCH}, 2, 'USD', 'RES-8', 'Cinco días de atraso.', '2026-03-15 15:00Z'
FROM book WHERE kind IN ('cut', 'plan', 'promise', 'suspended', 'review')""",
    """
INSERT INTO happening (customer_id, at, type, data)
SELECT account_id, changed_at, 'collections.status_changed.v1', jsonb_build_object('code', code) FROM status_change
UNION ALL
SELECT account_id, requested_at, 'collections.suspension_requested.v1', jsonb_build_object('suspension_id', id) FROM suspension
UNION ALL
SELECT account_id, requested_at, 'collections.restriction_requested.v1', jsonb_build_object('restriction_id', id) FROM restriction""",
)


async def fill(database: Database, count: int, kinds: Mapping[str, int] = ORDINARY) -> None:
    """Leave exactly these accounts in collections' database, as if everything until this evening were done. `kinds` are percents."""
    assert sum(kinds.values()) == 100, "percents"
    hundred = [kind for kind, share in kinds.items() for _ in range(share)]
    mixed = [hundred[number * 37 % 100] for number in range(100)]
    connection = await asyncpg.connect(database.dsn)
    try:
        await connection.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")
        await connection.execute("SET session_replication_role = replica")  # what is written here refers to what is there
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("DROP TABLE IF EXISTS book")
        await connection.execute("BEGIN")
        await connection.execute("CREATE TEMP TABLE book (n int, kind text)")
        await connection.execute("INSERT INTO book SELECT n, ($2::text[])[n % 100 + 1] FROM generate_series(1, $1::int) AS n", count, mixed)
        for statement in ROWS:
            await connection.execute(statement)
        await connection.execute("COMMIT")
        await connection.execute(f"VACUUM ANALYZE {', '.join(TABLES)}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
