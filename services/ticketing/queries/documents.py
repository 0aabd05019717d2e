"""Stored documents."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from services.ticketing.models import Document
from shared.db import rows
from shared.errors import NotFound


async def get_document(session: AsyncSession, document_id: UUID) -> Document:
    """A document without its content. Raises NotFound."""
    found = await session.get(Document, document_id)
    if found is None:
        raise NotFound(f"No existe el documento {document_id}.")
    return found


async def part_of(session: AsyncSession, document_id: UUID, number: int) -> bytes | None:
    """A piece of a document's content; None behind the last one."""
    found = await rows(session, "SELECT data FROM document_part WHERE document_id = $1 AND number = $2", document_id, number)
    return bytes(found[0].data) if found else None


async def files_named(session: AsyncSession, customer_id: UUID, ids: Iterable[UUID]) -> dict[str, dict[str, Any]]:
    """Of these documents those that are the customer's, as a form holds them; until the commit none of them is forgotten."""
    query = select(Document).where(col(Document.id).in_(list(ids)), Document.customer_id == customer_id).with_for_update(read=True)
    return {
        str(each.id): {"id": str(each.id), **each.model_dump(include={"name", "media_type", "size", "sha256"})}
        for each in (await session.execute(query)).scalars()
    }
