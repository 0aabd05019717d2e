"""Events under way as rows: what the tables of outbox, inbox and parking have in common."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime
from sqlmodel import Field

from shared.db import MessagingTable
from shared.events import Envelope

# What a set-based publisher writes: INSERT INTO outbox (<COLUMNS>) SELECT …, and then `ring(session, "relay")`.
COLUMNS = "event_id, type, subject, sequence, key, occurred_at, traceparent, data"


class EventRow(MessagingTable):
    """The columns of an event; whose it is says the table, or a column `sender`."""

    event_id: UUID
    type: str
    subject: str
    sequence: int
    key: str
    occurred_at: datetime = Field(sa_type=DateTime(timezone=True))
    traceparent: str | None = None
    data: str


def to_envelope(row: Any, source: str | None = None) -> Envelope:
    """A row as the event that it holds; without `source` it has a column `sender`. By name in brackets: as attributes they would be looked
    for in vain first."""
    return Envelope.model_construct(
        id=row["event_id"],
        type=row["type"],
        source=row["sender"] if source is None else source,
        subject=row["subject"],
        sequence=row["sequence"],
        key=row["key"],
        time=row["occurred_at"],
        traceparent=row["traceparent"],
        data=row["data"],
    )
