"""Reads of imports: the batch, its faults, the customers that its file does not have."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.billing.models import ImportBatch, ImportFault, ImportMissing
from services.billing.rules.states import ImportState
from shared.errors import NotFound

UNDER_WAY = (ImportState.QUEUED, ImportState.READING, ImportState.MERGING)


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


async def find_imports(session: AsyncSession, *, before: UUID | None = None, limit: int = 50) -> Sequence[ImportBatch]:
    """Imports, the latest first; `before` is the last one seen."""
    query = select(ImportBatch).order_by(col(ImportBatch.id).desc()).limit(limit)
    if before is not None:
        query = query.where(col(ImportBatch.id) < before)
    return (await session.execute(query)).scalars().all()


async def faults_of(session: AsyncSession, batch_id: UUID, *, after: tuple[int, int] = (-1, 0), limit: int = 100) -> Sequence[ImportFault]:
    """What was wrong with the file's rows, by line; `after` is line and id of the last one seen. Raises NotFound."""
    await get_import(session, batch_id)
    line, fault_id = after
    query = (
        select(ImportFault)
        .where(ImportFault.batch_id == batch_id)
        .where(tuple_(col(ImportFault.line), col(ImportFault.id)) > tuple_(line, fault_id))
        .order_by(col(ImportFault.line), col(ImportFault.id))
        .limit(limit)
    )
    return (await session.execute(query)).scalars().all()


async def missing_of(session: AsyncSession, batch_id: UUID, *, after: str = "", limit: int = 100) -> Sequence[ImportMissing]:
    """The source's customers that the file does not have, by external id. Raises NotFound."""
    await get_import(session, batch_id)
    query = (
        select(ImportMissing)
        .where(ImportMissing.batch_id == batch_id, col(ImportMissing.external_id) > after)
        .order_by(col(ImportMissing.external_id))
        .limit(limit)
    )
    return (await session.execute(query)).scalars().all()
