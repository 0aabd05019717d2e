"""Tickets and the turns of their steps."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from services.ticketing.models.base import Table
from services.ticketing.rules.states import StepState
from shared.db import new_id, one_of, utc


class Ticket(Table, table=True):
    """A procedure under way. `document` is the procedure as it was when the ticket began: editing the file changes no running ticket.

    `request_id` is the order (suspension or reconnection) that it carries out, `parent_id` the ticket whose outcome started it. `facts` is
    what was known when it began (`rules.facts.Fact`). `revision` changes with every change and is the API's ETag; `version` counts the
    events told of the ticket.
    """

    __tablename__ = "ticket"
    __table_args__ = (
        Index("uq_ticket_number", "number", unique=True),
        Index("uq_ticket_request", "request_id", unique=True),
        Index("ix_ticket_customer", "customer_id", "number"),
        Index("ix_ticket_open", "desk", "number", postgresql_where=text("closed_at IS NULL")),
        Index("ix_ticket_parent", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    number: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), nullable=False))
    customer_id: UUID = Field(foreign_key="customer.id")
    request_id: UUID | None = None
    parent_id: UUID | None = Field(default=None, foreign_key="ticket.id")
    kind: str
    procedure: str
    procedure_version: int
    document: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    facts: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'")))
    desk: str
    requested_by: str
    agent: str | None = None
    opened_at: datetime = utc()
    closed_at: datetime | None = utc(nullable=True)
    outcome: str | None = None
    comment: str | None = Field(default=None, sa_column=Column(Text))
    revision: int = 1
    version: int = 1


class TicketStep(Table, table=True):
    """One turn of a step. `desk` and `person` say whose list an open task is on; `filled` is what the system looked up for its form when
    it opened: by field, `value` and `looked_up_at`; `appointment` is a work order's (`rules.appointments.Appointment`)."""

    __tablename__ = "ticket_step"
    __table_args__ = (
        one_of("state", StepState, "ck_ticket_step_state"),
        Index("ix_ticket_step_tasks", "desk", "opened_at", "ticket_id", postgresql_where=text("state = 'OPEN' AND task")),
        Index("ix_ticket_step_person", "person", postgresql_where=text("state = 'OPEN' AND task")),
    )
    ticket_id: UUID = Field(primary_key=True, foreign_key="ticket.id")
    code: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    place: int
    task: bool
    state: str
    desk: str | None = None
    person: str | None = None
    opened_at: datetime | None = utc(nullable=True)
    deadline: datetime | None = utc(nullable=True)
    late: bool = False
    finished_at: datetime | None = utc(nullable=True)
    finished_by: str | None = None
    outcome: str | None = None
    filled: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")))
    captured: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    appointment: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True))
    comment: str | None = Field(default=None, sa_column=Column(Text))
