"""Good rows of a book on their way to the database: COPY into a staging table, then judged against each other."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.rules.book import CustomerRow
from shared.db import driver, execute, rows

COLUMNS = (
    *("batch_id", "line", "external_id", "name", "search_name", "is_isp", "special_negotiation", "agent", "contract_number"),
    *("contract_kind", "contract_start", "contract_end", "contacts", "services", "opening_status", "policy", "last_billed"),
    *("openings", "opening_credit", "hash", "broken"),
)


async def stage_customers(session: AsyncSession, *, batch_id: UUID, good: Sequence[CustomerRow], broken: Sequence[tuple[int, str]]) -> None:
    """COPY rows into the staging table; of broken ones only line and external id."""
    connection = await driver(session)
    records = [tuple(batch_id if name == "batch_id" else getattr(each, name, False) for name in COLUMNS) for each in good]
    records += [(batch_id, line, key, "", "", *[None] * 7, "[]", "[]", None, "", None, "[]", 0, "", True) for line, key in broken]
    await connection.copy_records_to_table("staged_customer", records=records, columns=COLUMNS)


async def merge_service_rows(session: AsyncSession, *, batch_id: UUID) -> None:
    """`one_row_per: service`: the first good row of a customer takes over the services, contacts and open invoices of its other rows."""
    await execute(
        session,
        "WITH gathered AS (SELECT external_id, min(line) AS first, count(*) AS lines, md5(string_agg(hash, '' ORDER BY line)) AS hash, "
        "(SELECT jsonb_agg(x ORDER BY r.line, n) FROM staged_customer r, jsonb_array_elements(r.services) WITH ORDINALITY AS e(x, n) "
        " WHERE r.batch_id = $1 AND r.external_id = s.external_id AND NOT r.broken) AS services, "
        "(SELECT jsonb_agg(DISTINCT x) FROM staged_customer r, jsonb_array_elements(r.contacts) AS x "
        " WHERE r.batch_id = $1 AND r.external_id = s.external_id AND NOT r.broken) AS contacts, "
        "(SELECT jsonb_agg(DISTINCT x) FROM staged_customer r, jsonb_array_elements(r.openings) AS x "
        " WHERE r.batch_id = $1 AND r.external_id = s.external_id AND NOT r.broken) AS openings "
        "FROM staged_customer s WHERE batch_id = $1 AND NOT broken GROUP BY external_id HAVING count(*) > 1) "
        "UPDATE staged_customer s SET hash = g.hash, services = coalesce(g.services, '[]'), contacts = coalesce(g.contacts, '[]'), "
        "openings = coalesce(g.openings, '[]') "
        "FROM gathered g WHERE s.batch_id = $1 AND s.external_id = g.external_id AND s.line = g.first",
        batch_id,
    )
    await execute(
        session,
        "DELETE FROM staged_customer s USING staged_customer first WHERE s.batch_id = $1 AND first.batch_id = $1 AND NOT s.broken "
        "AND NOT first.broken AND first.external_id = s.external_id AND first.line < s.line",
        batch_id,
    )


async def refuse_repeated(session: AsyncSession, *, batch_id: UUID) -> int:
    """A customer that stands in the file twice: the first row counts, the others are faults. Answers how many rows were refused."""
    found = await rows(
        session,
        "WITH repeated AS (SELECT line, min(line) OVER (PARTITION BY external_id) AS first, external_id FROM staged_customer "
        "WHERE batch_id = $1 AND NOT broken), "
        "gone AS (UPDATE staged_customer s SET broken = true FROM repeated r WHERE s.batch_id = $1 AND s.line = r.line "
        "AND r.line > r.first RETURNING s.line, s.external_id, r.first) "
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
