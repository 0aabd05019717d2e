"""The manager's figures, as they were when somebody, or the night, asked for them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.collections.models.base import Table
from shared.db import new_id, utc


class FigureReport(Table, table=True):
    """All figures at the instant `counted_at` (None: still to be counted); `data` holds each figure's rows by its name."""

    __tablename__ = "figure_report"
    __table_args__ = (
        Index("ix_figure_report_counted", "counted_at"),
        Index("ix_figure_report_open", "asked_at", postgresql_where=text("counted_at IS NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    asked_by: str
    asked_at: datetime = utc()
    counted_at: datetime | None = utc(nullable=True)
    data: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
