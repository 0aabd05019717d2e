"""Documents that people store with tickets: a formal notice, a signature. Kept in the database, so that they are saved with everything."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Index, LargeBinary, text
from sqlmodel import Field

from services.ticketing.models.base import Table
from shared.db import new_id, utc


class Document(Table, table=True):
    """A document of a customer. `media_type` is what its content was found to be, whatever its sender called it; `sha256` is of the whole
    content. It belongs to the first ticket that names it; one that no ticket has named within some days is forgotten."""

    __tablename__ = "document"
    __table_args__ = (
        Index("ix_document_customer", "customer_id", "id"),
        Index("ix_document_ticket", "ticket_id", postgresql_where=text("ticket_id IS NOT NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID = Field(foreign_key="customer.id")
    ticket_id: UUID | None = Field(default=None, foreign_key="ticket.id")
    name: str
    media_type: str
    size: int
    sha256: str
    stored_by: str
    stored_at: datetime = utc()


class DocumentPart(Table, table=True):
    """A piece of a document's content, in order, so that nobody needs to hold the whole of it."""

    __tablename__ = "document_part"
    document_id: UUID = Field(primary_key=True, foreign_key="document.id")
    number: int = Field(primary_key=True)
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
