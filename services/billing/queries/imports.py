"""Reads of imports: the batch, its faults, the customers that its file does not have."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.billing.models import ImportBatch, ImportFault, ImportMissing
from services.billing.rules.states import ImportState
from shared.errors import NotFound
from shared.sorting import Order, Placed, Sorting, identity, instant, number, text

UNDER_WAY = (ImportState.QUEUED, ImportState.READING, ImportState.MERGING)
IMPORTS = Sorting(
    "-id",
    identity("import_batch.id"),
    id=identity("import_batch.id"),
    kind=text("import_batch.kind"),
    source=text("import_batch.source"),
    file_name=text("import_batch.file_name"),
    state=text("import_batch.state"),
    requested_by=text("import_batch.requested_by"),
    requested_at=instant("import_batch.requested_at"),
    finished_at=instant("import_batch.finished_at", empty=True),
    rows_read=number("import_batch.rows_read"),
    rows_bad=number("import_batch.rows_bad"),
)
FAULTS = Sorting(
    "line",
    (number("import_fault.line"), number("import_fault.id")),
    line=number("import_fault.line"),
    column=text("import_fault.column_name"),
    severity=text("import_fault.severity"),
    reason=text("import_fault.reason"),
)
MISSING = Sorting("external_id", text("import_missing.external_id"), external_id=text("import_missing.external_id"))


async def get_import(session: AsyncSession, batch_id: UUID) -> ImportBatch:
    """One import as it stands. Raises NotFound."""
    found = await session.get(ImportBatch, batch_id, populate_existing=True)
    if found is None:
        raise NotFound(f"No existe la importación {batch_id}.")
    return found


async def imports_under_way(session: AsyncSession) -> bool:
    """Is any import queued or being worked on?"""
    found = await session.execute(select(ImportBatch.id).where(col(ImportBatch.state).in_(UNDER_WAY)).limit(1))
    return found.first() is not None


async def find_imports(session: AsyncSession, order: Order) -> list[Placed[ImportBatch]]:
    """Imports."""
    return await order.select(session, select(ImportBatch))


async def faults_of(session: AsyncSession, batch_id: UUID, order: Order) -> list[Placed[ImportFault]]:
    """What was wrong with the file's rows. Raises NotFound."""
    await get_import(session, batch_id)
    return await order.select(session, select(ImportFault).where(ImportFault.batch_id == batch_id))


async def missing_of(session: AsyncSession, batch_id: UUID, order: Order) -> list[Placed[ImportMissing]]:
    """The source's customers that the file does not have. Raises NotFound."""
    await get_import(session, batch_id)
    return await order.select(session, select(ImportMissing).where(ImportMissing.batch_id == batch_id))
