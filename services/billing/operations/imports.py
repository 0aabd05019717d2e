"""The life of an import: queued, claimed by one process at a time, counted, ended. The rows themselves are in `staging` and `merging`.

A killed import is claimed again when its lease has run out. A book is read anew and merging goes on behind `merged_line`; a bank's file is
read on behind it, for its rows are applied as they are read.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.billing.models import ImportBatch
from services.billing.rules.cells import Fault
from services.billing.rules.states import ImportState
from shared.db import execute, ring, rows
from shared.errors import Conflict
from shared.lease import LEASE, holds

MOST_WAITING = 20
# In both $1 is the holder, and $2 the lease.
CLAIMED, MINE = "claimed_until = clock_timestamp() + $2::interval", "claimed_by = $1 AND state IN ('READING', 'MERGING')"
COUNTERS = frozenset({"rows_read", "rows_new", "rows_changed", "rows_unchanged", "rows_bad", "rows_missing", "notices"})


class LostClaim(Exception):
    """Another process has taken this import over: stop, and leave it to that one."""


async def queue_import(
    session: AsyncSession, *, kind: str, source: str, file_name: str, path: str, mapping: dict[str, Any], requested_by: str, now: datetime
) -> ImportBatch:
    """Note a file that lies on disk; a worker imports it. Raises Conflict while too many wait: each lies on disk until it was imported."""
    waiting = (await rows(session, "SELECT count(*) FROM import_batch WHERE state IN ('QUEUED', 'READING', 'MERGING')"))[0][0]
    if waiting >= MOST_WAITING:
        raise Conflict(f"Ya esperan {waiting} importaciones.", remedy="Espere a que terminen: GET /billing/imports dice cómo van.")
    batch = ImportBatch(
        kind=kind, source=source, file_name=file_name, path=path, mapping=mapping, requested_by=requested_by, requested_at=now
    )
    session.add(batch)
    await session.flush()
    ring(session)
    return batch


async def claim_import(session: AsyncSession, *, holder: str, now: datetime, batch_id: UUID | None = None) -> ImportBatch | None:
    """Take the oldest import that nobody works on (or that very one), and go on with it; None when there is none."""
    found = await rows(
        session,
        f"UPDATE import_batch SET state = 'READING', claimed_by = $1, {CLAIMED}, started_at = coalesce(started_at, $3) "
        "WHERE id = (SELECT id FROM import_batch WHERE state IN ('QUEUED', 'READING', 'MERGING') "
        f"AND (claimed_until IS NULL OR NOT {holds('claimed_until', '$2')}) AND ($4::uuid IS NULL OR id = $4) "
        "ORDER BY requested_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id",
        holder,
        LEASE,
        now,
        batch_id,
    )
    if not found:
        return None
    batch = await session.get_one(ImportBatch, found[0].id, populate_existing=True)
    if batch.kind == "customers":
        for table in ("staged_customer", "import_fault", "import_missing"):
            await execute(session, f"DELETE FROM {table} WHERE batch_id = $1", batch.id)
        batch.rows_read = batch.rows_bad = batch.rows_missing = batch.notices = 0
        await session.flush()
    return batch


async def renew_claim(
    session: AsyncSession, *, batch_id: UUID, holder: str, state: ImportState, counts: dict[str, int], merged_line: int = 0
) -> None:
    """Prove the claim and prolong it, add to the counters, and keep how far the good rows are applied, in the transaction of the block.
    Raises LostClaim."""
    added = "".join(f", {name} = {name} + {int(count)}" for name, count in counts.items() if name in COUNTERS)
    count = await execute(
        session,
        f"UPDATE import_batch SET {CLAIMED}, state = $4, merged_line = greatest(merged_line, $5){added} WHERE id = $3 AND {MINE}",
        holder,
        LEASE,
        batch_id,
        state.value,
        merged_line,
    )
    if not count:
        raise LostClaim


async def keep_claim(session: AsyncSession, *, batch_id: UUID, holder: str) -> None:
    """This process is alive: what it works on stays its own, however long a block takes."""
    await execute(session, f"UPDATE import_batch SET {CLAIMED} WHERE id = $3 AND {MINE}", holder, LEASE, batch_id)


async def finish_import(
    session: AsyncSession, *, batch_id: UUID, holder: str, speed: int, now: datetime, failure: str | None = None
) -> None:
    """The import is over; with a `failure` (Spanish) it stopped before its end. `speed` is in rows per second. Raises LostClaim: another
    process goes on with it."""
    count = await execute(
        session,
        "UPDATE import_batch SET state = $2, finished_at = $3, rows_per_second = $4, failure = $5, claimed_by = NULL, claimed_until = NULL "
        "WHERE id = $1 AND claimed_by = $6",
        batch_id,
        (ImportState.FAILED if failure else ImportState.DONE).value,
        now,
        speed,
        failure,
        holder,
    )
    if not count:
        raise LostClaim
    await execute(session, "DELETE FROM staged_customer WHERE batch_id = $1", batch_id)
    ring(session)


async def keep_faults(session: AsyncSession, *, batch_id: UUID, faults: Sequence[Fault]) -> None:
    """Write down what was wrong with rows."""
    if not faults:
        return
    await execute(
        session,
        "INSERT INTO import_fault (batch_id, line, column_name, value, reason, remedy, severity) "
        "SELECT $1, t.* FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) AS t",
        batch_id,
        [each.line for each in faults],
        [each.column for each in faults],
        [each.value.replace("\x00", "") for each in faults],
        [each.reason for each in faults],
        [each.remedy for each in faults],
        [each.severity.value for each in faults],
    )
