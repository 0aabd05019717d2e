"""What happened with each customer, as it was told by whoever did it, and the dossiers that were given out of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.collections.models.base import Table
from services.collections.rules.states import DossierState
from shared.db import new_id, one_of, utc


class Happening(Table, table=True):
    """An event of any service that touches this customer: the timeline's only source. `number` grows with every event of one customer
    (they are kept under its account's lock), whatever `at`, its own instant, says; `data` is the event's body."""

    __tablename__ = "happening"
    __table_args__ = (Index("ix_happening_customer", "customer_id", "at", "number"),)
    customer_id: UUID = Field(primary_key=True)
    number: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    at: datetime = utc()
    type: str
    data: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class Dossier(Table, table=True):
    """A legal dossier that somebody asked for: `content` is its canonical text, `file` the PDF exactly as it is given out, each with its
    SHA-256 in hexadecimal. `suspension_id` names the case; without it the dossier is of everything."""

    __tablename__ = "dossier"
    __table_args__ = (
        one_of("state", DossierState, "ck_dossier_state"),
        CheckConstraint("(state = 'READY') = (file IS NOT NULL)", name="ck_dossier_file"),
        Index("ix_dossier_customer", "customer_id", "id"),
        Index("ix_dossier_file", "file_sha256"),
        Index("ix_dossier_queued", "requested_at", "id", postgresql_where=text("state = 'QUEUED'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    customer_id: UUID = Field(foreign_key="account.id")
    suspension_id: UUID | None = None
    state: str = DossierState.QUEUED
    requested_by: str
    requested_at: datetime = utc()
    attempts: int = 0
    pages: int | None = None
    content: str | None = Field(default=None, sa_column=Column(Text))
    content_sha256: str | None = None
    file: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    file_sha256: str | None = None
    ready_at: datetime | None = utc(nullable=True)
    failure: str | None = None
