"""Imports: the batch, what was wrong with its rows, and the rows while they are on their way."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.billing.models.base import Table
from services.billing.rules.states import ImportState, Severity
from shared.db import money_column, new_id, one_of, utc


class ImportBatch(Table, table=True):
    """One file under way or done. `claimed_until` (machine time) is the lease of the process that works on it; `merged_line` is how far the
    good rows are applied, so that a killed import goes on there."""

    __tablename__ = "import_batch"
    __table_args__ = (one_of("state", ImportState, "ck_import_batch_state"), Index("ix_import_batch_state", "state"))
    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    source: str
    file_name: str
    path: str
    mapping: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = ImportState.QUEUED
    requested_by: str
    requested_at: datetime = utc()
    started_at: datetime | None = utc(nullable=True)
    finished_at: datetime | None = utc(nullable=True)
    claimed_by: str | None = None
    claimed_until: datetime | None = utc(nullable=True)
    rows_read: int = 0
    rows_new: int = 0
    rows_changed: int = 0
    rows_unchanged: int = 0
    rows_bad: int = 0
    rows_missing: int = 0
    notices: int = 0
    merged_line: int = 0
    rows_per_second: int = 0
    failure: str | None = None


class ImportFault(Table, table=True):
    """A row that was not applied (ERROR), or applied without one of its values (NOTICE)."""

    __tablename__ = "import_fault"
    __table_args__ = (
        one_of("severity", Severity, "ck_import_fault_severity"),
        Index("ix_import_fault_batch", "batch_id", "line", "id"),
    )
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    batch_id: UUID = Field(foreign_key="import_batch.id")
    line: int
    column_name: str
    value: str
    reason: str
    remedy: str
    severity: str = Severity.ERROR


class ImportMissing(Table, table=True):
    """A customer of the source that the file does not have. Only listed: nothing happens to it."""

    __tablename__ = "import_missing"
    batch_id: UUID = Field(primary_key=True, foreign_key="import_batch.id")
    external_id: str = Field(primary_key=True)
    customer_id: UUID


class StagedCustomer(Table, table=True):
    """A row of a book between reading and merging (of a broken one only its key, so that its customer does not count as missing).
    Unlogged: after a crash of the server the file is simply read again."""

    __tablename__ = "staged_customer"
    __table_args__ = (Index("ix_staged_customer_external", "batch_id", "external_id", "line"), {"prefixes": ["UNLOGGED"]})
    batch_id: UUID = Field(primary_key=True)
    line: int = Field(primary_key=True)
    external_id: str
    name: str
    search_name: str
    tax_id: str | None = None
    is_isp: bool | None = None
    special_negotiation: str | None = None
    agent: str | None = None
    contract_number: str | None = None
    contract_kind: str | None = None
    contract_start: date | None = None
    contract_end: date | None = None
    contacts: list[Any] = Field(sa_column=Column(JSONB, nullable=False))
    services: list[Any] = Field(sa_column=Column(JSONB, nullable=False))
    opening_status: str | None = None
    policy: str
    last_billed: str | None = None
    openings: list[Any] = Field(sa_column=Column(JSONB, nullable=False))
    opening_credit: Decimal = money_column()
    hash: str = Field(sa_column=Column(Text, nullable=False))
    broken: bool = False
