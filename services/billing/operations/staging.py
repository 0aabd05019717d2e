"""Good rows of a book on their way to the database: COPY into a staging table, then judged against each other."""

from collections.abc import Sequence
from operator import attrgetter
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.rules.book import CustomerRow
from shared.db import driver, execute, rows

COLUMNS = (
    *("batch_id", "line", "external_id", "name", "search_name", "tax_id", "is_isp", "special_negotiation", "agent"),
    *("contract_number", "contract_kind", "contract_start", "contract_end", "contacts", "services", "opening_status", "policy"),
    *("last_billed", "openings", "opening_credit", "hash", "broken"),
)
STAGED = attrgetter(*COLUMNS[1:-1])  # of a CustomerRow

OTHERS = (
    "FROM staged_customer r, jsonb_array_elements(r.{list}) {name} WHERE r.batch_id = $1 AND r.external_id = h.external_id AND NOT r.broken"
)
GATHER = f"""
WITH heads AS MATERIALIZED (
    SELECT s.external_id, s.line FROM staged_customer s
    WHERE s.batch_id = $1 AND s.line BETWEEN $2 AND $3 AND NOT s.broken AND NOT EXISTS (
        SELECT FROM staged_customer e WHERE e.batch_id = $1 AND e.external_id = s.external_id AND e.line < s.line AND NOT e.broken)
), gathered AS MATERIALIZED (
    SELECT h.line,
        (SELECT md5(string_agg(r.hash, '' ORDER BY r.line)) FROM staged_customer r
         WHERE r.batch_id = $1 AND r.external_id = h.external_id AND NOT r.broken) AS hash,
        (SELECT jsonb_agg(x ORDER BY r.line, n) {OTHERS.format(list="services", name="WITH ORDINALITY AS e(x, n)")}) AS services,
        (SELECT jsonb_agg(DISTINCT x) {OTHERS.format(list="contacts", name="AS x")}) AS contacts,
        (SELECT jsonb_agg(DISTINCT x) {OTHERS.format(list="openings", name="AS x")}) AS openings
    FROM heads h WHERE EXISTS (
        SELECT FROM staged_customer r WHERE r.batch_id = $1 AND r.external_id = h.external_id AND r.line > h.line AND NOT r.broken)
), taken AS (
    UPDATE staged_customer s SET hash = g.hash, services = coalesce(g.services, '[]'), contacts = coalesce(g.contacts, '[]'),
        openings = coalesce(g.openings, '[]')
    FROM gathered g WHERE s.batch_id = $1 AND s.line = g.line
)
DELETE FROM staged_customer s USING heads h WHERE s.batch_id = $1 AND s.external_id = h.external_id AND s.line > h.line AND NOT s.broken
"""


async def stage_customers(session: AsyncSession, *, batch_id: UUID, good: Sequence[CustomerRow], broken: Sequence[tuple[int, str]]) -> None:
    """COPY rows into the staging table; of broken ones only line and external id."""
    connection = await driver(session)
    records = [(batch_id, *STAGED(each), False) for each in good]
    records += [(batch_id, line, key, "", "", *[None] * 8, "[]", "[]", None, "", None, "[]", 0, "", True) for line, key in broken]
    await connection.copy_records_to_table("staged_customer", records=records, columns=COLUMNS)


async def analyze_staged(session: AsyncSession) -> None:
    """Let the planner know what the staging table holds now: what it remembers of earlier files would mislead it."""
    await execute(session, "ANALYZE staged_customer")


async def merge_service_rows(session: AsyncSession, *, batch_id: UUID, first_line: int, last_line: int) -> None:
    """`one_row_per: service`: the first good row of a customer takes over the services, contacts and open invoices of its other rows, which
    go. Looks at the customers whose first row is among these lines."""
    await execute(session, GATHER, batch_id, first_line, last_line)


async def refuse_repeated(session: AsyncSession, *, batch_id: UUID) -> int:
    """A customer that stands in the file twice: the first row counts, the others are faults. Answers how many rows were refused."""
    found = await rows(
        session,
        "WITH repeated AS MATERIALIZED (SELECT * FROM (SELECT line, min(line) OVER (PARTITION BY external_id) AS first "
        "FROM staged_customer WHERE batch_id = $1 AND NOT broken) AS t WHERE line > first), "
        "gone AS (UPDATE staged_customer s SET broken = true FROM repeated r WHERE s.batch_id = $1 AND s.line = r.line "
        "RETURNING s.line, s.external_id, r.first) "
        "INSERT INTO import_fault (batch_id, line, column_name, value, reason, remedy, severity) "
        "SELECT $1, line, '(identificador)', external_id, 'El cliente ya está en la línea ' || first || ' del archivo.', "
        "'Deje una sola fila por cliente, o use `one_row_per: service` en el mapeo.', 'ERROR' FROM gone RETURNING line",
        batch_id,
    )
    return len(found)


async def refuse_repeated_services(session: AsyncSession, *, batch_id: UUID) -> int:
    """With a row per service, two rows with one service code cannot both be right. Answers how many customers were refused."""
    found = await rows(
        session,
        "WITH doubled AS (SELECT s.line, s.external_id, min(x.value ->> 'code') AS code FROM staged_customer s, "
        "jsonb_array_elements(s.services) AS x WHERE s.batch_id = $1 AND NOT s.broken GROUP BY s.line, s.external_id, x.value ->> 'code' "
        "HAVING count(*) > 1), gone AS (UPDATE staged_customer s SET broken = true FROM doubled d WHERE s.batch_id = $1 "
        "AND s.line = d.line RETURNING s.line, d.code) "
        "INSERT INTO import_fault (batch_id, line, column_name, value, reason, remedy, severity) "
        "SELECT $1, line, '(servicio)', code, 'El código de servicio se repite entre las filas del cliente.', "
        "'Dé a cada servicio su propio código.', 'ERROR' FROM gone RETURNING line",
        batch_id,
    )
    return len(found)
