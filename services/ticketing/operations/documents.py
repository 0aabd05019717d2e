"""Store documents, give them to the ticket that names them, and forget those that no ticket ever named."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.ticketing.models import Customer, Document, DocumentPart
from services.ticketing.rules.documents import media_type_of, name_of
from shared import timers
from shared.db import execute, new_id
from shared.errors import FieldError, Invalid, NotFound

PART = 256 * 1024
UNUSED = "document_unused"
KEPT_UNUSED = timedelta(days=7)  # business time


async def store_document(session: AsyncSession, *, customer_id: UUID, name: str, content: bytes, stored_by: str, now: datetime) -> Document:
    """Keep a document of a customer. Raises NotFound; Invalid for what is none of the kinds that are kept."""
    if await session.get(Customer, customer_id) is None:
        raise NotFound(f"No existe el cliente {customer_id}.")
    media_type = media_type_of(content)
    if media_type is None:
        error = FieldError(field="(cuerpo)", message="no es un PDF, una imagen PNG, JPEG o TIFF, ni un correo (.eml)")
        raise Invalid("El documento no se guardó.", errors=[error], remedy="Envíe el contenido mismo del archivo, sin envolverlo.")
    document = Document(
        id=new_id(),
        customer_id=customer_id,
        name=name_of(name, media_type),
        media_type=media_type,
        size=len(content),
        sha256=sha256(content).hexdigest(),
        stored_by=stored_by,
        stored_at=now,
    )
    session.add(document)
    await session.flush()
    starts = range(0, len(content), PART)
    session.add_all(DocumentPart(document_id=document.id, number=at // PART, data=content[at : at + PART]) for at in starts)
    await timers.arm(session, kind=UNUSED, key=str(document.id), due_at=now + KEPT_UNUSED)
    return document


async def keep_documents(session: AsyncSession, *, ticket_id: UUID, values: Iterable[Any]) -> None:
    """The documents that a form names belong to its ticket, unless they belong to an earlier one."""
    named = sorted({UUID(each["id"]) for each in values if isinstance(each, Mapping) and "sha256" in each})
    if not named:
        return
    await execute(session, "UPDATE document SET ticket_id = $1 WHERE id = ANY($2::uuid[]) AND ticket_id IS NULL", ticket_id, named)
    for each in named:
        await timers.cancel(session, kind=UNUSED, key=str(each))


async def forget_unused(session: AsyncSession, document_id: UUID) -> None:
    """Nobody has named the document in time."""
    unused = "SELECT id FROM document WHERE id = $1 AND ticket_id IS NULL FOR UPDATE"
    await execute(session, f"DELETE FROM document_part WHERE document_id IN ({unused})", document_id)
    await execute(session, "DELETE FROM document WHERE id = $1 AND ticket_id IS NULL", document_id)
